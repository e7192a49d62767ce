"""NanoTrack's models as their consumers load them, with no code of ours, and the options that make them."""

import json

import cv2
import nanotracks
import numpy as np
import onnx
import pytest
import torch
from consumer import assert_close, extract, load, run

from commands import lt_export, lt_verify

OPENCV, DEMO = "opencv-tracker-nano", "nanotrack-ncnn"


def export(weights, folder, *options):
    done = lt_export(weights, "-o", folder, "--json", *options)
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.fixture(scope="module")
def made(nanotrack_weights, tmp_path_factory):
    """Exports for both consumers: (preset, version) to folder."""
    folders = {}
    for name, version in ((OPENCV, "v1"), (OPENCV, "v2"), (DEMO, "v2")):
        folders[name, version] = tmp_path_factory.mktemp("presets") / "out"
        export(nanotrack_weights[version], folders[name, version], "--preset", name)
    return folders


@pytest.fixture(scope="module")
def softmaxed(nanotrack_weights, tmp_path_factory):
    """V3 in both formats with probabilities inside, of half precision."""
    folder = tmp_path_factory.mktemp("softmax") / "out"
    return folder, export(nanotrack_weights["v3"], folder, "--softmax", "--format", "ncnn", "--format", "onnx")


def answers(version, search_size=255):
    """z, x, zf, xf, cls and loc of seeded weights, as arrays."""
    found = nanotracks.answers(nanotracks.network(version), search_size=search_size)
    return {name: tensor.numpy() for name, tensor in found.items()}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_opencvs_tracker_gets_two_files_by_the_names_that_it_knows(made, version):
    folder, expected = made[OPENCV, version], answers(version)
    assert sorted(path.name for path in folder.iterdir()) == [
        *("manifest.json", "nanotrack_backbone.onnx", "nanotrack_head.onnx"),
    ]
    zf = run(folder / "nanotrack_backbone.onnx", {"input": expected["z"]})["output"]
    xf = run(folder / "nanotrack_backbone.onnx", {"input": expected["x"]})["output"]
    found = run(folder / "nanotrack_head.onnx", {"input1": zf, "input2": xf})
    names = ("zf", "xf", "cls", "loc")
    assert_close([zf, xf, found["output1"], found["output2"]], [expected[name] for name in names])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_opencv_reads_both_files_and_answers_as_the_network(made, version):
    folder, expected = made[OPENCV, version], answers(version)
    backbone, head = (cv2.dnn.readNet(str(folder / f"nanotrack_{name}.onnx")) for name in ("backbone", "head"))
    features = []
    for name in "zx":  # one net for both, as the tracker has it
        backbone.setInput(expected[name])
        features.append(backbone.forward().copy())
    for name, value in zip(("input1", "input2"), features, strict=True):
        head.setInput(value, name)
    assert_close(
        [*features, *head.forward(["output1", "output2"])], [expected[name] for name in ("zf", "xf", "cls", "loc")]
    )


def test_opencvs_tracker_follows_with_the_weights_it_was_given(made):
    frames = np.random.default_rng(3).integers(0, 256, (3, 240, 320, 3), np.uint8)
    tracks = {}
    for version in ("v1", "v2"):
        parameters = cv2.TrackerNano_Params()
        parameters.backbone = str(made[OPENCV, version] / "nanotrack_backbone.onnx")
        parameters.neckhead = str(made[OPENCV, version] / "nanotrack_head.onnx")
        tracker = cv2.TrackerNano_create(parameters)
        tracker.init(frames[0], (140, 100, 50, 40))
        tracks[version] = [(*tracker.update(frame)[1], tracker.getTrackingScore()) for frame in frames[1:]]
        for *box, score in tracks[version]:
            assert min(box[2:]) >= 10
            assert 0 < score <= 1
    assert tracks["v1"] != tracks["v2"]


