"""What a stranger writes into an export, or does to it while it is verified, does not make a wrong model pass."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from commands import lt_export, lt_verify
from conftest import TINY, contents
from converter.exporting import pipeline
from converter.verifying import checkup

RIGHT, THIRD_OFF, SLIGHTLY_OFF = ("0=2 1=1 2=16.0", "0=2 1=1 2=10.7", "0=2 1=1 2=15.98")


@pytest.fixture
def export(tiny_export, tmp_path):
    return shutil.copytree(tiny_export, tmp_path / "export")


@pytest.fixture(scope="module")
def sized(tiny, tmp_path_factory):
    """An export at two sizes; copy it before changing it."""
    folder = tmp_path_factory.mktemp("gate") / "sized"
    done = lt_export(tiny, "--path-name", TINY, "-o", folder, "--search-size", 128, "--search-size", 144, "-q")
    assert done.code == 0, done.err
    return folder


def state(export, change):
    """Change the manifest, whose checksums then are those of the files as they lie there."""
    path = export / "manifest.json"
    manifest = json.loads(path.read_text())
    for file in (file for graph in manifest["graphs"] for file in graph["files"]):
        data = (export / file["name"]).read_bytes()
        file.update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    change(manifest)
    path.write_text(json.dumps(manifest))


def scale(export, factor, name="lighttrack_update.param"):
    """Let reg be another multiple of what it has to be."""
    path = export / name
    text = path.read_text()
    assert text.count(RIGHT) == 1
    path.write_text(text.replace(RIGHT, factor))


def nothing(manifest):
    pass


# --- tolerances and precision


def test_tolerances_of_a_manifest_let_nothing_pass(export, tiny):
    scale(export, THIRD_OFF)

    def wide(manifest):
        manifest["verification"]["tolerances"] = {name: {"rtol": 10.0} for name in ("zf", "cls", "reg")}

    state(export, wide)
    done = lt_verify(export, "--resume", tiny)
    assert done.code == 1
    assert "reg is off by" in done.error_line
    assert "the model is wrong" in done.error_line
    said = " ".join(done.err.split())
    assert (
        "the export had passed with wider tolerances than it is judged by: zf rtol 10 in place of rtol 0.0001" in said
    )
    assert lt_verify(export, "--resume", tiny, "--rtol", 10).code == 0, "what the user says counts"


def test_a_precision_that_the_files_have_not_is_a_failure(export, tiny):
    scale(export, SLIGHTLY_OFF)
    state(export, lambda manifest: manifest.update(precision="half"))
    done = lt_verify(export, "--resume", tiny, "--json")
    result = json.loads(done.out)
    assert done.code == 1
    assert (
        "manifest.json says that precision is 'half', expected 'fp32', which the files of ncnn init and"
        in done.error_line
    )
    assert "reg is off by" in done.error_line, "and they are judged as what they are"
    assert result["precision"] == "fp32"
    assert {each["rtol"] for each in result["verification"]["tolerances"].values()} == {1e-4}
    assert result["files"]["status"] == "failed"


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
def test_half_weights_are_known_by_the_files(tiny, tmp_path, format):
    done = lt_export(
        tiny, "--path-name", TINY, "-o", tmp_path / "out", "--half", "--format", format, "--split", "two", "-q"
    )
    assert done.code == 0, done.err
    suffix = {"ncnn": "param", "onnx": "onnx"}[format]
    loose = [
        word for name in ("init", "update") for word in (f"--{name}", tmp_path / f"out/lighttrack_{name}.{suffix}")
    ]
    for words in ([tmp_path / "out"], [*loose, "--path-name", TINY]):
        done = lt_verify(*words, "--resume", tiny, "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["precision"] == "half"
        assert json.loads(done.out)["verification"]["tolerances"]["zf"]["rtol"] == 5e-3
    state(tmp_path / "out", lambda manifest: manifest.update(precision="fp32"))
    done = lt_verify(tmp_path / "out", "--resume", tiny)
    assert done.code == 1
    assert "says that precision is 'fp32', expected 'half'" in done.error_line


# --- what else a manifest says


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda manifest: manifest["tracker"].update(stride=99), "tracker.stride is 99, expected 8"),
        (lambda manifest: manifest["tracker"].update(lr=0.1), "tracker.lr is 0.1, expected 0.616"),
        (
            lambda manifest: manifest["preprocess"].update(colour_order="BGR"),
            "preprocess.colour_order is 'BGR', expected 'RGB'",
        ),
        (
            lambda manifest: manifest["preprocess"].update(std=[1.0] * 3),
            "preprocess.std is [1.0, 1.0, 1.0], expected [",
        ),
    ],
)
def test_a_manifest_that_contradicts_the_network_is_a_failure(export, tiny, change, said):
    state(export, change)
    done = lt_verify(export, "--resume", tiny, "--json")
    assert done.code == 1
    assert f"manifest.json says that {said}" in done.error_line
    (problem,) = json.loads(done.out)["files"]["problems"]
    assert problem["file"] == "manifest.json"


def test_an_output_that_a_manifest_leaves_out_is_a_failure(export, tiny):
    scale(export, THIRD_OFF)

    def without_reg(manifest):
        update = next(graph for graph in manifest["graphs"] if graph["name"] == "update")
        update["outputs"] = [tensor for tensor in update["outputs"] if tensor["meaning"] != "reg"]

    state(export, without_reg)
    done = lt_verify(export, "--resume", tiny)
    assert done.code == 1
    assert "manifest.json: ncnn update has outputs cls, expected cls, reg" in done.error_line


def test_a_size_that_a_manifest_leaves_out_is_verified_all_the_same(sized, tiny, tmp_path):
    export = shutil.copytree(sized, tmp_path / "export")
    scale(export, THIRD_OFF, "lighttrack_update_144.param")
    state(export, lambda manifest: manifest["tracker"].update(sizes=manifest["tracker"]["sizes"][:1]))
    done = lt_verify(export, "--resume", tiny)
    assert done.code == 1
    assert "worst in ncnn update_144" in done.error_line


def test_an_export_with_a_config_of_its_own_is_verified_with_it(tiny, tmp_path):
    config = tmp_path / "own.yaml"
    config.write_text("tracker: {lr: 0.5}\npreprocess: {colour_order: BGR}\n")
    words = ("--path-name", TINY, "-o", tmp_path / "out", "--config", config, "-q")
    assert lt_export(tiny, *words).code == 0
    done = lt_verify(tmp_path / "out", "--resume", tiny)
    assert done.code == 1
    assert (
        "tracker.lr is 0.5, expected 0.616; an export that was made with --config is verified with" in done.error_line
    )
    done = lt_verify(tmp_path / "out", "--resume", tiny, "--config", config)
    assert done.code == 0, done.err


def test_golden_vectors_that_contradict_the_network_are_refused(tiny, tmp_path):
    out = tmp_path / "out"
    done = lt_export(tiny, "--path-name", TINY, "-o", out, "--golden", out / "golden", "-q")
    assert done.code == 0, done.err
    assert lt_verify(out).code == 0
    index = out / "golden/index.json"
    index.write_text(index.read_text().replace('"stride": 8', '"stride": 99'))
    done = lt_verify(out)
    assert done.code == 1
    assert "golden say that tracker.stride is 99, expected 8; write them anew" in done.error_line


def test_weights_in_a_file_that_the_manifest_does_not_list_are_a_failure(tiny_both, tiny, tmp_path):
    import onnx

    export = shutil.copytree(tiny_both, tmp_path / "export")
    path = export / "lighttrack_backbone.onnx"
    model = onnx.load(path)
    onnx.save_model(model, path, save_as_external_data=True, location="weights.dat", size_threshold=0)
    state(export, nothing)
    done = lt_verify(export, "--resume", tiny, "--format", "onnx")
    assert done.code == 1
    assert "lighttrack_backbone.onnx keeps weights in weights.dat, which the manifest does not list" in done.error_line
    files = ("init", "backbone", "neck_head")
    loose = [word for name in files for word in (f"--{name.replace('_', '-')}", export / f"lighttrack_{name}.onnx")]
    done = lt_verify(*loose, "--resume", tiny, "--path-name", TINY)
    assert done.code == 0, done.err


# --- files that change meanwhile


def flip(path):
    """Another last weight, in a file of the same length."""
    data = bytearray(path.read_bytes())
    data[-4:] = (np.frombuffer(data[-4:], "<f4") + np.float32(1)).tobytes()
    path.write_bytes(data)


@pytest.mark.parametrize("options", [(), ("--no-verify",), ("--keep-torchscript",)])
def test_a_file_that_changes_after_the_proof_is_not_published(tiny, tiny_export, tmp_path, monkeypatch, options):
    target = shutil.copytree(tiny_export, tmp_path / "exports/out")
    before = contents(target)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    publish, name = (
        pipeline._publish,
        "lighttrack_init.pt" if "--keep-torchscript" in options else "lighttrack_update.bin",
    )

    def changed_before(*arguments):
        (path,) = work.glob(f"lt-export-*/{name}")
        flip(path)
        return publish(*arguments)

    monkeypatch.setattr(pipeline, "_publish", changed_before)
    done = lt_export(tiny, "--path-name", TINY, "-o", target, *options)
    assert done.code == 1, done.err
    assert f"{name} changed after it was verified; nothing was published" in done.error_line
    assert contents(target) == before
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.fixture
def meanwhile(monkeypatch):
    """Do something right before a step of lt-verify."""

    def meanwhile(step, act):
        real = getattr(checkup, step)

        def acting(*arguments):
            act()
            return real(*arguments)

        monkeypatch.setattr(checkup, step, acting)

    return meanwhile


def test_a_right_file_that_lies_there_during_the_proof_only_does_not_help(export, tiny, meanwhile):
    """Its checksum is that of the manifest before and afterwards, and it is wrong."""
    path = export / "lighttrack_update.param"
    right = path.read_bytes()
    scale(export, THIRD_OFF)
    state(export, nothing)
    wrong = path.read_bytes()
    meanwhile("_compared", lambda: path.write_bytes(right))
    meanwhile("_looked", lambda: path.write_bytes(wrong))
    done = lt_verify(export, "--resume", tiny)
    assert done.code == 1
    assert "reg is off by" in done.error_line
    assert "changed" not in done.error_line


@pytest.mark.parametrize("step", ["_compared", "prove", "_looked"])
def test_a_file_that_changes_while_it_is_verified_is_a_failure(export, tiny, meanwhile, step):
    """Within the tolerance, so that its figures would pass."""
    path = export / "lighttrack_update.param"
    meanwhile(step, lambda: path.write_text(path.read_text() + "\n"))
    done = lt_verify(export, "--resume", tiny)
    assert done.code == 1
    assert "lighttrack_update.param changed while it was verified: what lies there now was not" in done.error_line


# --- configs


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tracker: {stride: 99}", "config: tracker.stride is 99, expected 8, which follows from the network"),
        ("tracker: {search_size: 255}", "config: tracker.search_size is 255, expected 288"),
        ("tracker: {score_size: 17}", "config: tracker.score_size is 17, expected 36"),
        ("tracker: {template_cells: 7}", "config: tracker.template_cells is 7, expected 16"),
        ("tracker: {cls: probability}", "config: tracker.cls is 'probability', expected 'logit'"),
        ("tracker: {lr: 7}", "config: tracker.lr: input should be less than or equal to 1, found 7"),
        ("preprocess: {pixel_range: [0.0, 255.0]}", "preprocess.std has 0.229, expected 0.996094 to 255"),
        ("preprocess: {mean: [123.7, 116.3, 103.5]}", "preprocess.mean has 123.7, expected values within pixel_range"),
        ("tensors: {reg: {shape: [1, 4, 7, 7]}}", "tensors.reg.shape comes to (1, 4, 7, 7), expected (1, 4, 36, 36)"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--no-verify",)])
def test_a_config_that_contradicts_the_network_is_wrong_usage(tiny, tmp_path, text, said, options):
    (tmp_path / "own.yaml").write_text(text)
    words = ("--path-name", TINY, "--config", tmp_path / "own.yaml", "-o", tmp_path / "out")
    done = lt_export(tiny, *words, *options)
    assert done.code == 2, done.err
    assert said in done.error_line
    assert not (tmp_path / "out").exists()


def test_a_config_that_contradicts_the_network_is_refused_by_lt_verify_too(export, tiny, tmp_path):
    (tmp_path / "own.yaml").write_text("tracker: {stride: 99}")
    done = lt_verify(export, "--resume", tiny, "--config", tmp_path / "own.yaml")
    assert done.code == 2
    assert "config: tracker.stride is 99, expected 8, which follows from the network" in done.error_line


# --- the reference


def test_the_reference_is_said_first(export, tiny, tmp_path):
    reports = [tmp_path / f"page.{suffix}" for suffix in ("md", "html")]
    done = lt_verify(export, "--resume", tiny, *(word for path in reports for word in ("--report", path)))
    assert done.code == 0, done.err
    own = "our own definition of the network, unpatched template() and track(), torch on the CPU"
    lines = done.out.splitlines()
    table = next(index for index, line in enumerate(lines) if line.startswith("Verdict"))
    assert " ".join(lines[2:table]) == f"Compared with {own}, weights of tiny.pth. The worst input:"
    for path in reports:
        page = Path(path).read_text()
        assert f"Reference: {own}, weights of tiny.pth." in page
        assert page.index("Reference: our own") < page.index("answer as the reference does")
