"""STARK-Lightning through pnnx and ncnn, and through onnxruntime; and the forward that must not pass."""

import io
import types

import numpy as np
import pytest
import torch
from stark import ARCH, HEADS, SMALL, answers, crops, graphs, network

from converter.families.family import family_of
from converter.formats.ncnn.convert import PnnxRun
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.onnx.convert import OnnxConversion
from converter.formats.onnx.runner import OnnxRunner
from converter.formats.source import Source
from converter.network.trace import saved, trace
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.verify import Report, verify
from converter.spec.config import network_for
from converter.spec.model import Model, TrackerModels
from official_patches.patching import PatchSpec, patched
from official_patches.stark import modes

SPEC = network_for(ARCH)[1]
TOLERANCES = SPEC.tolerances["fp32"]


def ncnn_runner(traced, graph, folder):
    return NcnnRunner(*PnnxRun(saved(traced), Source("ncnn", graph.name, graph), folder, 100).result(), graph)


def onnx_runner(traced, graph, folder):
    files = OnnxConversion(traced, Source("onnx", graph.name, graph), folder, 11, True, {}).result()
    return OnnxRunner(*files, graph)


RUNNERS = {"ncnn": ncnn_runner, "onnx": onnx_runner}


def traced_for_conversion(built, graph):
    return trace(built, graph).module


def report(built, found, feeds, folder, traced=traced_for_conversion):
    """Both formats against the network's own methods."""
    checks = []
    outputs = [_arrays(answers(built, feed)) for feed in feeds]
    inputs = [Feed(f"noise {index}", _arrays(feed)) for index, feed in enumerate(feeds)]
    scripts = {graph.name: traced(built, graph) for graph in found.values()}
    for name, load in RUNNERS.items():
        models = tuple(Model(graph, name, ()) for graph in found.values())
        tracker = TrackerModels(SPEC, family_of("stark").dimensions(SPEC.path_name, 128, 320), models)
        runners = {model: load(scripts[model.graph.name], model.graph, folder) for model in models}
        checks += verify(Comparison(tracker, tuple(inputs), tuple(outputs), TOLERANCES, 1e-5), name, runners)
    return Report(tuple(checks))


def _arrays(tensors):
    return {name: tensor.numpy() for name, tensor in tensors.items()}


CASES = [(head, "two", False, {} if head == "rep_v2" else SMALL) for head in HEADS] + [
    ("rep_v2", "two", True, {}),
    ("dsconv_v3_5", "two", True, SMALL),
    ("dsconv_v3_2", "three", True, SMALL),
    ("rep_v2", "three", False, {"search_size": 256}),
    ("dsconv_v3_3", "two", False, {"search_size": 288}),
]


@pytest.mark.parametrize(("head", "split", "masks", "sizes"), CASES)
def test_converted_graphs_answer_as_the_network(head, split, masks, sizes, tmp_path):
    built = network(head, 11, **sizes)
    feeds = [crops(seed, masks, **sizes) for seed in (1, 2)]
    passed = report(built, graphs(split, masks, **sizes), feeds, tmp_path)
    assert passed.failure() == ""
    assert len(passed.checks) == 2 * 2 * {"two": 3, "three": 4}[split]


def test_masks_change_the_answer():
    built = network("rep_v2", 11)
    masked = crops(1, masks=True)
    plain = {name: value for name, value in masked.items() if "mask" not in name}
    assert not np.allclose(answers(built, masked)["score"], answers(built, plain)["score"], atol=1e-2)


def as_it_stands(self, zv, zk, x):
    """The official forward: tokens with their batch axis in the middle, torch's own attention, a permutation."""
    feat, keys = zv.transpose(0, 1), zk.transpose(0, 1)
    search = self.forward_backbone(x, "search", torch.zeros(1, *x.shape[2:], dtype=torch.bool))
    queries = search["feat"] + search["pos"]
    memory = self.transformer(queries, torch.cat([keys, queries]), torch.cat([feat, search["feat"]]))
    cells = self.box_head.feat_sz
    maps = memory.permute(1, 2, 0).contiguous().view(1, -1, cells, cells)
    return modes.located(self.box_head, self.box_head.conv_tower(maps))


def traced_as_it_stands(built, graph):
    if graph.name != "update":
        return traced_for_conversion(built, graph)
    patch = PatchSpec(built, "forward", types.MethodType(as_it_stands, built), "what not to do")
    with patched(patch), torch.no_grad():
        return torch.jit.trace(built, tuple(torch.zeros(tensor.shape) for tensor in graph.inputs), check_trace=False)


@pytest.mark.parametrize("head", ["rep_v2", "dsconv_v3_2"])
def test_the_official_forward_does_not_pass(head, tmp_path):
    """It is right in torch and converts to ncnn without a word; what comes out answers otherwise."""
    built = network(head, 11)
    feed = crops(1)
    found = graphs()
    expected = answers(built, feed)
    script = torch.jit.load(io.BytesIO(saved(traced_as_it_stands(built, found["update"]))))
    with torch.no_grad():
        right = script(expected["zv"], expected["zk"], expected["x"])
    assert np.allclose(right[2], expected["score"], atol=1e-4)
    failed = report(built, found, [feed], tmp_path, traced_as_it_stands)
    wrong = {check.format for check in failed.checks if not check and check.graph == "update"}
    assert wrong == {"ncnn"}
    assert [bool(check) for check in failed.checks if check.graph == "init"] == [True, True]
    bad = next(check for check in failed.checks if not check)
    assert {output.name for output in bad.outputs if not output} >= {"score"}


def test_multiply_adds_are_those_of_torchs_own_counter():
    from torch.utils.flop_counter import FlopCounterMode

    built = network("rep_v2", **SMALL)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        answers(built, crops(**SMALL))
    fused = sum(trace(built, graph).multiply_adds for graph in graphs(**SMALL).values())
    assert 0.85 < fused / (counter.get_total_flops() // 2) < 1
