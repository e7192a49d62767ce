"""What several tests of STARK-Lightning need: networks with seeded weights, crops with masks, graphs."""

import importlib.util

import numpy as np
import pytest
import torch
from folders import Folder

from commands import SUPPORT
from converter.families.family import family_of
from converter.families.stark.variant import parse_variant
from converter.spec.config import network_for

ARCH = "STARK_Lightning"
FAMILY = family_of("stark")
HEADS = ("rep_v2", "dsconv_v3_2", "dsconv_v3_3", "dsconv_v3_4", "dsconv_v3_5", "dsconv_v3_6")
SMALL = {"template_size": 64, "search_size": 128}
NAMES = ("zv", "zk", "xv", "xk", "box", "corners", "score")
NOTED = SUPPORT / "official_stark_answers.json"


def fill(state, seed=0):
    """Seeded weights that keep a signal's scale, with statistics that are far from those of fresh norms."""
    generator = torch.Generator().manual_seed(seed)
    for key, tensor in state.items():
        if not tensor.is_floating_point():
            tensor.fill_(1)
        elif key.endswith("running_var"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) * 3 + 1)  # three branches are summed
        elif tensor.dim() > 1:
            spread = tensor[0].numel() ** -0.5
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * spread)
        elif key.endswith("weight"):
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
        else:
            tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return state


def network(head="rep_v2", seed=0, template_size=128, search_size=320):
    """Our own definition in eval mode."""
    built = FAMILY.build(parse_variant(head).name, template_size, search_size).to_empty(device="cpu")
    fill(built.state_dict(), seed)
    return built.eval().requires_grad_(False)


def save(path, head="rep_v2", seed=0, more=None, **sizes):
    """A checkpoint as the official training writes it, without its settings."""
    state = network(head, seed, **sizes).state_dict()
    torch.save({"epoch": 3, "net_type": "STARKLightningXtrt", "net": state, **(more or {})}, path)
    return path


def graphs(split="two", masks=False, template_size=128, search_size=320):
    spec = network_for(ARCH)[1].model_copy(update={"masks": masks})
    return {
        graph.name: graph for graph in spec.graph_specs(split, FAMILY.dimensions("any", template_size, search_size))
    }


def crops(seed=0, masks=False, template_size=128, search_size=320):
    """Noise; with masks, the upper rows and the right columns have no image."""
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, size in (("z", template_size), ("x", search_size)):
        found[name] = torch.randn(1, 3, size, size, generator=generator)
        if masks:
            cells = torch.zeros(size // 16, size // 16)
            cells[: 1 + seed % 2] = 1
            cells[:, -2:] = 1
            found[f"{name}_mask"] = cells.reshape(1, -1)
    return found


def answers(built, feed):
    """Every tensor, by the network's own methods."""
    with torch.no_grad():
        return {**feed, **FAMILY.reference(built, feed)}


def share(found, expected):
    """The largest difference, as a share of the range."""
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.ptp(expected))


def off(name, found, expected):
    """As a share of the range or, of a box, of the crop: its four numbers may lie close together."""
    if name in ("box", "corners"):
        return float(np.abs(np.asarray(found) - np.asarray(expected)).max())
    return share(found, expected)


def shared_filling(shared: Folder):
    """``fill(state, seed)`` of the shared folder."""
    path = shared / "tools/fill_weights.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.fill


def sampled(built, masks):
    """Range and some values of everything that a network with seeded weights answers."""
    found = answers(built, crops(7, masks))
    return {
        name: {"range": float(np.ptp(found[name].numpy())), "values": found[name].numpy().ravel()[::97][:48].tolist()}
        for name in NAMES
    }


def assert_noted(found, expected):
    for name in NAMES:
        scale = 1.0 if name in ("box", "corners") else expected[name]["range"]
        assert found[name]["range"] == pytest.approx(expected[name]["range"], abs=1e-5 * scale)
        assert np.abs(np.subtract(found[name]["values"], expected[name]["values"])).max() < 1e-5 * scale, name
