"""Our own STARK-Lightning and the official one: the same keys, shapes and numbers."""

import json
import sys

import numpy as np
import pytest
import torch
from stark import (
    FAMILY,
    HEADS,
    NAMES,
    NOTED,
    answers,
    assert_noted,
    crops,
    fill,
    graphs,
    network,
    off,
    sampled,
    share,
    shared_filling,
)

from conftest import MOBILE
from converter.families.stark.heads import corner_head
from converter.families.stark.variant import Variant, parse_variant, recognise
from official_patches.checkout import CheckoutError
from official_patches.lighttrack.checkout import build_official
from official_patches.patching import BuildRequest, patched
from official_patches.stark import PATCHES

POSITIONS = 2 * (8 + 20) * 64  # numbers of the position embeddings, which a trace has as constants


def noise(size, seed):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module", params=range(4))
def golden(request, shared):
    """A listed network with its weights, what the list says of it, and what the official code answers."""
    listed = json.loads((shared / "golden/stark.json").read_text())
    model = listed["models"][request.param]
    name = Variant(model["head"], model["blocks"]).name
    built = FAMILY.build(name, listed["template_size"], listed["search_size"])
    model["found"] = {key: list(value.shape) for key, value in built.state_dict().items()}
    built = built.to_empty(device="cpu").eval()
    shared_filling(shared)(built.state_dict(), model["weights_seed"])
    feed = {
        "z": noise(listed["template_size"], model["template_seed"]),
        "x": noise(listed["search_size"], model["search_seed"]),
    }
    return built, model, feed, np.load(shared / f"golden/stark_{request.param}.npz")


def padded(feed):
    """The mask that the list describes, at the resolution of the features."""
    cells = torch.zeros(20, 20)
    cells[: 48 // 16] = 1
    cells[:, 256 // 16 :] = 1
    return {**feed, "z_mask": torch.zeros(1, 64), "x_mask": cells.reshape(1, -1)}


def test_keys_and_counts_are_the_official_ones(golden):
    built, model, _, _ = golden
    assert model["found"] == model["state_dict"]
    assert list(model["found"]) == list(model["state_dict"])
    assert sum(parameter.numel() for parameter in built.parameters()) == model["params"]
    assert recognise(built.state_dict()) == Variant(model["head"], model["blocks"]).name


def test_answers_are_the_official_ones(golden):
    built, _, feed, expected = golden
    found = answers(built, feed)
    assert share(found["zv"][0], expected["feat_z"]) < 1e-5
    assert share((found["zk"] - found["zv"])[0], expected["pos_z"]) < 1e-5
    assert share(found["xv"][0], expected["feat_x"]) < 1e-5
    for name, suffix, given in (("without", "", feed), ("with", "_masked", padded(feed))):
        found = answers(built, given)
        assert share(found["box"], expected[f"box_cxcywh{suffix}"]) < 1e-5, name
        assert share(found["score"], expected[f"score{suffix}"]) < 1e-5, name


def test_forward_modes_with_fused_blocks_are_the_official_answers(golden):
    built, model, feed, expected = golden
    for masks, suffix, given in ((False, "", feed), (True, "_masked", padded(feed))):
        known = dict(given)
        for graph in graphs(masks=masks).values():
            with (
                patched(PATCHES.forward_mode(built, graph.mode), *PATCHES.for_trace(built, graph.mode)),
                torch.no_grad(),
            ):
                found = built(*(known[tensor.name] for tensor in graph.inputs))
                if graph.name == "update":
                    counted = sum(parameter.numel() for parameter in built.parameters())
                    assert counted == model["params_fused"] - POSITIONS
            known |= dict(zip((tensor.name for tensor in graph.outputs), found, strict=True))
        assert share(known["zv"][0], expected["feat_z"]) < 1e-5
        assert share(known["box"], expected[f"box_cxcywh{suffix}"]) < 1e-5
        assert share(known["score"], expected[f"score{suffix}"]) < 1e-5


def official_network(root, head, template_size=128, search_size=320):
    built = PATCHES.build(BuildRequest(root, "STARK_Lightning", head, template_size, search_size, 16))
    if PATCHES.own_parts(head):
        built.box_head = corner_head(parse_variant(head), search_size // 16)
    return built.eval()


@pytest.mark.parametrize(("head", "search_size"), [(head, 320) for head in HEADS] + [("rep_v2", 256)])
@pytest.mark.parametrize("masks", [False, True])
def test_our_network_equals_the_official_one(official_stark, head, search_size, masks):
    theirs = official_network(official_stark, head, search_size=search_size)
    ours = network(head, search_size=search_size)
    state = fill(theirs.state_dict(), seed=5)
    ours.load_state_dict(state)
    assert list(ours.state_dict()) == list(state)
    feed = crops(3, masks, search_size=search_size)
    found, expected = answers(ours, feed), answers(theirs, feed)
    for name in NAMES:
        assert off(name, found[name], expected[name]) < 1e-5, name


@pytest.mark.parametrize("masks", [False, True])
def test_forward_modes_fit_the_official_network(official_stark, masks):
    theirs = official_network(official_stark, "rep_v2")
    fill(theirs.state_dict(), seed=6)
    expected = answers(theirs, crops(4, masks))
    for split in ("two", "three"):
        for graph in graphs(split, masks).values():
            with (
                patched(PATCHES.forward_mode(theirs, graph.mode), *PATCHES.for_trace(theirs, graph.mode)),
                torch.no_grad(),
            ):
                found = theirs(*(expected[tensor.name] for tensor in graph.inputs))
            for tensor, value in zip(graph.outputs, found, strict=True):
                assert off(tensor.name, value, expected[tensor.name]) < 1e-5


def test_both_checkouts_live_in_one_process(official, official_stark, capfd):
    request = BuildRequest(official, "LightTrackM_Subnet", MOBILE, 128, 256, 16)
    first = build_official(request).eval()
    stark = official_network(official_stark, "rep_v2")
    second = build_official(request).eval()
    fill(stark.state_dict())
    with torch.no_grad():
        for lighttrack in (first, second):
            lighttrack.template(torch.zeros(1, 3, 128, 128))
            assert lighttrack.track(torch.zeros(1, 3, 256, 256))[1].shape == (1, 4, 16, 16)
    assert answers(stark, crops())["score"].shape == (1, 2, 20, 20)
    left = [name for name in sys.modules if name.partition(".")[0] in ("lib", "timm", "torchvision", "yacs")]
    assert left == []
    assert "cuda" not in vars(torch.Tensor)
    assert capfd.readouterr().out == ""


def test_another_checkout_is_refused(official):
    with pytest.raises(CheckoutError, match=r"cannot import lib\.models\.stark"):
        official_network(official, "rep_v2")


@pytest.mark.parametrize("masks", [False, True])
def test_the_notes_are_true(official_stark, masks):
    theirs = official_network(official_stark, "rep_v2")
    fill(theirs.state_dict(), 9)
    assert_noted(sampled(theirs, masks), json.loads(NOTED.read_text())[str(masks)])