def test_the_demos_load_one_backbone_for_both_crops(made):
    folder, expected = made[DEMO, "v2"], answers("v2")
    backbone, head = (load(folder, f"nanotrack_{name}_sim-opt") for name in ("backbone", "head"))
    zf = extract(backbone, {"input": expected["z"]}, ["output"])[0]
    xf = extract(backbone, {"input": expected["x"]}, ["output"])[0]
    found = extract(head, {"input1": zf, "input2": xf}, ["output1", "output2"])
    assert_close([zf, xf, *found], [expected[name] for name in ("zf", "xf", "cls", "loc")])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["formats"]["ncnn"]["oldest_ncnn"] == "20210720"
    counted = manifest["multiply_adds"]
    assert 3.9 < counted["backbone"] / counted["init"] < 4.1  # 64x64 cells behind the first two convolutions, and 32x32
    assert counted["neck_head"] > 0
    kinds = {line.split()[0] for path in folder.glob("*.param") for line in path.read_text().splitlines()[2:]}
    assert "MatMul" not in kinds


@pytest.mark.parametrize("which", [(OPENCV, "v1"), (DEMO, "v2")])
def test_an_export_for_a_consumer_is_verified_again(made, nanotrack_weights, which):
    """With every layer; the first mean's windows are the one step that the network itself does not take."""
    done = lt_verify(made[which], "--resume", nanotrack_weights[which[1]], "--layers", "--json")
    assert done.code == 0, done.err
    result, onnx_files = json.loads(done.out), which[0] == OPENCV
    assert [model["name"] for model in result["models"]] == ["init", "backbone", "neck_head"]
    unmatched = {walk["graph"]: [row for row in walk["rows"] if not row["matched"]] for walk in result["layers"]}
    assert {graph: len(rows) for graph, rows in unmatched.items()} == {"init": 1, "backbone": 1, "neck_head": 0}
    assert {row["type"] for rows in unmatched.values() for row in rows} == {"AveragePool" if onnx_files else "Pooling"}


def test_files_of_a_shared_backbone_are_verified_without_a_manifest(made, nanotrack_weights):
    folder = made[OPENCV, "v1"]
    backbone, head = folder / "nanotrack_backbone.onnx", folder / "nanotrack_head.onnx"
    files = ("--init", backbone, "--backbone", backbone, "--neck-head", head)
    done = lt_verify(*files, "--resume", nanotrack_weights["v1"], "--json")
    assert done.code == 0, done.err
    done = lt_verify(*files, "--resume", nanotrack_weights["v2"], "--json")
    assert done.code == 1


def test_rknn_gets_three_graphs_of_v3(nanotrack_weights, tmp_path):
    export(nanotrack_weights["v3"], tmp_path / "out", "--preset", "rknn")
    expected = answers("v3")
    feeds = {"init": ("z",), "backbone": ("x",), "neck_head": ("zf", "xf")}
    for name, inputs in feeds.items():
        file = tmp_path / f"out/nanotrack_{name}.onnx"
        found = run(file, {tensor: expected[tensor] for tensor in inputs})
        assert_close(list(found.values()), [expected[tensor] for tensor in found])
        assert [(one.domain, one.version) for one in onnx.load(file).opset_import] == [("", 11)]


def test_one_backbone_serves_search_sizes_that_were_not_exported_too(nanotrack_weights, tmp_path):
    export(nanotrack_weights["v1"], tmp_path / "out", "--split", "shared", "--format", "onnx", "--format", "ncnn")
    expected = answers("v1", search_size=303)
    found = run(tmp_path / "out/nanotrack_backbone.onnx", {"x": expected["x"]})["xf"]
    (again,) = extract(load(tmp_path / "out", "nanotrack_backbone"), {"x": expected["x"]}, ["xf"])
    assert_close([found, again], [expected["xf"]] * 2)


