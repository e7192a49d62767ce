"""ONNX through the command line: files that other code runs, and what is refused."""

import json
import textwrap

import cv2
import numpy as np
import onnx
import onnxruntime
import onnxsim
import pytest
import torch

import warm
from commands import EXPORT, ROOT, lt_export
from conftest import MOBILE, TINY, contents, hide, save_seeded
from converter.families.family import family_of

SPLITS = {"three": ["backbone", "init", "neck_head"], "two": ["init", "update"]}


def words_of(checkpoint, path_name, target):
    return "--resume", checkpoint, "--path-name", path_name, "-o", target, "--format", "onnx"


def export(checkpoint, path_name, target, *options, **extra):
    return lt_export(*words_of(checkpoint, path_name, target), *options, **extra)


def run(folder, name, feed):
    """onnxruntime without any of our code."""
    session = onnxruntime.InferenceSession(folder / f"lighttrack_{name}.onnx", providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feed), strict=True))


def run_chain(folder, run, z, x):
    known = {**run(folder, "init", {"z": z})}
    if (folder / "lighttrack_update.onnx").exists():
        return known | run(folder, "update", {"zf": known["zf"], "x": x})
    known |= run(folder, "backbone", {"x": x})
    return known | run(folder, "neck_head", {"zf": known["zf"], "xf": known["xf"]})


def inputs(template=127, search=288):
    generator = np.random.default_rng(7)
    return [generator.standard_normal((1, 3, size, size)).astype(np.float32) for size in (template, search)]


def torch_answers(checkpoint, path_name, z, x):
    network = family_of("lighttrack").build(path_name, z.shape[-1])
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"], assign=True)
    with torch.no_grad():
        network.eval().template(torch.from_numpy(z))
        cls, reg = network.track(torch.from_numpy(x))
        return {"zf": network.zf.numpy(), "cls": cls.numpy(), "reg": reg.numpy()}


def assert_close(found, expected):
    for name, array in expected.items():
        assert found[name].shape == array.shape
        assert np.abs(found[name] - array).max() < 1e-4 * np.ptp(array), name


@pytest.fixture(scope="module")
def folder(seeded, tmp_path_factory):
    """The seeded LightTrack-Mobile as three ONNX graphs."""
    target = tmp_path_factory.mktemp("onnx") / "out"
    done = export(seeded, MOBILE, target)
    assert done.code == 0, done.err
    return target


def test_three_graphs_by_default_and_nothing_beside_them(folder):
    assert sorted(contents(folder)) == [*(f"lighttrack_{name}.onnx" for name in SPLITS["three"]), "manifest.json"]


def test_other_code_runs_the_chain_and_gets_the_networks_answers(folder, seeded):
    z, x = inputs()
    assert_close(run_chain(folder, run, z, x), torch_answers(seeded, MOBILE, z, x))


def test_opencv_runs_them_too(folder, seeded):
    def run_opencv(folder, name, feed):
        net = cv2.dnn.readNetFromONNX(str(folder / f"lighttrack_{name}.onnx"))
        for blob, array in feed.items():
            net.setInput(array, blob)
        outputs = {"init": ["zf"], "backbone": ["xf"], "neck_head": ["cls", "reg"]}[name]
        return dict(zip(outputs, net.forward(outputs), strict=True))

    z, x = inputs()
    assert_close(run_chain(folder, run_opencv, z, x), torch_answers(seeded, MOBILE, z, x))


@pytest.mark.parametrize("opset", [11, 13, 17])
@pytest.mark.parametrize("split", SPLITS)
def test_opsets_and_splits(tiny, tmp_path, opset, split):
    done = export(tiny, TINY, tmp_path / "out", "--opset", opset, "--split", split, "--json")
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert manifest["formats"] == {
        "onnx": {"split": split, "opset": opset, "simplified": True, "dynamic_search": False}
    }
    assert sorted(graph["name"] for graph in manifest["graphs"]) == SPLITS[split]
    for name in SPLITS[split]:
        model = onnx.load(tmp_path / f"out/lighttrack_{name}.onnx")
        assert [(item.domain, item.version) for item in model.opset_import] == [("", opset)]
    z, x = inputs()
    assert_close(run_chain(tmp_path / "out", run, z, x), torch_answers(tiny, TINY, z, x))


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_other_networks(stage, tmp_path):
    path_name = TINY.replace("ops_10", f"ops_{stage}1")
    checkpoint = save_seeded(tmp_path / "some.pth", path_name, template_size=128, search_size=256)
    sizes = ("--template-size", 128, "--search-size", 256)
    done = export(checkpoint, path_name, tmp_path / "out", *sizes, "-q")
    assert done.code == 0, done.err
    z, x = inputs(128, 256)
    assert_close(run_chain(tmp_path / "out", run, z, x), torch_answers(checkpoint, path_name, z, x))


