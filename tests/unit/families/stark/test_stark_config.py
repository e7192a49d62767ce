"""STARK-Lightning's configs and options: what they ask for, and what they refuse."""

from types import SimpleNamespace

import pytest
from stark import ARCH, FAMILY

from converter.errors import UsageError
from converter.families.choice import official_root, path_name_of
from converter.spec.config import config_folder, network_for
from converter.spec.presets import Wanted, choose

CONFIGS = {None: None, "rep": "stark_lightning.yaml", "dsconv": "stark_lightning_dsconv.yaml"}


def chosen(config=None, arch=ARCH, path_name=None, head_blocks=None, **given):
    path = config_folder() / CONFIGS[config] if config else None
    path_name = path_name_of(arch, path, path_name, head_blocks)
    return choose(Wanted(arch=arch, config=path, path_name=path_name, **given))


@pytest.mark.parametrize(
    ("config", "given", "asked"),
    [
        (None, {}, "any"),
        ("rep", {}, "rep_v2"),
        ("dsconv", {}, "dsconv_v3"),
        (None, {"head_blocks": 4}, "dsconv_v3_4"),
        ("dsconv", {"head_blocks": 6}, "dsconv_v3_6"),
        (None, {"path_name": "rep_v2"}, "rep_v2"),
        ("rep", {"path_name": "dsconv_v3_3"}, "dsconv_v3_3"),
        (None, {"path_name": "dsconv_v3_3", "head_blocks": 3}, "dsconv_v3_3"),
    ],
)
def test_what_is_asked_for(config, given, asked):
    choice = chosen(config, **given)
    assert (choice.arch, choice.network.path_name) == (ARCH, asked)


@pytest.mark.parametrize(
    ("config", "given", "words"),
    [
        ("rep", {"head_blocks": 2}, "--head-blocks 2: the corner head asked for is rep_v2"),
        (None, {"path_name": "dsconv_v3_3", "head_blocks": 4}, "--head-blocks 4: .* is dsconv_v3_3"),
        (None, {"head_blocks": 1}, "--head-blocks 1: expected 2 to 6"),
        (None, {"arch": "LightTrackM_Subnet", "head_blocks": 2}, "LightTrackM_Subnet.* has no choice of blocks"),
        (None, {"arch": "LightTrackM_Subnet", "masks": True}, "no graph of LightTrackM_Subnet takes a mask"),
        (None, {"preset": "lighttrack-ncnn"}, "'zf' of graph init, which in this network has z -> zv, zk"),
    ],
)
def test_contradictions_are_refused(config, given, words):
    with pytest.raises(UsageError, match=words):
        chosen(config, **given)


def test_the_second_config_differs_in_the_head_only():
    first, second = chosen("rep").network, chosen("dsconv").network
    assert first.model_dump(exclude={"path_name"}) == second.model_dump(exclude={"path_name"})
    assert first.decision == "score"


def test_masks_are_inputs_of_the_graphs_that_look_at_both_crops():
    dimensions = FAMILY.dimensions("any", 128, 320)
    for masks in (False, True):
        network = chosen(masks=masks).network
        for split in network.splits:
            for graph in network.graph_specs(split, dimensions):
                found = {tensor.name: tensor.shape for tensor in graph.inputs if tensor.mask_of}
                looks = masks and graph.name in ("update", "neck_head")
                assert found == ({"z_mask": (1, 64), "x_mask": (1, 400)} if looks else {})


def test_the_default_arch_is_still_lighttrack():
    assert network_for(None)[0] == "LightTrackM_Subnet"


def test_every_family_has_its_own_checkout(monkeypatch, tmp_path):
    monkeypatch.setenv("LIGHTTRACK_ROOT", "/lighttrack")
    monkeypatch.delenv("STARK_ROOT", raising=False)
    assert official_root(None, chosen().network) is None
    assert str(official_root(None, network_for(None)[1])) == "/lighttrack"
    monkeypatch.setenv("STARK_ROOT", "/stark")
    assert str(official_root(None, chosen().network)) == "/stark"
    assert official_root(tmp_path, chosen().network) == tmp_path
    assert official_root(None, SimpleNamespace(family="other")) is None