def test_softmax_is_over_the_two_channels(softmaxed):
    folder, manifest = softmaxed
    expected = answers("v3")
    probabilities = torch.softmax(torch.from_numpy(expected["cls"]), 1).numpy()
    assert np.abs(probabilities.sum(1) - 1).max() < 1e-6
    zf, x = expected["zf"], expected["x"]
    found = extract(load(folder, "nanotrack_update"), {"zf": zf, "x": x}, ["cls", "loc"])
    assert_close(found, [probabilities, expected["loc"]])
    found = run(folder / "nanotrack_neck_head.onnx", {"zf": zf, "xf": expected["xf"]})
    assert_close([found["cls"], found["loc"]], [probabilities, expected["loc"]])
    assert manifest["tracker"]["cls"] == "probability"
    cls = [tensor for graph in manifest["graphs"] for tensor in graph["outputs"] if tensor["name"] == "cls"]
    about = "background and foreground probability of every cell"
    assert {(tensor["activation"], tensor["about"]) for tensor in cls} == {("softmax", about)}


def test_softmax_is_verified_with_and_without_a_manifest(softmaxed, nanotrack_weights):
    folder, _ = softmaxed
    done = lt_verify(folder, "--resume", nanotrack_weights["v3"], "--layers", "--json")
    assert done.code == 0, done.err
    files = ("--init", folder / "nanotrack_init.param", "--update", folder / "nanotrack_update.param")
    whole = (*files, "--resume", nanotrack_weights["v3"], "--json")
    assert lt_verify(*whole, "--softmax").code == 0
    done = lt_verify(*whole)
    assert done.code == 1
    assert "cls" in json.loads(done.out)["problems"][0]


def test_softmax_goes_with_half_weights(nanotrack_weights, tmp_path):
    manifest = export(nanotrack_weights["v1"], tmp_path / "out", "--softmax", "--half", "--split", "shared")
    assert (manifest["precision"], manifest["tracker"]["cls"]) == ("half", "probability")


@pytest.mark.parametrize(
    ("version", "options", "problem"),
    [
        ("v1", ("--sigmoid",), "--sigmoid: NanoTrackV1's scores are a softmax over two channels; use --softmax"),
        ("v3", ("--sigmoid",), "--sigmoid: NanoTrackV3's scores are a softmax over two channels; use --softmax"),
        ("v1", ("--sigmoid", "--softmax"), "--sigmoid beside --softmax: scores go through one of them"),
        ("v3", ("--preset", OPENCV), f"--preset {OPENCV}: it counts 16x16 cells, and NanoTrackV3 answers with 15x15"),
        ("v3", ("--preset", DEMO), f"--preset {DEMO}: it counts 16x16 cells, and NanoTrackV3 answers with 15x15"),
        ("v1", ("--preset", "tensorrt"), "--preset tensorrt: its consumer wants 'reg' of graph update"),
        ("v1", ("--preset", "android-single"), "--preset android-single: its consumer wants the split 'one'"),
        ("v1", ("--split", "one"), "--split one: expected one of two, three, shared"),
        ("v1", ("--split", "shared", "--search-size", 255, "--search-size", 287), "its backbone is one file; pass"),
        (
            "v1",
            ("--preset", OPENCV, "--dynamic-search", "--search-size", 256),
            "--search-size 256 with --dynamic-search",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(nanotrack_weights, tmp_path, version, options, problem):
    done = lt_export(nanotrack_weights[version], "-o", tmp_path / "out", *options)
    assert done.code == 2
    assert problem in done.error_line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--softmax",), "--softmax: LightTrackM_Subnet's scores are a sigmoid of one channel; use --sigmoid"),
        (("--preset", OPENCV), f"--preset {OPENCV}: its consumer wants the split 'shared', and this network has"),
    ],
)
def test_lighttrack_does_not_take_what_is_nanotracks(tiny, tmp_path, options, problem):
    done = lt_export(tiny, "--arch", "LightTrackM_Subnet", "-o", tmp_path / "out", *options)
    assert done.code == 2
    assert problem in done.error_line


def test_an_exports_own_scores_are_not_asked_for(softmaxed, nanotrack_weights):
    for option in ("--softmax", "--no-softmax"):
        done = lt_verify(softmaxed[0], option, "--resume", nanotrack_weights["v3"])
        assert done.code == 2
        assert "--softmax is for models without a manifest; an export's own says" in done.error_line
