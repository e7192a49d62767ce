"""Damaged models must fail, whatever was damaged, and must not be published."""

import json
import re
import stat
import textwrap

import numpy as np
import pytest
from default_inputs import INPUTS

import warm
from commands import EXPORT, ROOT, lt_export
from conftest import TINY, contents, hide
from converter.families.dimensions import dimensions_of
from converter.formats.ncnn.param import load_param
from converter.formats.ncnn.runner import NcnnRunner
from converter.spec.config import network_for

RUN_REAL = """
    #!{python}
    import os, pathlib, re, subprocess, sys
    code = subprocess.call([{real!r}, *sys.argv[1:]])
    param, weights = pathlib.Path("model.ncnn.param"), pathlib.Path("model.ncnn.bin")
"""


@pytest.fixture
def pnnx_that(tmp_path):
    """A ``pnnx`` that does what it is told, usually after the real one has run."""
    import sys

    import pnnx

    def make(body, before=RUN_REAL):
        script = textwrap.dedent(before).strip().format(python=sys.executable, real=pnnx.EXEC_PATH)
        binary = tmp_path / "pnnx"
        binary.write_text(f"{script}\n{textwrap.dedent(body).strip()}\n")
        binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
        return str(binary)

    return make


@pytest.fixture
def export_with(tiny, tmp_path, tiny_export, monkeypatch):
    """Export over an earlier export with a fake pnnx; the earlier one must be there afterwards, byte for byte."""
    import shutil
    import tempfile

    import pnnx

    target = tmp_path / "exports/out"
    shutil.copytree(tiny_export, target)
    before = contents(target)
    work = tmp_path / "work"
    work.mkdir()

    def run(fake, *arguments):
        monkeypatch.setattr(pnnx, "EXEC_PATH", fake)
        monkeypatch.setattr(tempfile, "tempdir", str(work))
        done = lt_export("--resume", tiny, "--path-name", TINY, "-o", target, *arguments)
        assert contents(target) == before
        assert [path.name for path in target.parent.iterdir()] == ["out"]
        assert not list(work.iterdir())
        return done

    return run


