"""Tracing through a forward mode: what comes out, and that the network is as before."""

import io

import pytest
import torch
from torch import nn

from conftest import MOBILE, TINY
from converter.errors import ArchitectureError
from converter.families.dimensions import dimensions_of
from converter.families.family import family_of
from converter.network.demo import seeded_state
from converter.network.trace import saved, trace
from converter.spec.config import network_for
from converter.spec.options import ExportOptions
from official_patches.lighttrack.folding import fold, folded_norms
from official_patches.patching import patched

FAMILY = family_of("lighttrack")


def network(path_name):
    built = FAMILY.build(path_name, 127)
    built.load_state_dict(seeded_state(path_name), assign=True)
    return built.eval()


def graphs(path_name, split, tmp_path, **sizes):
    arch, spec = network_for(None, None, {"path_name": path_name, **sizes})
    options = ExportOptions(arch=arch, checkpoint=tmp_path, output=tmp_path, network=spec)
    return {graph.name: graph for graph in spec.graph_specs(split, dimensions_of(options.network))}


def crops(seed):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(1, 3, size, size, generator=generator) for name, size in (("z", 127), ("x", 288))}


def snapshot(module):
    return {name: dict(vars(part)) | {"children": dict(part._modules)} for name, part in module.named_modules()}


@pytest.mark.parametrize("path_name", [MOBILE, TINY])
@pytest.mark.parametrize("split", ["two", "three"])
def test_traced_graphs_answer_as_the_unpatched_network(path_name, split, tmp_path):
    built = network(path_name)
    feed = crops(0)
    with torch.no_grad():
        expected = FAMILY.reference(built, feed)
        known = dict(feed)
        for graph in graphs(path_name, split, tmp_path).values():
            traced = torch.jit.load(io.BytesIO(saved(trace(built, graph).module)))
            found = traced(*(known[tensor.name] for tensor in graph.inputs))
            found = found if isinstance(found, tuple) else (found,)
            for tensor, value in zip(graph.outputs, found, strict=True):
                assert value.shape == tensor.shape
                torch.testing.assert_close(value, expected[tensor.name], rtol=1e-4, atol=1e-4)
                known[tensor.name] = value


@pytest.mark.parametrize("path_name", [MOBILE, TINY])
def test_the_network_is_as_before(path_name, tmp_path):
    built = network(path_name)
    before = snapshot(built)
    for graph in graphs(path_name, "two", tmp_path).values():
        trace(built, graph)
    assert snapshot(built) == before
    assert "forward" not in vars(built)


def test_the_reference_leaves_nothing_on_the_network():
    built = network(TINY)
    before = snapshot(built)
    with torch.no_grad():
        FAMILY.reference(built, crops(1))
    assert snapshot(built) == before


def test_a_network_without_the_official_parts_is_refused(tmp_path):
    graph = graphs(TINY, "two", tmp_path)["init"]
    with pytest.raises(ArchitectureError, match="Linear has no 'features'"):
        trace(nn.Linear(2, 2), graph)


def test_norms_fold_only_where_the_output_block_has_no_skip():
    assert not folded_norms(network(MOBILE), "update")
    assert [spec.attribute for spec in folded_norms(network(TINY), "update")] == ["bn3", "BN_x"]
    assert not folded_norms(network(TINY), "init")


def test_norms_do_not_fold_behind_a_skip_that_adds_in_place():
    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.bn3 = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

        def forward(self, x):
            y = self.bn3(self.conv(x))
            y += x
            return y

    built = network(TINY)
    built.features = InPlace().eval()
    assert not folded_norms(built, "update")


def test_a_folded_norm_answers_as_both():
    generator = torch.Generator().manual_seed(0)
    norms = [nn.BatchNorm2d(5, eps=eps).eval() for eps in (1e-5, 1e-3)]
    for norm in norms:
        for tensor in (norm.weight.data, norm.bias.data, norm.running_mean):
            tensor.normal_(generator=generator)
        norm.running_var.uniform_(0.1, 3.0, generator=generator)
    x = torch.randn(2, 5, 4, 4, generator=generator)
    with torch.no_grad():
        torch.testing.assert_close(fold(*norms)(x), norms[1](norms[0](x)), rtol=1e-5, atol=1e-5)


def test_no_two_norms_follow_each_other_in_a_traced_update(tmp_path):
    built = network(TINY)
    traced = torch.jit.load(io.BytesIO(saved(trace(built, graphs(TINY, "two", tmp_path)["update"]).module)))
    norms = [node for node in traced.inlined_graph.nodes() if node.kind() == "aten::batch_norm"]
    assert norms
    assert not any(next(node.inputs()).node().kind() == "aten::batch_norm" for node in norms)


def test_folding_is_undone_when_the_body_fails():
    built = network(TINY)
    before = snapshot(built)
    with pytest.raises(KeyError), patched(*folded_norms(built, "update")):
        raise KeyError
    assert snapshot(built) == before


@pytest.mark.parametrize("path_name", [MOBILE, TINY])
def test_multiply_adds_are_those_of_torchs_own_counter(path_name, tmp_path):
    from torch.utils.flop_counter import FlopCounterMode

    built = network(path_name)
    found = graphs(path_name, "two", tmp_path)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        built.template(torch.zeros(1, 3, 127, 127))
        built.track(torch.zeros(1, 3, 288, 288))
    counted = sum(trace(built, graph).multiply_adds for graph in found.values())
    assert counted == counter.get_total_flops() // 2
