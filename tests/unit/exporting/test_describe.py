"""The manifest that an export makes of itself."""

import hashlib
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from converter.exporting.describe import manifest_of
from converter.exporting.made import Made
from converter.exporting.plan import plan_export
from converter.folder.listing import listed_files
from converter.folder.manifest import VerificationEntry
from converter.proof.comparison import Comparison
from converter.spec.config import network_for
from converter.spec.naming import Naming
from converter.spec.options import ExportOptions
from converter.util.content import Contents
from converter.util.version import version


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def options():
    return ExportOptions(
        arch="LightTrackM_Subnet",
        checkpoint=Path("/secret/place/a.pth"),
        output=Path("/secret/place/out"),
        network=network_for(None)[1],
    )


INIT_FILES = ("lighttrack_init.param", "lighttrack_init.bin")
PARAM = """7767517
2 2
Input  in0  0 1 z
MatMul mul  1 1 z zf
"""


@pytest.fixture
def build(options, tmp_path):
    def build(about=(), unused=(), subnet_of=None, **network_changes):
        changes = {"network": options.network.model_copy(update=network_changes), **dict(about)}
        chosen = options.model_copy(update=changes)
        files = [tmp_path / name for name in (*INIT_FILES, "lighttrack_init.pt")]
        for path in files:
            path.write_text(PARAM if path.suffix == ".param" else path.name)
        checkpoint = SimpleNamespace(file="a.pth", sha256="55", epoch=7, subnet_of=subnet_of)
        network = SimpleNamespace(
            checkpoint=checkpoint,
            path_name=chosen.network.path_name,
            source="own definition",
            parameters=1969397,
            unused=unused,
        )
        trackers = plan_export(chosen).trackers
        init = replace(trackers[0].models[0], files=INIT_FILES)
        comparisons = [Comparison(replace(tracker, models=(init,)), (), (), {}, 0.0) for tracker in trackers]
        proof = VerificationEntry(status="passed")
        made = Made(comparisons, network, tmp_path, Contents(), {init.graph: 123}, proof, None, None, None, None)
        return manifest_of(chosen, made, files[2:], ["numpy"], None).model_dump(mode="json")

    return build


def test_built_manifest_lists_its_own_files(build, tmp_path):
    listed = listed_files(build())
    assert set(listed) == {"lighttrack_init.param", "lighttrack_init.bin", "lighttrack_init.pt"}
    assert all(checksum == sha256(tmp_path / name) for name, checksum in listed.items())


def test_built_manifest_says_what_was_exported_and_from_what(build):
    manifest = build()
    assert manifest["generator"] == {"name": "lighttrack-export", "version": version()}
    assert manifest["checkpoint"] == {"file": "a.pth", "sha256": "55", "epoch": 7}
    assert manifest["path_name"] == "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
    assert manifest["verification"] == {"status": "passed"}
    (graph,) = manifest["graphs"]
    assert (graph["name"], graph["format"]) == ("init", "ncnn")
    assert [entry["bytes"] for entry in graph["files"]] == [len(PARAM), len("lighttrack_init.bin")]
    assert [(tensor["name"], tensor["shape"]) for tensor in graph["inputs"]] == [("z", [1, 3, 127, 127])]
    assert [(tensor["name"], tensor["shape"]) for tensor in graph["outputs"]] == [("zf", [1, 96, 8, 8])]


def test_built_manifest_names_what_the_checkpoint_has_besides(build):
    about = build(unused=("neck",))["checkpoint"]
    assert about == {"file": "a.pth", "sha256": "55", "epoch": 7, "unused": ["neck"]}


def test_built_manifest_names_the_supernet_of_a_subnet(build):
    about = build(subnet_of="LightTrackM_Supernet")["checkpoint"]
    assert about == {"file": "a.pth", "sha256": "55", "epoch": 7, "subnet_of": "LightTrackM_Supernet"}


def test_built_manifest_holds_what_a_tracker_needs(build):
    tracker = build()["tracker"]
    expected = {"stride": 16, "template_size": 127, "search_size": 288, "score_size": 18, "penalty_k": 0.007}
    assert {key: tracker[key] for key in expected} == expected


