"""The network as a tracker calls it: the same answers as the reference, and nothing left on it."""

import copy

import numpy as np
import pytest
import torch

from conftest import TINY
from converter.errors import ConversionError
from converter.families.family import family_of
from converter.network.demo import seeded_state
from converter.network.reference import TorchModel
from converter.spec.config import network_for

FAMILY = family_of("lighttrack")
SIZES = {"template_size": 32, "search_size": 64}


@pytest.fixture(scope="module")
def network():
    network = FAMILY.build(TINY, 32).to_empty(device="cpu")
    network.load_state_dict(seeded_state(TINY, 32, 64))
    return network.eval()


@pytest.fixture(scope="module")
def images():
    spec = network_for(None, overrides={**SIZES, "path_name": TINY})[1]
    init, update = spec.graph_specs("two", FAMILY.dimensions(TINY, 32, 64))
    return init.inputs[0], update.inputs[1]


def noise(seed, size):
    return np.random.default_rng(seed).standard_normal((1, 3, size, size)).astype(np.float32)


def test_answers_are_the_references_for_every_frame(network, images):
    model, reference = TorchModel(network, FAMILY, images), TorchModel(network, FAMILY, images)
    model.template(noise(0, 32))
    for seed in (1, 2, 3):
        answer, expected = model.track(noise(seed, 64)), reference.infer({"z": noise(0, 32), "x": noise(seed, 64)})
        assert answer.keys() == {"cls", "reg"}
        for name, array in answer.items():
            assert array.dtype == np.float32
            assert np.array_equal(array, expected[name])


def test_two_models_of_one_network_keep_their_own_template(network, images):
    first, second = TorchModel(network, FAMILY, images), TorchModel(network, FAMILY, images)
    first.template(noise(0, 32))
    before = first.track(noise(5, 64))["cls"].copy()
    second.template(noise(1, 32))
    assert np.array_equal(first.track(noise(5, 64))["cls"], before)
    assert not np.array_equal(second.track(noise(5, 64))["cls"], before)


def test_activations_are_put_on_the_outputs_they_are_of(network, images):
    plain, squashed = (TorchModel(network, FAMILY, images, *activations) for activations in ((), ({"cls": "sigmoid"},)))
    feed = {"z": noise(0, 32), "x": noise(1, 64)}
    logit, probability = plain.infer(feed), squashed.infer(feed)
    assert probability["cls"].dtype == np.float32
    assert np.array_equal(probability["cls"], torch.sigmoid(torch.from_numpy(logit["cls"])).numpy())
    assert not np.array_equal(probability["cls"], logit["cls"])
    for name in ("zf", "xf", "reg"):
        assert np.array_equal(probability[name], logit[name])
    model = TorchModel(network, FAMILY, images, {"cls": "sigmoid"})
    model.template(feed["z"])
    tracked = model.track(feed["x"])
    assert np.array_equal(tracked["cls"], probability["cls"])
    assert np.array_equal(tracked["reg"], logit["reg"])


def test_an_activation_of_another_output(network, images):
    feed = {"z": noise(0, 32), "x": noise(1, 64)}
    found = TorchModel(network, FAMILY, images, {"reg": "sigmoid"}).infer(feed)
    plain = TorchModel(network, FAMILY, images).infer(feed)
    assert np.array_equal(found["cls"], plain["cls"])
    assert np.array_equal(found["reg"], torch.sigmoid(torch.from_numpy(plain["reg"])).numpy())


def test_nothing_stays_on_the_network(network, images):
    before = dict(network.__dict__)
    model = TorchModel(network, FAMILY, images)
    model.template(noise(0, 32))
    model.track(noise(1, 64))
    assert network.__dict__.keys() == before.keys()
    assert all(network.__dict__[key] is value for key, value in before.items())
    assert not model.remembered["zf"].requires_grad


def test_what_a_network_gets_with_its_first_template_does_not_stay_either(network, images):
    fresh = copy.copy(network)
    del fresh.zf
    assert "zf" in network.__dict__
    TorchModel(fresh, FAMILY, images).template(noise(0, 32))
    assert "zf" not in fresh.__dict__


def test_wrong_inputs_and_train_mode_are_refused(network, images):
    model = TorchModel(network, FAMILY, images)
    with pytest.raises(
        ConversionError, match=r"torch: input 'z' has shape \(1, 3, 64, 64\), expected \(1, 3, 32, 32\)"
    ):
        model.template(noise(0, 64))
    with pytest.raises(ConversionError, match="input 'x' is float64, expected float32"):
        model.track(noise(0, 64).astype(np.float64))
    training = torch.nn.Sequential(torch.nn.BatchNorm2d(3)).train()
    with pytest.raises(ConversionError, match="train mode"):
        TorchModel(training, FAMILY, images)
    training.training = False  # and its norm is not
    with pytest.raises(ConversionError, match="train mode"):
        TorchModel(training, FAMILY, images)
