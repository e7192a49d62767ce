"""lt-verify proves something about every graph of a tracker, or says that it does not."""

import json
import shutil

import pytest
from exports import export_to

from commands import lt_verify
from conftest import TINY

MISSING = "{} is missing, and without it this is no tracker; add it, or pass --partial to verify the parts alone"


@pytest.fixture(scope="module")
def both_with_golden(tiny, tmp_path_factory):
    """An export in both formats with golden vectors in it; copy it before changing it."""
    folder = tmp_path_factory.mktemp("whole") / "export"
    return export_to(tiny, folder, "--format", "ncnn", "--format", "onnx", "--golden", folder / "golden")


@pytest.fixture
def export(both_with_golden, tmp_path):
    return shutil.copytree(both_with_golden, tmp_path / "export")


def edit(path, change):
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def without_graphs(export, *, format=None, name=None):
    """Take graphs out of the manifest, and their files out of the folder."""

    def change(manifest):
        gone = [
            graph for graph in manifest["graphs"] if format in (None, graph["format"]) and name in (None, graph["name"])
        ]
        manifest["graphs"] = [graph for graph in manifest["graphs"] if graph not in gone]
        for file in (file for graph in gone for file in graph["files"]):
            (export / file["name"]).unlink()

    edit(export / "manifest.json", change)


# --- golden vectors that compare nothing


def no_case(index):
    index["cases"] = []


def nothing_at_all(index):
    index |= {"cases": [], "tensors": [], "files": []}


@pytest.mark.parametrize("change", [no_case, nothing_at_all])
def test_golden_vectors_without_a_case_prove_nothing(export, change):
    edit(export / "golden" / "index.json", change)
    done = lt_verify(export)
    assert done.code == 1
    assert "the index lists no case, so nothing would be compared" in done.error_line
    assert "verified" not in done.out.lower()


@pytest.mark.parametrize("options", [[], ["--format", "ncnn"], ["--dumps", "DUMPS"]])
def test_golden_vectors_elsewhere_without_a_case_prove_nothing(export, tmp_path, options):
    edit(export / "golden" / "index.json", no_case)
    (export / "golden").rename(tmp_path / "golden")
    words = [tmp_path if word == "DUMPS" else word for word in options]
    done = lt_verify(export, "--golden", tmp_path / "golden", *words)
    assert done.code == 1
    assert "the index lists no case" in done.error_line


@pytest.mark.parametrize(("meaning", "role"), [("zf", "output"), ("z", "input"), ("reg", "output")])
def test_a_golden_case_that_lacks_a_tensor_is_named(export, meaning, role):
    def change(index):
        index["tensors"] = [
            entry
            for entry in index["tensors"]
            if (entry["case"], entry["meaning"], entry["role"]) != ("noise_smooth", meaning, role)
        ]

    edit(export / "golden" / "index.json", change)
    done = lt_verify(export)
    assert done.code == 1
    assert f"case 'noise, smooth' has no {meaning}, which " in done.error_line


def test_a_model_of_a_size_without_golden_vectors_is_not_verified(tiny, tmp_path):
    sizes = ("--search-size", 256, "--search-size", 288)
    export = export_to(tiny, tmp_path / "export", *sizes, "--golden", tmp_path / "export/golden")
    assert lt_verify(export, "-q").code == 0

    def one_size(index):
        gone = {case["name"] for case in index["cases"] if "288" in case["title"]}
        assert gone
        index["cases"] = [case for case in index["cases"] if case["name"] not in gone]
        index["tensors"] = [entry for entry in index["tensors"] if entry["case"] not in gone]

    edit(export / "golden" / "index.json", one_size)
    done = lt_verify(export, "--json")
    assert done.code == 1
    assert "ncnn update_288 was compared with nothing, so nothing is proved about it" in done.error_line
    assert "init" not in done.error_line
    assert json.loads(done.out)["verdict"] == "failed"
    assert lt_verify(export, "--search-size", 256, "-q").code == 0


# --- a filter that names what the export does not have


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format", "onnx"), "--format onnx: the export has ncnn only"),
        (("--runtime", "onnxruntime"), "the export has ncnn only"),
        (("--search-size", 256), "--search-size 256: the export's manifest says 127/288"),
        (("--runtime", "tflite"), "--runtime tflite: expected one of ncnn, onnxruntime, ncnn-arm64"),
    ],
)
def test_a_filter_that_fits_nothing_is_wrong_usage(tiny_export, tiny, options, words):
    done = lt_verify(tiny_export, "--resume", tiny, *options)
    assert done.code == 2
    assert words in done.error_line