def test_two_runs_give_the_same_bytes(folder, seeded, tmp_path):
    assert export(seeded, MOBILE, tmp_path / "out", "-q").code == 0
    for name in SPLITS["three"]:
        path = f"lighttrack_{name}.onnx"
        assert (tmp_path / "out" / path).read_bytes() == (folder / path).read_bytes()


def test_a_lone_file_explains_itself(folder):
    manifest = json.loads((folder / "manifest.json").read_text())
    model = onnx.load(folder / "lighttrack_neck_head.onnx")
    about = {item.key: item.value for item in model.metadata_props}
    assert (model.producer_name, about["graph"]) == ("lighttrack-export", "neck_head")
    assert (about["arch"], about["path_name"]) == ("LightTrackM_Subnet", MOBILE)
    assert about["checkpoint_sha256"] == manifest["checkpoint"]["sha256"]
    assert json.loads(about["preprocess"]) == manifest["preprocess"]
    assert list(json.loads(about["tensors"])) == ["zf", "xf", "cls", "reg"]


def test_simplified_graphs_are_no_larger_than_onnxsims_own(folder, seeded, tmp_path):
    done = export(seeded, MOBILE, tmp_path / "plain", "--no-simplify", "-q")
    assert done.code == 0, done.err
    for name in SPLITS["three"]:
        plain = onnx.load(tmp_path / f"plain/lighttrack_{name}.onnx")
        ours = onnx.load(folder / f"lighttrack_{name}.onnx")
        theirs, _ = onnxsim.simplify(plain)
        assert len(ours.graph.node) <= len(theirs.graph.node) < len(plain.graph.node)
        kinds = {node.op_type for node in ours.graph.node}
        assert not kinds & {"Constant", "Shape", "Gather", "Unsqueeze", "Concat", "Identity"}
    norms = [node for node in onnx.load(folder / "lighttrack_init.onnx").graph.node if "Norm" in node.op_type]
    assert not norms


def test_both_formats_in_one_run(tiny, tiny_export, tmp_path):
    done = export(tiny, TINY, tmp_path / "out", "--format", "ncnn", "--json")
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert [(graph["format"], graph["name"]) for graph in manifest["graphs"]] == [
        *(("onnx", name) for name in ("init", "backbone", "neck_head")),
        *(("ncnn", name) for name in ("init", "update")),
    ]
    assert {check["format"] for check in manifest["verification"]["checks"]} == {"ncnn", "onnx"}
    for name in ("init", "update"):
        for ending in ("param", "bin"):
            path = f"lighttrack_{name}.{ending}"
            assert (tmp_path / "out" / path).read_bytes() == (tiny_export / path).read_bytes()


def test_both_formats_in_two_graphs_trace_each_once(tiny, tmp_path):
    done = export(tiny, TINY, tmp_path / "out", "--format", "ncnn", "--split", "two", "--keep-torchscript")
    assert done.code == 0, done.err
    traced = next(line for line in done.err.splitlines() if line.startswith("trace"))
    assert traced.endswith("update, init")
    assert len(contents(tmp_path / "out")) == 2 + 4 + 2 + 1


def test_ncnn_in_three_graphs(tiny, tmp_path):
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "--split", "three", "--json")
    assert done.code == 0, done.err
    checked = {(check["graph"], check["how"]) for check in json.loads(done.out)["verification"]["checks"]}
    assert checked == {(name, "alone") for name in SPLITS["three"]} | {("neck_head", "chained")}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--opset", "10"], "--opset 10: expected 11 to 17"),
        (["--opset", "18"], "--opset 18: expected 11 to 17"),
        (["--split", "four"], "--split four: expected one of two, three, one"),
        (["--format", "tflite"], "--format tflite: expected one of ncnn, onnx, rknn"),
    ],
)
def test_options_that_cannot_be_used(tiny, tmp_path, options, expected):
    done = export(tiny, TINY, tmp_path / "out", *options)
    assert done.code == 2
    assert done.error_line == f"lt-export: error: {expected}"


