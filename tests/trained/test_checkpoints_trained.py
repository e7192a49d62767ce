"""The published checkpoints of NanoTrack: known by themselves, and read without running code, with scalars of numpy."""

import json
import re

import pytest
import torch
from nanotracks import ARCHS, VERSIONS, neck

from commands import lt_export, lt_verify


@pytest.mark.parametrize("version", VERSIONS)
def test_a_published_checkpoint_is_exported_with_nothing_else(shared, tmp_path, version):
    formats = ("--format", "ncnn", "--format", "onnx")
    done = lt_export(shared / f"checkpoints/nanotrack{version}.pth", "-o", tmp_path / "out", "--json", *formats)
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert (manifest["arch"], manifest["path_name"]) == (ARCHS[version], version)
    assert manifest["checkpoint"]["unused"] == ["neck"]
    assert manifest["verification"]["status"] == "passed"
    assert manifest["tracker"]["score_size"] == (15 if version == "v3" else 16)
    done = lt_verify(tmp_path / "out", "--resume", shared / f"checkpoints/nanotrack{version}.pth", "--seed", 3)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("file", "arch", "ending"),
    [
        ("nanotrackv2.pth", "NanoTrackV3", r"does not fit NanoTrackV3 .*; the weights fit --arch NanoTrackV2$"),
        ("nanotrackv1.pth", "LightTrackM_Subnet", r"; the weights fit --arch NanoTrackV1$"),
        ("nanotrackv3.pth", "STARK_Lightning", r"; the weights fit --arch NanoTrackV3$"),
        ("LightTrackM.pth", "NanoTrackV1", r"; the weights fit --arch LightTrackM_Subnet$"),
    ],
)
def test_weights_of_another_network_say_of_which(shared, tmp_path, file, arch, ending):
    done = lt_export(shared / f"checkpoints/{file}", "--arch", arch, "-o", tmp_path / "out")
    assert done.code == 3
    assert re.search(ending, done.error_line), done.error_line
    assert not (tmp_path / "out").exists()


def test_what_a_lenient_load_left_is_refused(shared, tmp_path):
    """The V3 head of a network that was loaded with ``strict=False``: NaN where nothing was read."""
    path = shared / "checkpoints/nanotrackv3.pth"
    state = torch.load(path, weights_only=False, map_location="cpu")["state_dict"]
    state["ban_head.down_cls.0.weight"] = torch.full_like(state["ban_head.down_cls.0.weight"], float("nan"))
    torch.save({"state_dict": state}, tmp_path / "left.pth")
    done = lt_export(tmp_path / "left.pth", "-o", tmp_path / "out")
    assert done.code == 3
    assert "1 unusable (ban_head.down_cls.0.weight: holds NaN or infinity)" in done.error_line
    assert state.keys() & neck("v3").keys() == neck("v3").keys()
