"""NanoTrack through the commands: weights that say which version they are of, and what is refused."""

import json
import re

import pytest
import torch
from nanotracks import ARCHS, FAMILY, PARAMETERS, VERSIONS, neck, network, save, state

from commands import lt_export, lt_verify
from converter.network.load import load_network
from converter.spec.config import network_for
from converter.spec.options import NetworkInMemory, NetworkOptions

FORMATS = ("--format", "ncnn", "--format", "onnx")
CLS_PRED = "ban_head.cls_pred.0.bias"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_weights_say_which_version_they_are_of(nanotrack_weights, tmp_path, version):
    weights, out = nanotrack_weights[version], tmp_path / "out"
    done = lt_export(weights, "-o", out, "--json", *FORMATS)
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert (manifest["arch"], manifest["path_name"]) == (ARCHS[version], version)
    assert manifest["checkpoint"]["epoch"] == 26
    assert manifest["checkpoint"]["unused"] == ["neck"]
    assert manifest["parameters"] == PARAMETERS[version]
    assert "unpatched template() and track()" in manifest["verification"]["reference"]
    cells = 15 if version == "v3" else 16
    assert manifest["tracker"]["score_size"] == cells
    for graph in manifest["graphs"]:
        shapes = {tensor["meaning"]: tensor["shape"] for tensor in (*graph["inputs"], *graph["outputs"])}
        assert shapes.get("cls", [1, 2, cells, cells]) == [1, 2, cells, cells]
        assert shapes.get("loc", [1, 4, cells, cells]) == [1, 4, cells, cells]
        assert shapes.get("zf", [1, 96 if version == "v3" else 48, 8, 8])[1] == (96 if version == "v3" else 48)
    done = lt_verify(out, "--resume", weights, "--seed", 5)
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("version", "words", "ending"),
    [
        ("v2", ("--arch", "NanoTrackV3"), "NanoTrackV3 with version v3: .*; the weights fit --arch NanoTrackV2$"),
        ("v1", ("--arch", "NanoTrackV2"), "; the weights fit --arch NanoTrackV1$"),
        ("v3", ("--arch", "LightTrackM_Subnet"), "; the weights fit --arch NanoTrackV3$"),
        ("v1", ("--arch", "STARK_Lightning"), "; the weights fit --arch NanoTrackV1$"),
    ],
)  # fmt: skip
def test_weights_of_another_network_say_of_which(nanotrack_weights, tmp_path, version, words, ending):
    refused(nanotrack_weights[version], tmp_path, words, ending)


def refused(weights, folder, words, ending, code=3):
    done = lt_export(weights, "-o", folder / "out", *words)
    assert done.code == code, done.err
    assert re.search(ending, done.error_line), done.error_line
    assert not (folder / "out").exists()


def test_weights_of_other_families_say_so(tiny, stark_weights, tmp_path):
    refused(tiny, tmp_path, ("--arch", "NanoTrackV3"), "; the weights fit --arch LightTrackM_Subnet --path-name back_")
    ending = "; the weights fit --arch STARK_Lightning --template-size 64 --search-size 128$"
    refused(stark_weights["rep_v2"], tmp_path, ("--arch", "NanoTrackV1"), ending)


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        ((), rf"does not fit NanoTrackV2 with version v2: 1 missing \({CLS_PRED}\)$"),
        (("--arch", "NanoTrackV3"), "does not fit NanoTrackV3 .*; the weights look like NanoTrackV2's$"),
        (("--arch", "LightTrackM_Subnet"), "does not fit LightTrackM_Subnet .*; the weights look like NanoTrackV2's$"),
    ],
)
def test_weights_that_lack_one_say_which_version_they_look_like(tmp_path, words, ending):
    refused(save(tmp_path / "v2.pth", "v2", without=(CLS_PRED,)), tmp_path, words, ending)


def test_a_doubled_head_is_refused(tmp_path):
    v1 = {key: value for key, value in state("v1").items() if key.startswith("ban_head.")}
    weights = save(tmp_path / "doubled.pth", "v2", more=v1)
    refused(
        weights, tmp_path, (), r"does not fit NanoTrackV2 .*: 55 unexpected \(ban_head.corr_pw.CA_layer.fc1.weight, "
    )
    refused(
        weights, tmp_path, ("--arch", "NanoTrackV1"), r"does not fit NanoTrackV1 .*: \d+ unexpected \(ban_head.corr_pw_"
    )


def test_what_a_lenient_load_left_is_refused(tmp_path):
    left = {CLS_PRED: torch.full((2,), float("nan"))}
    ending = rf"1 unusable \({CLS_PRED}: holds NaN or infinity\)$"
    refused(save(tmp_path / "v2.pth", "v2", more=left), tmp_path, (), ending)


def test_another_arch_s_path_name_is_refused(nanotrack_weights, tmp_path):
    words = ("--arch", "NanoTrackV1", "--path-name", "v2")
    refused(nanotrack_weights["v1"], tmp_path, words, "--path-name v2 is --arch NanoTrackV2, not NanoTrackV1; ", 2)
    refused(nanotrack_weights["v1"], tmp_path, ("--path-name", "v4"), "unknown version 'v4', expected v1, v2, v3", 2)


def test_a_template_of_other_cells_is_refused(nanotrack_weights, tmp_path):
    ending = "--template-size 64: the features have 4x4 cells .* use 113 to 128"
    refused(nanotrack_weights["v1"], tmp_path, ("--template-size", 64), ending, 2)


def test_checkouts_that_are_none(nanotrack_weights, tmp_path):
    """The repository holds several trackers: the folder NanoTrack is meant."""
    inner = tmp_path / "SiamTrackers/NanoTrack"
    (inner / "nanotrack/models").mkdir(parents=True)
    (inner / "nanotrack/models/model_builder.py").write_text("import yacs, no_such_library\n")
    expected = "expected one of HonglinChu/SiamTrackers, folder NanoTrack"
    weights = nanotrack_weights["v1"]
    ending = f"no folder 'nanotrack' in it, {expected}; pass {inner}$"
    refused(weights, tmp_path, ("--official", inner.parent), ending, 2)
    (tmp_path / "other/lib/models").mkdir(parents=True)
    (tmp_path / "other/lib/models/models.py").touch()
    ending = f"is one of researchmm/LightTrack, {expected}; pass that, or leave --official out"
    refused(weights, tmp_path, ("--official", tmp_path / "other"), ending, 2)
    refused(weights, tmp_path, ("--official", inner), "has no ModelBuilder in nanotrack.models.model_builder", 5)


def test_a_network_in_memory_may_have_its_neck():
    """The official one has; what it never calls is not counted."""
    built = network("v1")
    built.neck = torch.nn.Sequential(torch.nn.Conv2d(64, 64, 1, bias=False), torch.nn.BatchNorm2d(64))
    arch, spec = network_for("NanoTrackV1")
    options = NetworkOptions(arch=arch, network=spec, checkpoint=NetworkInMemory(built))
    loaded = load_network(options, 16)
    assert (loaded.parameters, loaded.unused) == (PARAMETERS["v1"], ("neck",))
    assert len(neck("v1")) == len(built.neck.state_dict()) == 6
    assert FAMILY.ignores("neck.0.weight")
