"""Our own networks and the official ones: the same keys, shapes and numbers."""

import importlib.util
import json
import zlib

import numpy as np
import pytest
import torch

from commands import SUPPORT
from converter.families.family import family_of
from converter.families.lighttrack.path_name import recognise
from converter.network.demo import seeded_state
from official_patches.lighttrack.checkout import build_official
from official_patches.patching import BuildRequest

pytestmark = pytest.mark.real
FAMILY = family_of("lighttrack")


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def own(path_name, template_size):
    return FAMILY.build(path_name, template_size).to_empty(device="cpu").eval()


def official_network(root, path_name, template_size, search_size, stride=16):
    request = BuildRequest(root, "LightTrackM_Subnet", path_name, template_size, search_size, stride)
    return build_official(request).eval()


def answers(network, z, x):
    with torch.no_grad():
        return {name: tensor.numpy() for name, tensor in FAMILY.reference(network, {"z": z, "x": x}).items()}


def share(found, expected):
    return float(np.abs(found - expected).max() / np.ptp(expected))


def noise(size, seed):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


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


ANSWERS = SUPPORT / "official_answers.json"


def fill(state, seed=0):
    """Weights that depend on key and shape only, so that two implementations get the same."""
    for key, tensor in state.items():
        generator = np.random.default_rng([seed, zlib.crc32(key.encode())])
        values = generator.standard_normal(tuple(tensor.shape))
        if key.endswith("running_var"):
            values = 1.0 + np.abs(values)
        elif key.endswith("num_batches_tracked"):
            values = np.ones(())
        elif tensor.dim() == 4:
            values = values / np.sqrt(tensor[0].numel())
        elif key.endswith("weight"):
            values = 1.0 + 0.2 * values
        else:
            values = 0.1 * values
        tensor.copy_(torch.from_numpy(np.asarray(values)))


def sampled(network):
    """Range and every 37th value of what a network answers on seeded noise."""
    generator = np.random.default_rng(1)
    z, x = (torch.from_numpy(generator.standard_normal((1, 3, size, size), np.float32)) for size in (128, 256))
    found = answers(network.eval(), z, x)
    return {
        name: {"range": float(np.ptp(array)), "values": [float(value) for value in array.ravel()[::37][:64]]}
        for name, array in found.items()
    }


@pytest.mark.parametrize("path_name", json.loads(ANSWERS.read_text()))
def test_answers_are_those_noted_from_the_official_code(path_name):
    """Noted from researchmm/LightTrack @ 39c426f; the test below compares the note with a checkout."""
    network = own(path_name, 128)
    fill(network.state_dict())
    assert_noted(sampled(network), path_name)


@pytest.mark.parametrize("path_name", json.loads(ANSWERS.read_text()))
def test_the_notes_are_true(official, path_name):
    network = official_network(official, path_name, 128, 256)
    fill(network.state_dict())
    assert_noted(sampled(network), path_name)


def assert_noted(found, path_name):
    noted = json.loads(ANSWERS.read_text())[path_name]
    assert found.keys() == noted.keys()
    for name, expected in noted.items():
        assert found[name]["range"] == pytest.approx(expected["range"], rel=1e-4)
        difference = np.abs(np.subtract(found[name]["values"], expected["values"]))
        assert difference.max() < 1e-5 * expected["range"], name


def random_path_names(count, seed=0):
    generator = np.random.default_rng(seed)

    def digits(choices, length):
        return "".join(str(digit) for digit in generator.integers(0, choices, length))

    def tower():
        return f"{digits(3, 1)}{digits(2, 1)}{digits(3, 7)}"

    return [
        f"back_0{digits(6, 18)}0+cls_{tower()}+reg_{tower()}_ops_{index % 3 + 1}{digits(4, 1)}"
        for index in range(count)
    ]


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


@pytest.mark.parametrize("path_name", random_path_names(6, seed=1))
def test_weights_tell_their_path_name(path_name):
    def shapes(name):
        return {key: tuple(value.shape) for key, value in FAMILY.build(name, 128).state_dict().items()}

    assert shapes(recognise(shapes(path_name))) == shapes(path_name)