def test_built_manifest_says_how_the_models_were_made(build):
    manifest = build()
    assert manifest["formats"] == {"ncnn": {"split": "two", "dynamic_search": False, "oldest_ncnn": "20220216"}}
    assert (manifest["preset"], manifest["precision"]) == (None, "fp32")
    (graph,) = manifest["graphs"]
    assert (graph["mode"], graph["sizes"]) == ("template", [{"template_size": 127, "search_size": 288}])
    assert manifest["tracker"]["sizes"] == [{"template_size": 127, "search_size": 288, "score_size": 18}]
    assert manifest["tracker"]["cls"] == "logit"
    made = build({"preset": "pnnx", "precision": "half", "formats": ("onnx",), "opset": 13, "simplify": False})
    assert (made["preset"], made["precision"]) == ("pnnx", "half")
    assert made["formats"] == {
        "onnx": {"split": "three", "opset": 13, "simplified": False, "dynamic_search": False},
    }
    both = build({"formats": ("ncnn", "onnx"), "split": "two"})
    assert {name: about["split"] for name, about in both["formats"].items()} == {"ncnn": "two", "onnx": "two"}
    assert both["formats"]["onnx"]["simplified"]


def test_built_manifest_lists_every_size(build):
    manifest = build({"search_sizes": (288, 256)})
    expected = [
        {"template_size": 127, "search_size": 288, "score_size": 18},
        {"template_size": 127, "search_size": 256, "score_size": 16},
    ]
    assert manifest["tracker"]["sizes"] == expected
    assert manifest["tracker"]["score_size"] == 18
    without_score = [{key: size for key, size in one.items() if key != "score_size"} for one in expected]
    assert manifest["graphs"][0]["sizes"] == without_score
    dynamic = build({"dynamic_search": True})
    assert dynamic["formats"]["ncnn"]["dynamic_search"]
    assert [size["search_size"] for size in dynamic["tracker"]["sizes"]] == [
        *(288, 192, 208, 224, 240, 256, 272, 304, 320)
    ]
    one = build({"split": "one"})
    assert [(size["template_size"], size["score_size"]) for size in one["tracker"]["sizes"]] == [(127, 18), (128, 18)]


def test_built_manifest_says_that_cls_is_a_probability(build, options):
    network = options.network.with_scores("sigmoid")
    manifest = build(activations=network.activations)
    assert manifest["tracker"]["cls"] == "probability"
    assert manifest["tracker"]["reg"] == build()["tracker"]["reg"]


def test_built_manifest_has_the_names_in_the_files(build):
    naming = Naming(blobs={"init": {"z": "input1", "zf": "output.1"}})
    (graph,) = build({"naming": naming})["graphs"]
    (given,), (back,) = graph["inputs"], graph["outputs"]
    assert (given["name"], given["meaning"], given["activation"]) == ("input1", "z", None)
    assert (back["name"], back["meaning"], back["dtype"]) == ("output.1", "zf", "float32")


def test_built_manifest_names_no_folder_of_the_maker(build, tmp_path):
    assert "secret" not in str(build())
    assert str(tmp_path) not in str(build())


def test_the_same_export_gives_the_same_manifest(build):
    assert build() == build()


def test_preprocessing_is_given_on_bytes_and_on_unit_pixels(build):
    preprocess = build()["preprocess"]
    assert (preprocess["colour_order"], preprocess["pixel_range"]) == ("RGB", [0, 255])
    assert preprocess["mean"] == [123.675, 116.28, 103.53]
    assert preprocess["std"] == [58.395, 57.12, 57.375]
    assert preprocess["norm"] == pytest.approx([0.01712475, 0.0175070, 0.01742919], abs=5e-9)
    assert preprocess["on_0_1"] == {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@pytest.mark.parametrize(
    ("pixel_range", "mean", "std"),
    [
        ([0.0, 255.0], [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
        ([-1.0, 1.0], [-0.03, -0.088, -0.188], [0.458, 0.448, 0.45]),
    ],
)
def test_another_pixel_range_gives_the_same_numbers_on_bytes(build, options, pixel_range, mean, std):
    changes = {"pixel_range": pixel_range, "mean": mean, "std": std}
    converted = build(preprocess=options.network.preprocess.model_copy(update=changes))["preprocess"]
    assert converted == build()["preprocess"]
