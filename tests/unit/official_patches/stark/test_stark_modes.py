"""Forward modes of STARK-Lightning: what they refuse, what they leave behind, and blocks that are fused."""

import pytest
import torch
from stark import SMALL, answers, crops, fill, graphs, network, off, share
from torch import nn

from converter.families.stark.repvgg import FrozenNorm, RepVGGBlock
from official_patches.patching import UnknownNetworkError, patched
from official_patches.stark import PATCHES
from official_patches.stark.fusing import FusionError, checked, fused, fused_blocks
from official_patches.stark.modes import MODES


@pytest.fixture(scope="module")
def small():
    return network("rep_v2", 2, **SMALL)


def run(built, graph, known, *patches):
    with patched(PATCHES.forward_mode(built, graph.mode), *patches), torch.no_grad():
        found = built(*(known[tensor.name] for tensor in graph.inputs))
    return dict(zip((tensor.name for tensor in graph.outputs), found, strict=True))


@pytest.mark.parametrize("split", ["two", "three"])
@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("traced", [False, True])
def test_modes_answer_as_the_networks_own_methods(small, split, masks, traced):
    known = answers(small, crops(1, masks, **SMALL))
    for graph in graphs(split, masks, **SMALL).values():
        patches = PATCHES.for_trace(small, graph.mode) if traced else ()
        for name, value in run(small, graph, known, *patches).items():
            assert off(name, value, known[name]) < 1e-5, (graph.name, name)


def test_a_mask_takes_its_tokens_out(small):
    """What is masked may be anything."""
    feed = crops(1, True, **SMALL)
    known = answers(small, feed)
    update = graphs(masks=True, **SMALL)["update"]
    other = {name: known[name].clone() for name in ("zv", "zk")}
    for tokens in other.values():
        tokens[:, feed["z_mask"][0] > 0] += 100
    found = run(small, update, {**known, **other})
    assert share(found["score"], known["score"]) < 1e-5
    unmasked = run(small, update, {**known, **other, "z_mask": torch.zeros(1, 16)})
    assert share(unmasked["score"], known["score"]) > 1e-2


@pytest.mark.parametrize("mode", MODES)
def test_the_network_is_as_before(small, mode):
    def snapshot():
        return {name: dict(vars(part)) | dict(part._modules) for name, part in small.named_modules()}

    before = snapshot()
    with pytest.raises(KeyError), patched(PATCHES.forward_mode(small, mode), *PATCHES.for_trace(small, mode)):
        raise KeyError
    assert snapshot() == before


def test_every_block_that_a_mode_calls_is_fused(small):
    for mode, left in (("stark_update", 0), ("stark_template", 0), ("stark_backbone", 0), ("stark_head", 0)):
        with patched(*PATCHES.for_trace(small, mode)):
            blocks = [module for module in small.modules() if isinstance(module, RepVGGBlock)]
            norms = [module for module in small.modules() if isinstance(module, nn.BatchNorm2d | FrozenNorm)]
            assert (len(blocks), len(norms)) == (left, 0)


def test_unknown_modes_and_networks_are_refused(small):
    with pytest.raises(UnknownNetworkError, match="unknown forward mode 'stark_other'"):
        PATCHES.forward_mode(small, "stark_other")
    with pytest.raises(UnknownNetworkError, match="Linear has no 'forward_backbone'"):
        PATCHES.forward_mode(nn.Linear(2, 2), "stark_update")


@pytest.mark.parametrize(
    ("where", "name"), [("transformer.encoder", "norm2"), ("box_head", "conv_tower"), ("box_head", "coord_x")]
)
def test_a_network_without_a_part_is_refused(where, name):
    built = network("rep_v2", **SMALL)
    delattr(built.get_submodule(where), name)
    with pytest.raises(UnknownNetworkError, match=f"StarkLightning has no '{where}.{name}'"):
        PATCHES.forward_mode(built, "stark_update")


@pytest.mark.parametrize("settings", [{"batch_first": True}, {"bias": False}, {"add_zero_attn": True}])
def test_another_attention_is_refused(settings):
    built = network("rep_v2", **SMALL)
    built.transformer.encoder.self_attn = nn.MultiheadAttention(128, 8, **settings)
    with pytest.raises(UnknownNetworkError, match="attention of StarkLightning"):
        PATCHES.forward_mode(built, "stark_update")


BLOCKS = [(3, 8, 2), (8, 8, 1), (8, 8, 2), (8, 12, 1)]


def block(inputs, outputs, stride, norm=nn.BatchNorm2d):
    built = RepVGGBlock(inputs, outputs, stride, norm)
    fill(built.state_dict(), inputs + outputs)
    return built.eval().requires_grad_(False)


@pytest.mark.parametrize(("inputs", "outputs", "stride"), BLOCKS)
@pytest.mark.parametrize("norm", [nn.BatchNorm2d, FrozenNorm])
@pytest.mark.parametrize("size", [7, 8])
def test_a_fused_block_answers_as_the_block(inputs, outputs, stride, norm, size):
    built = block(inputs, outputs, stride, norm)
    x = torch.randn(2, inputs, size, size, generator=torch.Generator().manual_seed(1))
    together = fused(built)
    assert [type(part) for part in together] == [nn.Conv2d, nn.ReLU]
    assert share(together(x), built(x)) < 1e-6


def test_fusion_that_answers_otherwise_is_an_error():
    class Shifted(RepVGGBlock):
        def forward(self, x):
            return super().forward(x) + 1e-3

    built = Shifted(8, 8)
    fill(built.state_dict())
    with pytest.raises(FusionError, match="a fused Shifted answers otherwise"):
        checked(built.eval())


def test_a_block_in_train_mode_is_an_error():
    with pytest.raises(FusionError, match="answers otherwise"):
        checked(block(8, 8, 1).train())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda built: setattr(built, "se", nn.Sigmoid()), "squeeze-and-excitation"),
        (lambda built: setattr(built.rbr_dense, "conv", nn.Conv2d(8, 8, 5, padding=2, bias=False)), r"\(5, 5\)"),
        (lambda built: setattr(built.rbr_1x1, "bn", nn.Identity()), "Identity has no 'weight'"),
    ],
)
def test_a_block_of_other_parts_is_refused(change, words):
    built = block(8, 8, 1)
    change(built)
    with pytest.raises(FusionError, match=words):
        fused(built)


def test_a_network_whose_blocks_cannot_be_fused_is_not_traced():
    built = network("rep_v2", **SMALL)
    built.backbone.body.stage0.se = nn.Sigmoid()
    with pytest.raises(UnknownNetworkError, match="squeeze-and-excitation"):
        PATCHES.for_trace(built, "stark_update")
    assert PATCHES.for_trace(built, "stark_head")


def test_fused_blocks_are_not_fused_again(small):
    with patched(*fused_blocks(small)):
        assert fused_blocks(small) == ()
