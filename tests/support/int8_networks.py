"""Whole networks of seeded weights as models with noise to calibrate on."""

import numpy as np

from commands import lt_export
from conftest import TINY
from converter.families.dimensions import dimensions_of
from converter.formats.moments import Fed
from converter.spec.config import network_for

STARK = {"template_size": 64, "search_size": 128}
ARCHS = ("LightTrackM_Subnet", "NanoTrackV1", "NanoTrackV3", "STARK_Lightning")
THREE = ("LightTrackM_Subnet", "NanoTrackV3")  # in three graphs, the others in two


def noise(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


ONNX = ("--format", "onnx", "--opset", "13")


def onnx_models_of(arch, tiny, stark_weights, nanotrack_weights, folder):
    """The graphs of an export to ONNX, each with noise."""
    split = "three" if arch in THREE else "two"
    return models_of(arch, tiny, stark_weights, nanotrack_weights, folder, split, ("onnx",), ONNX)


def models_of(arch, tiny, stark_weights, nanotrack_weights, folder, split, endings, options=()):
    """An export's graphs, each with noise."""
    words, changes = ("--resume", tiny, "--path-name", TINY), {"path_name": TINY}
    if arch == "STARK_Lightning":
        words, changes = ("--resume", stark_weights["rep_v2"], "--template-size", 64, "--search-size", 128), STARK
    elif arch.startswith("NanoTrack"):
        words, changes = ("--resume", nanotrack_weights[arch.removeprefix("NanoTrack").lower()]), {}
    done = lt_export(*words, *options, "--arch", arch, "--split", split, "--no-verify", "-q", "-o", folder)
    assert done.code == 0, done.err
    _, network = network_for(arch, None, changes)
    return [
        Fed(
            tuple(next(folder.glob(f"*_{graph.name}.{ending}")) for ending in endings),
            graph,
            [{tensor.name: noise(tensor.shape, seed) for tensor in graph.inputs} for seed in range(2)],
        )
        for graph in network.graph_specs(split, dimensions_of(network))
    ]
