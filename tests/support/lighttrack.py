"""What several tests of LightTrack need: networks, seeded weights, and answers noted from the official code."""

import json
import zlib

import numpy as np
import pytest
import torch

from commands import SUPPORT
from converter.families.family import family_of

FAMILY = family_of("lighttrack")
ANSWERS = SUPPORT / "official_answers.json"


def own(path_name, template_size):
    return FAMILY.build(path_name, template_size).to_empty(device="cpu").eval()


def answers(network, z, x):
    with torch.no_grad():
        return {name: tensor.numpy() for name, tensor in FAMILY.reference(network, {"z": z, "x": x}).items()}


def share(found, expected):
    return float(np.abs(found - expected).max() / np.ptp(expected))


def noise(size, seed):
    return torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(seed))


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
