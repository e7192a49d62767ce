"""Recording of a small network: what ran, in which module, with which result, and how to run it again."""

import numpy as np
import pytest
import torch
from torch import nn

from converter.checks.layers import kinds
from converter.checks.layers.kinds import Window
from converter.checks.layers.torch_side import record
from converter.errors import ArchitectureError
from converter.spec.tensors import GraphSpec, TensorSpec


class Swish(nn.Module):
    """As the official one: in place."""

    def forward(self, x):
        return x.mul_(x.sigmoid())


class Net(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), activation, nn.AdaptiveAvgPool2d(1)
        )
        self.neck = self.feature_fusor = self.head = nn.Identity()

    def template(self, z):
        pass

    def track(self, x):
        pass


GRAPH = GraphSpec(
    name="init",
    family="lighttrack",
    mode="template",
    inputs=(TensorSpec(name="in0", meaning="z", about="", shape=(1, 3, 8, 8)),),
    outputs=(TensorSpec(name="out0", meaning="zf", about="", shape=(1, 4, 1, 1)),),
)
Z = np.random.default_rng(0).standard_normal((1, 3, 8, 8)).astype(np.float32)


@pytest.fixture(params=["in place", "one operation"])
def network(request):
    built = Net(Swish() if request.param == "in place" else nn.SiLU())
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in built.parameters():
            weights.normal_(generator=generator)
    return built.eval()


def test_operations_have_their_kind_module_inputs_and_result(network):
    recording = record(network, GRAPH, {"z": Z})
    found = [(one.kind, one.module, one.inputs) for one in recording.operations]
    assert found == [
        ("input", "", ()),
        (kinds.CONVOLUTION, "features.0", (0,)),
        (kinds.NORM, "features.1", (1,)),
        (kinds.SIGMOID, "features.2", (2,)),
        (kinds.MULTIPLY, "features.2", (2, 3)),
        (kinds.POOL, "features.3", (4,)),
    ]
    assert recording.operations[1].primitive.window == Window(4, 3, 1, (3, 3), (2, 2), (1, 1), (1, 1, 1, 1))
    assert recording.outputs == (5,)
    assert recording.order() == [1, 2, 3, 4, 5]
    with torch.no_grad():
        expected = network.features(torch.from_numpy(Z))
        norm = network.features[1](network.features[0](torch.from_numpy(Z)))
    np.testing.assert_allclose(recording.operations[5].value, expected.numpy(), rtol=1e-6)
    np.testing.assert_allclose(recording.operations[2].value, norm.numpy(), rtol=1e-6)
    np.testing.assert_allclose(recording.operations[3].value, torch.sigmoid(norm).numpy(), rtol=1e-6)


def test_replay_gives_the_same_again_and_other_results_for_other_numbers(network):
    recording = record(network, GRAPH, {"z": Z})
    for _ in range(2):
        again = recording.replay(5, {0: Z}, lambda index: True)
        np.testing.assert_allclose(again, recording.operations[5].value, rtol=1e-4)
        assert again.dtype == np.float64
    norm = recording.operations[2].value
    doubled = recording.replay(4, {2: norm * 2}, lambda index: True)
    np.testing.assert_allclose(doubled, norm * 2 / (1 + np.exp(-norm * 2)), rtol=1e-4)
    flat = recording.replay(4, {2: norm.reshape(4, -1)}, lambda index: True)
    np.testing.assert_allclose(flat, recording.operations[4].value, rtol=1e-4)


def test_replay_in_place_does_not_write_into_what_it_was_given(network):
    recording = record(network, GRAPH, {"z": Z})
    norm = recording.operations[2].value.astype(np.float64)
    before = norm.copy()
    recording.replay(4, {2: norm, 3: np.ones_like(norm)}, lambda index: True)
    first = recording.replay(4, {2: norm, 3: np.full_like(norm, 2)}, lambda index: True)
    np.testing.assert_array_equal(norm, before)
    np.testing.assert_allclose(first, norm * 2)


def test_replay_stops_where_it_may_not_go_or_nothing_fits(network):
    recording = record(network, GRAPH, {"z": Z})
    assert recording.replay(5, {}, lambda index: True) is None
    assert recording.replay(5, {0: Z}, lambda index: index != 2) is None
    assert recording.replay(5, {0: Z[:, :2]}, lambda index: True) is None


def test_network_is_left_as_it_was(network):
    record(network, GRAPH, {"z": Z})
    assert "forward" not in vars(network)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


def test_network_without_the_parts_is_refused():
    with pytest.raises(ArchitectureError, match="has no"):
        record(nn.Identity(), GRAPH, {"z": Z})
