"""Forward modes of NanoTrack: what they answer, what they refuse, what they leave behind."""

import nanotracks
import pytest
import torch
from torch import nn

from converter.spec.config import network_for
from official_patches.nanotrack import PATCHES
from official_patches.patching import UnknownNetworkError, patched


@pytest.fixture(scope="module", params=nanotracks.VERSIONS)
def with_neck(request):
    """As the official network is."""
    built = nanotracks.network(request.param)
    built.neck = nn.Conv2d(4, 4, 1)
    return request.param, built


@pytest.mark.parametrize("split", ["two", "three"])
def test_modes_answer_as_the_networks_own_methods_and_trace_what_they_call(with_neck, split):
    version, built = with_neck
    known = nanotracks.answers(built)
    _, spec = network_for(nanotracks.ARCHS[version])
    for graph in spec.graph_specs(split, nanotracks.FAMILY.dimensions(version, 127, 255)):
        inputs = tuple(known[tensor.name] for tensor in graph.inputs)
        with patched(PATCHES.forward_mode(built, graph.mode), *PATCHES.for_trace(built, graph.mode)), torch.no_grad():
            found = built(*inputs)
            parts = {name.partition(".")[0] for name, _ in built.named_parameters()}
        found = found if isinstance(found, tuple) else (found,)
        for tensor, value in zip(graph.outputs, found, strict=True):
            assert torch.equal(value, known[tensor.name]), (graph.name, tensor.name)
        called = {"init": {"backbone"}, "backbone": {"backbone"}, "neck_head": {"ban_head"}}
        assert parts == called.get(graph.name, {"backbone", "ban_head"})
    assert {name for name, _ in built.named_children()} == {"backbone", "ban_head", "neck"}


def test_nothing_stays_of_a_part_that_was_not_there():
    built = nanotracks.network("v1")
    before = dict(vars(built)), dict(built._modules)
    with patched(PATCHES.forward_mode(built, "update"), *PATCHES.for_trace(built, "update")):
        pass
    assert (dict(vars(built)), dict(built._modules)) == before


def test_the_template_is_not_asked_for_its_size():
    """As V3's official head does."""
    built = nanotracks.network("v3")
    built.ban_head.crop = lambda zf: zf
    (patch,) = PATCHES.also_for_trace(built, "update")
    zf = torch.arange(64.0).reshape(1, 1, 8, 8)
    assert torch.equal(patch.replacement(zf), zf[:, :, 2:6, 2:6])
    assert (patch.owner, patch.attribute) == (built.ban_head, "crop")


@pytest.mark.parametrize("part", ["backbone", "ban_head"])
def test_a_network_without_the_parts_is_refused(part):
    built = nanotracks.network("v1")
    delattr(built, part)
    with pytest.raises(UnknownNetworkError, match=f"NanoTrack has no '{part}', expected the parts of NanoTrack's"):
        PATCHES.forward_mode(built, "update")