DAMAGE = {
    "one weight": """
        data = bytearray(weights.read_bytes())
        data[2003] ^= 0x40
        weights.write_bytes(data)
    """,
    "a dropped activation": """
        lines = param.read_text().splitlines()
        swish = next(index for index, line in enumerate(lines) if line.startswith("Swish"))
        lines[swish] = lines[swish].replace("Swish", "Dropout", 1)
        param.write_text("\\n".join(lines) + "\\n")
    """,
    "another parameter": """
        param.write_text(re.sub(r"(BinaryOp .* 0=2 1=1 2=)16", r"\\g<1>8", param.read_text()))
    """,
    "one bias in the last layer": """
        import struct
        data = bytearray(weights.read_bytes())
        data[-4:] = struct.pack("<f", struct.unpack("<f", data[-4:])[0] + 0.01)
        weights.write_bytes(data)
    """,
    "weights of another layer": """
        data = weights.read_bytes()
        weights.write_bytes(data[:4] + data[8:12] + data[4:8] + data[12:])
    """,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_model_fails_with_its_figures(pnnx_that, export_with, damage):
    done = export_with(pnnx_that(DAMAGE[damage]))
    assert done.code == 1, done.err
    assert "verification failed" in done.error_line
    assert "nothing was published" in done.error_line
    assert "FAILED" in done.out


CLAMP = """
    lines = param.read_text().splitlines()
    for place in [index for index, line in enumerate(lines) if line.split()[1:2] == [{layer!r}]]:
        words = lines[place].split()
        blob, words[5] = words[5], "unbounded"
        lines[place] = " ".join(words)
        lines.insert(place + 1, f"Clip clamped 1 1 unbounded {{blob}} 0={low:.6e} 1={high:.6e}")
        layers, blobs = map(int, lines[1].split())
        lines[1] = f"{{layers + 1}} {{blobs + 1}}"
    param.write_text("\\n".join(lines) + "\\n")
"""


def range_on_normal_noise(export, graph, layer):
    """The smallest and the largest value that a layer gives on two inputs of standard normal noise."""
    files = [export / f"lighttrack_{graph.name}.{end}" for end in ("param", "bin")]
    (blob,) = next(each.outputs for each in load_param(files[0]).layers if each.name == layer)
    runner, random, values = NcnnRunner(*files, graph), np.random.default_rng(0), []
    for _ in range(2):
        feed = {tensor.name: random.standard_normal(tensor.shape).astype(np.float32) for tensor in graph.inputs}
        values.append(runner.blobs(feed, [blob])[blob])
    return float(np.min(values)), float(np.max(values))


@pytest.mark.parametrize("nth", [0, 2])
def test_a_clamp_that_noise_does_not_reach_is_found(pnnx_that, export_with, tiny_export, nth):
    """A convolution's output is bounded by its range on standard normal noise, so that such noise does not tell."""
    _, network = network_for(None, None, {"path_name": TINY})
    graph = network.graph_specs("two", dimensions_of(network))[0]
    names = [layer.name for layer in load_param(tiny_export / "lighttrack_init.param").layers]
    layer = [name for name in names if name.startswith("conv_")][nth]
    low, high = range_on_normal_noise(tiny_export, graph, layer)
    beside = 1e-3 * (high - low)
    done = export_with(pnnx_that(CLAMP.format(layer=layer, low=low - beside, high=high + beside)))
    assert done.code == 1, done.err
    assert "verification failed" in done.error_line
    assert re.search(r"worst in ncnn \w+ \(\w+, (noise|picture).+\): \w+ is off by", done.error_line)


SWAP = """
    text = param.read_text()
    swapped = re.sub(r"\\bout([01])\\b", lambda found: f"out{1 - int(found[1])}", text)
    param.write_text(swapped if "out1" in text else text)
"""


@pytest.mark.parametrize(("options", "code"), [([], 1), (["--no-verify"], 4)])
def test_swapped_outputs_do_not_pass(pnnx_that, export_with, options, code):
    done = export_with(pnnx_that(SWAP), *options)
    assert done.code == code
    assert "shape (1, 4, 36, 36), expected (1, 1, 36, 36)" in done.error_line


def test_nan_fails(pnnx_that, export_with):
    nan = """
        data = bytearray(weights.read_bytes())
        data[4:8] = b"\\x00\\x00\\xc0\\x7f"
        weights.write_bytes(data)
    """
    done = export_with(pnnx_that(nan))
    assert done.code == 1
    assert "NaN" in done.error_line


def test_a_tolerance_that_is_not_met_says_which_would_be(tiny, tmp_path):
    arguments = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    done = lt_export(*arguments, "--rtol", "5e-7", "--json")
    assert done.code == 1
    assert not (tmp_path / "out").exists()
    answer = json.loads(done.out)["error"]
    assert answer["exit_code"] == 1
    needed = float(done.error_line.partition("--rtol ")[2].split()[0])
    assert lt_export(*arguments, "--rtol", 2 * needed, "-q").code == 0  # runs differ in their last bits
    assert json.loads((tmp_path / "out/manifest.json").read_text())["verification"]["status"] == "passed"


def test_an_absolute_tolerance_replaces_the_relative_one(tiny, tmp_path):
    arguments = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "-q")
    done = lt_export(*arguments, "--atol", "1e-12")
    assert done.code == 1
    assert f"verification failed in {3 * len(INPUTS)} of {3 * len(INPUTS)} checks" in done.error_line
    assert re.search(r"is off by \S+, allowed 1\.00e-12, ", done.error_line)
    assert not (tmp_path / "out").exists()
    assert lt_export(*arguments, "--atol", "0.1").code == 0
    verification = json.loads((tmp_path / "out/manifest.json").read_text())["verification"]
    assert {(each["atol"], each["rtol"]) for each in verification["tolerances"].values()} == {(0.1, 0.0)}
    allowed = [output["allowed"] for check in verification["checks"] for output in check["outputs"]]
    assert allowed == [0.1] * (5 * len(INPUTS))


