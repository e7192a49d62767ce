"""What several tests of NanoTrack need: seeded weights, crops, and answers that were noted of the official code."""

import json

import numpy as np
import torch
from lighttrack import fill

from commands import SUPPORT
from converter.families.family import family_of
from converter.network.demo import seeded_state

FAMILY = family_of("nanotrack")
VERSIONS = ("v1", "v2", "v3")
ARCHS = {version: f"NanoTrack{version.upper()}" for version in VERSIONS}
PARAMETERS = {"v1": 287_966, "v2": 334_078, "v3": 541_446}
NECKS = {"v1": 64, "v2": 64, "v3": 96}  # channels
NOTED = SUPPORT / "official_nanotrack_answers.json"


def neck(version):
    """The weights that published checkpoints have besides."""
    channels = NECKS[version]
    norms = ("weight", "bias", "running_mean", "running_var")
    return {
        "neck.downsample.0.weight": torch.ones(channels, channels, 1, 1),
        **{f"neck.downsample.1.{name}": torch.ones(channels) for name in norms},
        "neck.downsample.1.num_batches_tracked": torch.tensor(1),
    }


def state(version, seed=0):
    return seeded_state(arch=ARCHS[version], seed=seed)


def save(path, version, seed=0, without=(), more=None):
    """A checkpoint as the official training writes it, with seeded weights."""
    weights = {**state(version, seed), **neck(version), **(more or {})}
    kept = {key: value for key, value in weights.items() if key not in without}
    torch.save({"epoch": 26, "state_dict": kept, "optimizer": {"best": np.float64(0.5)}}, path)
    return path


def network(version, weights=None):
    """Our own definition in eval mode; weights may have more than it takes."""
    built = FAMILY.build(version, 127, 255).to_empty(device="cpu")
    weights = state(version) if weights is None else weights
    built.load_state_dict({key: value for key, value in weights.items() if not FAMILY.ignores(key)})
    return built.eval().requires_grad_(False)


def crop(size, seed):
    """(1, 3, size, size), levels of a pixel: noise."""
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 255


def answers(built, template_seed=0, search_seed=1, search_size=255):
    """Every tensor, by the network's own methods."""
    feed = {"z": crop(127, template_seed), "x": crop(search_size, search_seed)}
    with torch.no_grad():
        return {**feed, **FAMILY.reference(built, feed)}


def of_crops(built, crops):
    """Likewise of numpy arrays."""
    feed = {name: torch.from_numpy(np.ascontiguousarray(crop, np.float32)) for name, crop in crops.items()}
    with torch.no_grad():
        return {name: value.numpy() for name, value in FAMILY.reference(built, feed).items()}


def sampled(built):
    """Range and some values of what a network answers whose weights follow from their keys and shapes."""
    weights = built.state_dict()
    fill(weights)
    weights["backbone.features.0.0.weight"] /= 255  # so that nothing saturates, and no gate
    for value in weights.values():
        if value.dim() == 2:
            value -= 1
    found = {name: value.numpy() for name, value in answers(built.eval()).items() if name not in "zx"}
    return {
        name: {"range": float(np.ptp(array)), "values": array.ravel()[::7][:48].tolist()}
        for name, array in found.items()
    }


def assert_noted(found, version):
    noted = json.loads(NOTED.read_text())[version]
    assert found.keys() == noted.keys()
    for name, expected in noted.items():
        assert abs(found[name]["range"] / expected["range"] - 1) < 1e-5, name
        assert np.abs(np.subtract(found[name]["values"], expected["values"])).max() < 1e-5 * expected["range"], name
