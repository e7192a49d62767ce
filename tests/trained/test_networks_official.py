"""Our own networks and the official ones: the same keys, shapes and numbers."""

import importlib.util
import json

import numpy as np
import pytest
import torch
from lighttrack import ANSWERS, answers, assert_noted, fill, noise, own, random_path_names, sampled, share

from converter.network.demo import seeded_state
from official_patches.lighttrack.checkout import build_official
from official_patches.patching import BuildRequest


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def official_network(root, path_name, template_size, search_size, stride=16):
    request = BuildRequest(root, "LightTrackM_Subnet", path_name, template_size, search_size, stride)
    return build_official(request).eval()


@pytest.mark.parametrize("index", range(12))
def test_searched_networks_equal_the_official_ones(shared, index):
    listed = json.loads((shared / "golden/subnets.json").read_text())
    subnet = listed["subnets"][index]
    golden = np.load(shared / f"golden/subnet_{index:02d}.npz")
    network = own(subnet["path_name"], listed["template_size"])
    state = network.state_dict()
    shapes = {key: list(value.shape) for key, value in state.items()}
    assert shapes == subnet["state_dict"]
    assert sum(parameter.numel() for parameter in network.parameters()) == subnet["params"]
    load(shared / "tools/fill_weights.py").fill(state, subnet["weights_seed"])
    found = answers(
        network,
        noise(listed["template_size"], subnet["template_seed"]),
        noise(listed["search_size"], subnet["search_seed"]),
    )
    for name in ("cls", "reg"):
        assert list(found[name].shape) == subnet[f"{name}_shape"]
        assert share(found[name], golden[name]) < 1e-5
    for name in ("zf", "xf"):
        assert list(found[name].shape) == subnet[f"{name}_shape"]
        assert share(found[name].mean((2, 3)), golden[f"{name}_mean"]) < 1e-5


@pytest.mark.parametrize("sizes", ["127_288", "128_256"])
def test_the_trained_tracker_equals_the_official_one(shared, sizes):
    golden = np.load(shared / f"golden/lighttrackm_{sizes}.npz")
    state = torch.load(shared / "checkpoints/LightTrackM.pth", weights_only=True)["state_dict"]
    path_name = json.loads((shared / "golden/subnets.json").read_text())["subnets"][0]["path_name"]
    network = own(path_name, golden["z"].shape[-1])
    network.load_state_dict(state, strict=True)
    found = answers(network, torch.from_numpy(golden["z"]), torch.from_numpy(golden["x"]))
    for name in ("zf", "xf", "cls", "reg"):
        assert share(found[name], golden[name]) < 1e-5


@pytest.mark.parametrize("path_name", json.loads(ANSWERS.read_text()))
def test_the_notes_are_true(official, path_name):
    network = official_network(official, path_name, 128, 256)
    fill(network.state_dict())
    assert_noted(sampled(network), path_name)


@pytest.mark.parametrize("path_name", random_path_names(6))
def test_random_path_names_build_what_the_official_code_builds(official, path_name):
    theirs = official_network(official, path_name, 128, 256)
    ours = own(path_name, 128)
    assert [(key, value.shape) for key, value in ours.state_dict().items()] == [
        (key, value.shape) for key, value in theirs.state_dict().items()
    ]
    state = seeded_state(path_name, 128, 256)
    ours.load_state_dict(state)
    theirs.load_state_dict(state)
    z, x = noise(128, 1), noise(256, 2)
    found, expected = answers(ours, z, x), answers(theirs, z, x)
    for name in expected:
        assert share(found[name], expected[name]) < 1e-5