PNNX_FAILS = {
    "crashes": ("#!/bin/sh\necho about to crash; kill -SEGV $$", "ended by signal 11; it said: about to crash"),
    "returns an error": ("#!/bin/sh\necho no such thing; exit 3", "returned 3, expected 0; it said: no such thing"),
    "hangs": ("#!/bin/sh\necho thinking; exec sleep 600", "did not finish within 2 s"),
    "writes nothing": ("#!/bin/sh\necho all fine; exit 0", "wrote no .param file; it said: all fine"),
    "writes garbage": (
        "#!/bin/sh\nhead -c 999 /bin/sh > model.ncnn.param; cp model.ncnn.param model.ncnn.bin",
        "expected ncnn's magic number",
    ),
}


@pytest.mark.parametrize("how", PNNX_FAILS)
def test_pnnx_that_fails(pnnx_that, export_with, how):
    script, expected = PNNX_FAILS[how]
    done = export_with(pnnx_that("", before=script), "--pnnx-timeout", 2 if how == "hangs" else 120)
    assert done.code == 4
    assert expected in done.error_line


SPOILT = {
    "weights cut off": ("weights.write_bytes(weights.read_bytes()[:-1000])", "model.ncnn.bin: cut off"),
    "table cut off": ("text = param.read_text(); param.write_text(text[:len(text) // 2])", "model.ncnn.param"),
    "empty table": ("param.write_text('')", "an empty file"),
    "an input less": (
        "param.write_text(param.read_text().replace(' in0', ' in7'))",
        "has inputs",
    ),
    "an output more": (
        "magic, counts, *layers = param.read_text().splitlines()\n"
        "counts = ' '.join(str(int(count) + 1) for count in counts.split())\n"
        "param.write_text('\\n'.join([magic, counts, *layers, 'Noop more 0 1 out7', '']))",
        "the graph has outputs out0, out1, out7, expected out0, out1",
    ),
    "an operator that ncnn lacks": (
        "param.write_text(param.read_text().replace('Swish ', 'aten::erfinv ', 1))\n"
        "print('ignore torch.erfinv torch.erfinv_0 param', flush=True)",
        "aten::erfinv is left in the graph, and ncnn has no such layer; it said: ignore torch.erfinv",
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_what_pnnx_wrote_is_not_believed(pnnx_that, export_with, how):
    body, expected = SPOILT[how]
    done = export_with(pnnx_that(body))
    assert done.code == 4
    assert expected in done.error_line


def test_a_real_operator_that_ncnn_lacks_is_named(tmp_path):
    import io

    import torch

    from converter.errors import ConversionError
    from converter.formats.ncnn.convert import PnnxRun
    from converter.formats.source import Source
    from converter.spec.tensors import GraphSpec, TensorSpec

    class Sorts(torch.nn.Module):
        def forward(self, x):
            return torch.cumprod(x, 1).erfinv()

    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(Sorts(), torch.full((1, 3, 8, 8), 0.5), check_trace=False), buffer)
    x, y = (TensorSpec(name=name, meaning=name, about="", shape=(1, 3, 8, 8)) for name in "xy")
    graph = GraphSpec(name="sorts", family="lighttrack", mode="template", inputs=(x,), outputs=(y,))
    run = PnnxRun(buffer.getvalue(), Source("ncnn", "sorts", graph), tmp_path, 60)
    with pytest.raises(ConversionError, match=r"pnnx on sorts: \S*erfinv"):
        run.result()


def test_a_disk_that_is_full_is_a_failed_conversion(tiny, tmp_path):
    """A limit on the size of files stands in for the disk: writing fails at the same place in the same way."""
    import subprocess

    from commands import command, environment

    export = command("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "-q")
    done = subprocess.run(
        ["bash", "-c", 'ulimit -f 500; exec "$@"', "bash", *export],
        env=environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 4, done.stderr
    assert "cannot write" in done.stderr
    assert not list(tmp_path.iterdir())


def test_missing_packages_are_named_before_any_work(tiny, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    done = warm.run_behind(hide(tmp_path, "pnnx"), EXPORT, *words)
    assert done.code == 5
    remedy = f"pip install -c {ROOT}/constraints.txt lighttrack-export"
    expected = f"--format ncnn needs pnnx, not installed here: {remedy}"
    assert done.err.splitlines() == [f"lt-export: error: {expected}"]
