"""A subnet out of a supernet: the keys that it takes, and the same answers to the last bit."""

import pytest
import torch
from lighttrack import FAMILY, answers, fill, noise, own, random_path_names

from converter.families.lighttrack.space import EXAMPLE
from converter.families.supernet import renamed, supernet_of
from converter.network.checkpoint import shapes_of

SUPERNET = FAMILY.supernet
PATHS = [*random_path_names(6, seed=3), EXAMPLE]


@pytest.fixture(scope="module")
def state():
    state = SUPERNET.build(EXAMPLE, {}).to_empty(device="cpu").state_dict()
    fill(state)
    return state


def on_path(path_name, state):
    network = SUPERNET.build(path_name, shapes_of(state))
    network.load_state_dict(state, assign=True)
    return network.eval()


def taken(path_name, state):
    subnet = own(path_name, 128)
    keys = renamed(SUPERNET.renames(path_name), state)
    assert keys.keys() == subnet.state_dict().keys()
    subnet.load_state_dict({key: state[source] for key, source in keys.items()})
    return subnet


@pytest.mark.parametrize("path_name", PATHS)
def test_a_subnet_answers_as_the_supernet_does_on_its_path(state, path_name):
    crops = noise(128, 5), noise(256, 6)
    expected, found = (answers(make(path_name, state), *crops) for make in (on_path, taken))
    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in expected.items()
    }


def test_the_supernets_reg_goes_through_the_towers_of_cls(state):
    """As in the official code, whatever its keys suggest."""
    dead = {key: value + 1 if "cand_tower_reg" in key else value for key, value in state.items()}
    live = {key: value + 1 if "cand_tower_cls" in key else value for key, value in state.items()}
    crops = noise(128, 5), noise(256, 6)
    before, after, other = (answers(on_path(EXAMPLE, each), *crops)["reg"] for each in (state, dead, live))
    assert before.tobytes() == after.tobytes() != other.tobytes()


def test_together_the_covering_paths_take_all_that_a_subnet_can_have(state):
    used = {key for path in SUPERNET.cover for key in renamed(SUPERNET.renames(path), state).values()}
    assert used == {key for key in state if not SUPERNET.ignores(key)}


def test_only_a_supernets_weights_are_taken_for_some(state):
    assert supernet_of(shapes_of(state))[1] is SUPERNET
    assert supernet_of(shapes_of(own(EXAMPLE, 128).state_dict())) is None


def test_a_supernet_of_larger_templates_is_built_as_its_weights_are(state):
    key = "feature_fusor.pw_corr.1.CA_layer.fc1.weight"
    larger = SUPERNET.build(EXAMPLE, {**shapes_of(state), key: (81, 81, 1, 1)})
    assert larger.state_dict()[key].shape == torch.Size([81, 81, 1, 1])
