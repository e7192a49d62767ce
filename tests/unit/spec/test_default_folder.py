"""Where an export goes that nobody gave a folder."""

import pytest

from converter.spec.default_folder import Asked, default_folder
from converter.spec.presets import Wanted, choose

SPLITS = {"ncnn": "two", "onnx": "three"}
STARK = {"arch": "STARK_Lightning"}
NANO = {"arch": "NanoTrackV1"}
OTHER = "back_00000000000000000000+cls_002222222+reg_012222222_ops_10"


def name(asked=None, **wanted):
    whole = Wanted(default_splits=SPLITS, **{"arch": "LightTrackM_Subnet", **wanted})
    folder = default_folder(whole, choose(whole), Asked(**asked or {}))
    assert folder.parts[0] == "exports"
    assert len(folder.parts) == 2
    return folder.name


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, "LightTrackM_Subnet"),
        (STARK, "STARK_Lightning"),
        ({"path_name": "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"}, "LightTrackM_Subnet"),
        (
            {"formats": ("ncnn",), "split": "two", "precision": "fp32", "scores": "logits", "opset": 11},
            "LightTrackM_Subnet",
        ),
        ({"formats": ("onnx",)}, "LightTrackM_Subnet-onnx"),
        ({"formats": ("onnx",), "split": "three"}, "LightTrackM_Subnet-onnx"),
        ({"formats": ("onnx", "ncnn"), "split": "two"}, "LightTrackM_Subnet-ncnn-onnx-two"),
        ({"split": "one", "precision": "half"}, "LightTrackM_Subnet-one-half"),
        ({"scores": "sigmoid", "oldest_ncnn": "20210720"}, "LightTrackM_Subnet-sigmoid-from20210720"),
        ({"preset": "rknn"}, "LightTrackM_Subnet-rknn"),
        ({**NANO, "scores": "softmax"}, "NanoTrackV1-softmax"),
        ({**NANO, "preset": "opencv-tracker-nano", "scores": "softmax"}, "NanoTrackV1-opencv-tracker-nano-softmax"),
        ({**NANO, "split": "shared"}, "NanoTrackV1-shared"),
        ({"preset": "rknn", "formats": ("onnx",), "split": "three", "opset": 11}, "LightTrackM_Subnet-rknn"),
        ({"preset": "rknn", "formats": ("ncnn",), "split": "two"}, "LightTrackM_Subnet-rknn-ncnn-two"),
        ({"preset": "tensorrt", "scores": "logits", "opset": 13}, "LightTrackM_Subnet-tensorrt-opset13-logits"),
        ({"template_size": 127}, "LightTrackM_Subnet-127-288"),
        ({**STARK, "path_name": "dsconv_v3_4", "masks": True}, "STARK_Lightning-dsconv_v3_4-masks"),
        ({"renames": ("cls=score",)}, "LightTrackM_Subnet-cls_score"),
    ],
)
def test_what_makes_other_models_is_in_the_name(wanted, expected):
    assert name(**wanted) == expected


def test_long_names_are_checksums():
    assert name(path_name=OTHER) == name(path_name=OTHER) != name()
    assert name(path_name=OTHER).startswith("LightTrackM_Subnet-path_")
    assert len(name(path_name=OTHER)) == len("LightTrackM_Subnet-path_01234567")
    long = ("update:cls=a_name_that_is_very_long",)
    assert name(renames=long).startswith("LightTrackM_Subnet-names_")
    assert name(renames=("update:cls=../../x",)) == "LightTrackM_Subnet-update_cls_.._.._x"


@pytest.mark.parametrize(
    ("asked", "mark"),
    [
        ({"simplify": False}, "unsimplified"),
        ({"protect_fp16": True}, "protected"),
        ({"share_weights": True}, "one-weights-file"),
    ],
)
def test_choices_of_an_export_are_in_the_name(asked, mark):
    assert name(asked) == f"LightTrackM_Subnet-{mark}"
    assert name({"dynamic_search": True}) == "LightTrackM_Subnet-127-288-dynamic"


def test_sizes_and_names_of_a_config_are_in_the_name(tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text(f"template_size: 128\nsearch_size: 256\npath_name: {OTHER}\n")
    assert name(config=config).startswith("LightTrackM_Subnet-128-256-path_")
    config.write_text("noise_feeds: 1\n")
    assert name(config=config) == "LightTrackM_Subnet"
    config.write_text("archs: [STARK_Lightning]\n")
    assert name(**STARK, config=config) == "STARK_Lightning"
