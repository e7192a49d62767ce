"""ncnn's aarch64 kernels, emulated: networks made to overflow, the gate in both commands.

They need what ``lt-setup arm`` builds (``make test-arm``), and say so where it is missing.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from default_inputs import INPUTS
from half_models import Model, reported, scalable_pair, specs
from junit import read_junit
from small_models import SIZES, SMALL, compared, feeds_of, save_lively

from commands import SUPPORT, Finished, command, environment, lt_export, lt_setup, lt_verify
from converter.checks.arm.process import DEFAULT_CPU
from converter.checks.arm.root import arm_root
from converter.checks.arm.run import ArmRun, check_arm
from converter.checks.device.process import TIMEOUT
from converter.checks.half.masks import protect_files
from converter.formats.ncnn.param import load_param
from converter.proof.feeds import Feed
from converter.proof.inputs import noise_feeds
from converter.spec.config import network_for
from converter.spec.options import ArmOptions
from converter.util.content import Contents
from converter.util.stages import Stages

ARM = ("--runtime", "ncnn-arm64", "--arm-inputs", "1")
WIDE = ("--arm-rtol", "0.4", "--config", SUPPORT / "random_network.yaml")


@pytest.fixture(scope="session")
def root(emulated_arm):
    return emulated_arm


@pytest.fixture(scope="session")
def tiny(tiny, once):
    return once("lively.pth", partial(save_lively, tiny))


@pytest.fixture(scope="session")
def small(root, tiny, tmp_path_factory):
    """A checkpoint's export at sizes that are emulated in a second; copy it before changing it."""
    folder = tmp_path_factory.mktemp("exports") / "small"
    done = lt_export("--resume", tiny, *SIZES, "--output", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def model(small, tmp_path):
    return Model(shutil.copytree(small, tmp_path / "export"), specs(**SMALL))


@pytest.fixture
def feeds(model):
    return feeds_of(model)


def on_arm(root, model, feeds, *modes, answers=None, **more):
    """The section on a model; compared with ncnn in float32 here, at tolerances that fit a random network."""
    comparison = compared(model, feeds, "arm", answers)
    given = {"cpu": DEFAULT_CPU, "inputs": 1, "blobs": False, "timeout": TIMEOUT, **more}
    options = ArmOptions(root=Path("unused"), modes=modes or ("fp16",), **given)
    return check_arm(ArmRun(root, options, model.folder, Contents(), [comparison], "fp32"), Stages())


def result_of(done: Finished):
    return json.loads(done.out)


def test_every_mode_is_proved_and_differs(root, model, feeds):
    section = on_arm(root, model, feeds, "fp32", "fp16s", "fp16", "bf16")
    assert section, section.failure()
    found = {mode.mode.name: (mode.proof.storage, mode.proof.arithmetic) for mode in section.modes}
    assert found == {
        "fp32": ("float32", "float32"),
        "fp16s": ("half", "float32"),
        "fp16": ("half", "half"),
        "bf16": ("bfloat16", "float32"),
    }
    zf = [mode.checks[0].check.outputs[0].relative for mode in section.modes]
    assert zf[0] < 1e-5 < zf[1] < zf[2] < 0.1
    assert zf[1] < zf[3] < 0.1
    assert [(each.check.graph, each.check.how) for each in section.modes[0].checks] == [
        *(("init", "alone"), ("update", "alone"), ("update", "chained"))
    ]
    assert section.versions["python"].startswith("3.")


def test_cpu_without_half_arithmetic_is_named_and_its_half_modes_are_not_run(root, model, feeds):
    section = on_arm(root, model, feeds, "fp16", "bf16", cpu="cortex-a53")
    fp16, bf16 = section.modes
    assert not section
    assert section.half_cpu is False
    assert section.about.endswith("cpu cortex-a53, which has no half arithmetic")
    assert fp16.failure().startswith("fp16: not run: cpu cortex-a53 has no half arithmetic")
    assert fp16.checks == ()
    assert bf16


def test_another_cpu_with_half_arithmetic_gives_the_same_bits(root, model, feeds):
    one, other = (on_arm(root, model, feeds, cpu=cpu) for cpu in ("max", "cortex-a76"))
    assert one.modes[0].checks == other.modes[0].checks


@pytest.fixture
def smooth(model):
    """Noise whose best cell halves keep."""
    images = [tensor for graph in model.graphs for tensor in graph.inputs if tensor.meaning in ("z", "x")]
    return noise_feeds(0, 2, images, network_for(None)[1].preprocess)[1:]


@pytest.fixture
def overflowing(model, smooth):
    """In the update graph, a 3x3 convolution whose input and output fit into half and whose sums do not: its name."""
    sound = model.report(smooth)
    first, second = scalable_pair(model, sound, kernel=3)
    model.scale("update", first, second, 60000 / reported(sound, "update", first).largest)
    return second


def test_sums_that_overflow_are_cured_by_the_masks_that_an_export_writes(root, model, smooth, overflowing):
    section = on_arm(root, model, smooth, "fp16", "fp16s")
    fp16, fp16s = section.modes
    assert not fp16
    assert fp16s, fp16s.failure()  # the blobs themselves fit
    assert [each.counts["cls"].nan for each in fp16.checks if each.check.graph == "update"] == [324, 324]
    assert "cls holds 324 NaN and 0 infinite of 324 values" in fp16.failure()
    assert f"layer {overflowing} (Convolution) of update is the first" in fp16.failure()

    report = model.report(smooth)
    assert overflowing in report.protect["update"]
    protect_files({"update": model.files("update")[0]}, report.protect)
    masks = [layer.param(31) for layer in load_param(model.files("update")[0]).layers]
    assert set(masks) == {0, 1}
    cured = on_arm(root, model, smooth)
    assert cured, cured.failure()


def test_blob_that_leaves_the_range_is_named(root, model, feeds):
    sound = model.report(feeds)
    first, second = scalable_pair(model, sound)
    model.scale("update", first, second, 3e5 / reported(sound, "update", first).largest)
    section = on_arm(root, model, feeds, "fp16s")
    assert not section
    assert f"layer {first} (" in section.failure()
    counted = {row.layer: row for row in section.modes[0].blobs[0].rows}
    assert counted[first].inf > 0
    assert on_arm(root, model, feeds, "fp32", "bf16")


def test_input_that_leaves_the_range_is_named(root, model, feeds):
    large = Feed("large", {**feeds[0].tensors, "z": feeds[0].tensors["z"] * np.float32(1e6)})
    section = on_arm(root, model, [large])
    assert not section
    (blobs,) = section.modes[0].blobs[:1]
    assert blobs.graph == "init"
    first = next(layer.name for layer in load_param(model.files("init")[0]).layers if layer.type != "Input")
    assert blobs.bad[0].layer == first


def test_dangerous_mask_fails_whatever_the_kernels_make_of_it(root, model, feeds):
    param = model.files("update")[0]
    first, _ = scalable_pair(model, model.report(feeds))
    param.write_text(load_param(param).with_param(first, 31, 3).text())
    section = on_arm(root, model, feeds)
    assert not section
    assert f"31=3 on layer {first} of update" in section.failure()
    assert on_arm(root, model, feeds, "fp32")


def test_blobs_are_counted_on_request(root, model, feeds):
    section = on_arm(root, model, feeds, blobs=True)
    assert section, section.failure()
    for blobs, name in zip(section.modes[0].blobs, ("init", "update"), strict=True):
        layers = [layer for layer in load_param(model.files(name)[0]).layers if layer.type != "Input"]
        assert [row.blob for row in blobs.rows] == [blob for layer in layers for blob in layer.outputs]
        assert blobs.bad == []
        assert all(row.largest > 0 for row in blobs.rows)


def test_graph_is_run_though_its_file_has_another_input(root, model, feeds):
    answers = [model.answers(feeds[0])]
    param = model.files("init")[0]
    lines = param.read_text().splitlines()
    layers, blobs = map(int, lines[1].split())
    lines[1] = f"{layers + 2} {blobs + 2}"
    more = ["Input other 0 1 other", "UnaryOp behind 1 1 other behind 0=0"]
    param.write_text("\n".join([*lines[:2], *more, *lines[2:]]) + "\n")
    section = on_arm(root, model, feeds, "fp32", answers=answers, blobs=True)
    assert section, section.failure()
    assert [each.check.graph for each in section.modes[0].checks] == ["init", "update", "update"]
    assert not {"other", "behind"} & {row.layer for row in section.modes[0].blobs[0].rows}


def test_damaged_weights_are_a_failure_of_the_model(root, model, feeds):
    answers = [model.answers(feeds[0])]
    path = model.files("update")[1]
    path.write_bytes(path.read_bytes()[:1000])
    section = on_arm(root, model, feeds, answers=answers)
    assert not section
    assert section.modes[0].failure().startswith("fp16: emulated aarch64 fp16 (cpu max): ")


def test_hang_is_ended_and_nothing_is_left(root, model, feeds):
    section = on_arm(root, model, feeds, timeout=0.4)
    assert not section
    assert "took longer than 0.4 s and was ended" in section.failure()
    assert emulators(os.getpid()) == []


def emulators(parent):
    """Process ids of what a process, or one that it started, emulates."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if str(parent).encode() in words and any(word.endswith(b"device/guest.py") for word in words):
            found.append(int(path.parent.name))
    return found


def test_killing_the_command_leaves_no_emulator(small, tiny):
    words = command(small, "--resume", tiny, *ARM, *WIDE, module="converter.cli.verify")
    with subprocess.Popen(words, env=environment(), stderr=subprocess.DEVNULL) as process:
        for _ in range(600):
            if emulators(process.pid):
                break
            time.sleep(0.05)
        running = emulators(process.pid)
        process.send_signal(signal.SIGKILL)
    assert running
    for _ in range(100):
        if not emulators(process.pid):
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {emulators(process.pid)}")


def test_export_is_published_with_the_figures(root, tiny, tmp_path):
    done = lt_export("--resume", tiny, *SIZES, "-o", tmp_path / "out", *ARM, *WIDE, "--json")
    assert done.code == 0, done.err
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["arm"]["about"].startswith("emulated aarch64: ")
    assert manifest["arm"]["modes"][0]["proof"] == {"half_cpu": True, "storage": "half", "arithmetic": "half"}
    assert [check["graph"] for check in manifest["arm"]["modes"][0]["checks"]] == ["init", "update", "update"]
    assert result_of(done) == manifest
    assert re.search(r"^arm +[\d.]+ s  .*fp16 init, update, 1 inputs$", done.err, re.MULTILINE)


def test_export_that_fails_on_arm_is_not_published(root, tiny, tmp_path):
    words = ("--resume", tiny, *SIZES, "-o", tmp_path / "out", *ARM, "--arm-rtol", "1e-9")
    done = lt_export(*words)
    assert done.code == 1
    assert (
        "ncnn-arm64 (emulated aarch64): fp16: 3 of 3 checks, init (alone, picture 'texture' at scale 3): zf is off by"
        in done.error_line
    )
    assert done.error_line.endswith("; nothing was published")
    assert not (tmp_path / "out").exists()
    assert "emulated aarch64" in done.out
    failed = result_of(lt_export(*words, "--json"))
    assert failed["error"]["exit_code"] == 1
    assert failed["arm"]["passed"] is False


def test_export_that_fails_on_arm_has_passed_its_other_test_cases(root, tiny, tmp_path):
    words = ("--resume", tiny, *SIZES, "-o", tmp_path / "out", *ARM, "--arm-rtol", "1e-9")
    assert lt_export(*words, "--junit", tmp_path / "a.xml").code == 1
    read = read_junit(tmp_path / "a.xml")
    assert list(read.bad()) == [("lt-export.checks", "arm")]
    assert sum(group == "lt-export.proof" for group, _ in read.cases) >= 6


def test_verification_fails_with_the_emulated_kernels(small, tiny):
    done = lt_verify(small, "--resume", tiny, *ARM, "--arm-rtol", "1e-9", "--json")
    assert done.code == 1
    assert done.error_line.startswith("lt-verify: error: ncnn-arm64 (emulated aarch64): fp16: 3 of 3 checks, ")
    result = result_of(done)
    assert (result["verdict"], result["verification"]["status"]) == ("failed", "passed")
    assert not result["arm"]["passed"]


def test_verification_reports_and_writes_golden_vectors_of_the_kernels(small, tiny, tmp_path):
    golden = tmp_path / "golden"
    words = (small, "--resume", tiny, "--runtime", "ncnn-arm64", *WIDE, "--golden-from", "ncnn-arm64")
    pages = ("--report", tmp_path / "page.html", "--report", tmp_path / "page.md")
    done = lt_verify(*words, "--write-golden", "--golden", golden, *pages)
    assert done.code == 0, done.err
    assert re.search(r"^ok +fp16 +update chained +cls ", done.out, re.MULTILINE), done.out
    for name in ("page.html", "page.md"):
        assert "emulated aarch64" in (tmp_path / name).read_text()
    index = json.loads((golden / "index.json").read_text())
    assert index["reference"].startswith("emulated aarch64: ncnn ")
    assert "fp16 (half storage and arithmetic" in index["reference"]
    assert [case["title"] for case in index["cases"]] == list(INPUTS[-2:])
    exact = lt_verify(small, "--golden", golden, "--json")
    assert exact.code == 1  # these are not the network's own answers, and float32 kernels tell
    zf = [
        output["max_abs"]
        for check in result_of(exact)["verification"]["checks"]
        for output in check["outputs"]
        if output["name"] == "zf"
    ]
    assert all(0.001 < error < 1 for error in zf)
    again = lt_verify(small, "--golden", golden, "--runtime", "ncnn-arm64", "--arm-rtol", "0", "--json")
    assert result_of(again)["arm"]["passed"], again.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--arm-cpu", "z80"), "--arm-cpu z80: qemu knows no such cpu"),
        (("--arm-mode", "int8"), "--arm-mode int8: expected one of"),
    ],
)
def test_what_cannot_be_emulated_is_wrong_usage(small, tiny, words, said):
    done = lt_verify(small, "--resume", tiny, *ARM, *words)
    assert done.code == 2
    assert said in done.error_line


def test_a_root_that_is_there_is_not_built_again(root):
    start = time.perf_counter()
    done = lt_setup("arm", "--folder", root.folder, "--json")
    assert done.code == 0, done.err
    assert result_of(done)["built"] is False
    assert result_of(done)["folder"] == str(root.folder)
    assert time.perf_counter() - start < 20


def test_a_root_is_built_from_packages_and_damage_is_noticed(root, small, tiny, tmp_path):
    if root.record is None:
        pytest.skip(f"{root.folder} was built by hand, so nothing says that it can be built here")
    folder = tmp_path / "cache" / "arm64"
    (folder / "system").mkdir(parents=True)
    done = lt_setup("arm", "--folder", folder)
    assert done.code == 0, done.err
    assert "is half-built" in done.err
    assert done.out.startswith("ready ")
    assert [path.name for path in folder.parent.iterdir()] == ["arm64"]
    built = arm_root(folder)
    assert built.record.wheels == root.record.wheels
    assert built.record.hello == root.record.hello
    damaged = next(path for path in folder.rglob("libstdc++.so.6.*") if not path.is_symlink())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = lt_verify(small, "--resume", tiny, *ARM, "--arm-root", folder)
    assert done.code == 5
    assert "is damaged: system/" in done.error_line
    assert f"lt-setup arm --folder {folder} rebuilds it" in done.error_line