@pytest.mark.parametrize("option", [["--opset", "11"], ["--no-simplify"]])
def test_options_of_onnx_without_onnx_are_refused(tiny, tmp_path, option):
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", *option)
    assert done.code == 2
    assert f"{option[0]} is about ONNX models; add --format onnx" in done.error_line


@pytest.mark.parametrize("package", ["onnx", "onnxsim", "onnxruntime"])
def test_missing_packages_are_named_before_any_work(tiny, tmp_path, package):
    done = warm.run_behind(hide(tmp_path, package), EXPORT, *words_of(tiny, TINY, tmp_path / "out"))
    assert done.code == 5
    remedy = f"pip install -c {ROOT}/constraints.txt 'lighttrack-export[onnx]'"
    expected = f"--format onnx needs {package}, not installed here: {remedy}"
    assert done.err.splitlines() == [f"lt-export: error: {expected}"]


def test_onnxsim_is_not_needed_when_it_is_left_out(tiny, tmp_path):
    words = words_of(tiny, TINY, tmp_path / "out")
    done = warm.run_behind(hide(tmp_path, "onnxsim"), EXPORT, *words, "--no-simplify", "--json")
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert manifest["verification"]["status"] == "passed"
    assert {path.name for path in (tmp_path / "out").glob("*.onnx")} == {
        f"lighttrack_{name}.onnx" for name in ("init", "backbone", "neck_head")
    }


@pytest.fixture
def onnxsim_that(monkeypatch):
    """Have ``onnxsim`` change the model."""

    def make(body):
        indented = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        names: dict = {}
        exec(
            f"import numpy\nimport onnx\n\ndef simplify(model, check_n=0):\n{indented}\n    return model, True\n", names
        )
        monkeypatch.setattr("onnxsim.simplify", names["simplify"])

    return make


def test_nothing_is_left_in_the_temporary_folder_or_at_home(tiny, tmp_path, monkeypatch):
    """onnxruntime's telemetry would leave a file in each; in CI it is off by itself."""
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    places = {name: tmp_path / name for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME")}
    for path in places.values():
        path.mkdir()
    done = export(tiny, TINY, tmp_path / "out", "-q", **{name: str(path) for name, path in places.items()})
    assert done.code == 0, done.err
    assert {name: list(path.iterdir()) for name, path in places.items()} == {name: [] for name in places}


CHANGES = {
    "raises": (
        "raise RuntimeError('no such pass')",
        4,
        "onnxsim on backbone: RuntimeError: no such pass; --no-simplify",
    ),
    "renames an output": (
        "model.graph.node[-1].output[0] = model.graph.output[0].name = 'renamed'",
        4,
        "simplifying backbone: outputs became renamed 1x40x36x36 FLOAT, expected xf 1x40x36x36 FLOAT",
    ),
    "frees a dimension": (
        "model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = 'N'",
        4,
        "simplifying backbone: inputs became x Nx3x288x288 FLOAT, expected x 1x3x288x288 FLOAT",
    ),
    "uses a foreign operator": (
        "model.graph.node[0].domain = 'com.microsoft'\n"
        "model.opset_import.append(onnx.helper.make_opsetid('com.microsoft', 1))",
        4,
        "backbone: com.microsoft::Conv is not of the default ONNX domain",
    ),
    "breaks the graph": ("del model.graph.node[0]", 4, "simplifying backbone: not a valid ONNX model"),
    "damages a weight": (
        "first = model.graph.initializer[0]\n"
        "array = onnx.numpy_helper.to_array(first) + numpy.float32(0.1)\n"
        "first.CopyFrom(onnx.numpy_helper.from_array(array, first.name))",
        1,
        "verification failed",
    ),
    "drops an activation": (
        "relu = next(node for node in model.graph.node if node.op_type == 'Relu')\nrelu.op_type = 'Identity'",
        1,
        "verification failed",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_is_not_published(onnxsim_that, tiny, tmp_path, change):
    body, code, expected = CHANGES[change]
    onnxsim_that(body)
    done = export(tiny, TINY, tmp_path / "out")
    assert done.code == code, done.err
    assert expected in done.error_line
    assert not (tmp_path / "out").exists()