# --- a tracker that is not whole


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({"init": "lighttrack_init.param"}, "update of ncnn"),
        ({"update": "lighttrack_update.param"}, "init of ncnn"),
        ({"init": "lighttrack_init.onnx"}, "update of onnx"),
        ({"backbone": "lighttrack_backbone.onnx"}, "init and neck_head of onnx"),
        ({"init": "lighttrack_init.onnx", "backbone": "lighttrack_backbone.onnx"}, "neck_head of onnx"),
    ],
)
def test_loose_graphs_that_are_no_tracker_are_not_verified(tiny_both, tiny, tmp_path, options, missing):
    words = [word for name, file in options.items() for word in (f"--{name}", tiny_both / file)]
    words += ["--resume", tiny, "--path-name", TINY]
    done = lt_verify(*words)
    assert done.code == 1
    assert MISSING.format(missing) in done.error_line
    assert "NOT VERIFIED" in done.out
    done = lt_verify(*words, "--partial", "--report", tmp_path / "report.md")
    assert done.code == 0, done.err
    format = missing.rpartition(" ")[2]
    named = " and ".join(f"{format} {name}" for name in options)
    assert f"verified in part: {named} of LightTrackM_Subnet" in done.out
    report = (tmp_path / "report.md").read_text()
    assert "Verified in part" in report
    assert "of the tracker; " in report


@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ({"name": "update"}, "update of ncnn"),
        ({"name": "neck_head"}, "neck_head of onnx"),
        ({"name": "init", "format": "onnx"}, "init of onnx"),
        ({"format": "onnx"}, "init, backbone and neck_head of onnx"),
    ],
)
@pytest.mark.parametrize("golden", [True, False], ids=["golden vectors", "checkpoint"])
def test_an_export_whose_manifest_lacks_a_graph_is_not_verified(export, tiny, gone, missing, golden):
    without_graphs(export, **gone)
    reference = () if golden else ("--resume", tiny)
    done = lt_verify(export, *reference, "--json")
    assert done.code == 1
    assert MISSING.format(missing) in done.error_line
    result = json.loads(done.out)
    assert result["verdict"] == "failed"
    assert result["verification"]["status"] == "passed"
    done = lt_verify(export, *reference, "--partial")
    assert done.code == 0, done.err
    assert "verified in part: " in done.out
    assert " is missing" in done.out


def test_what_is_whole_in_one_format_is_verified_there(export):
    without_graphs(export, name="update")
    done = lt_verify(export, "--format", "onnx")
    assert done.code == 0, done.err
    assert "verified LightTrackM_Subnet" in done.out


def test_a_manifest_that_lists_a_size_of_no_graph_is_damaged(export):
    edit(
        export / "manifest.json",
        lambda manifest: manifest["tracker"]["sizes"].append({"template_size": 127, "search_size": 256}),
    )
    done = lt_verify(export)
    assert done.code == 1
    assert "no graph has the sizes 127/256 that it lists" in done.error_line


def test_a_part_that_is_wrong_fails_with_partial_too(tiny_both, tiny, tmp_path):
    folder = shutil.copytree(tiny_both, tmp_path / "models")
    path = folder / "lighttrack_update.param"
    path.write_text(path.read_text().replace("0=2 1=1 2=16.0", "0=2 1=1 2=8.0"))
    done = lt_verify("--update", path, "--resume", tiny, "--path-name", TINY, "--partial")
    assert done.code == 1
    assert "reg is off by" in done.error_line


def test_parts_do_not_track(tiny_both, tiny, tmp_path):
    import cv2
    import numpy as np

    for index in range(2):
        cv2.imwrite(
            str(tmp_path / f"{index}.png"), np.random.default_rng(index).integers(0, 255, (90, 120, 3), np.uint8)
        )
    done = lt_verify(
        *("--init", tiny_both / "lighttrack_init.param", "--resume", tiny, "--path-name", TINY, "--partial"),
        *("--clip", tmp_path, "--box", "30,20,16,12"),
    )
    assert done.code == 2
    assert "--clip: update is missing, and parts do not track; leave it out" in done.error_line
