"""Golden vectors and dumps with the smallest network."""

import device
import numpy as np
import pytest
import torch
from real_vectors import Setup
from torch import nn

from conftest import TINY
from converter.errors import ArchitectureError, ConversionError, UsageError
from converter.network.demo import seeded_state
from converter.network.trace import run_mode


def drawn_picture(path):
    from PIL import Image

    rows, columns = np.mgrid[0:160, 0:200] / 160
    image = np.stack([90 + 80 * np.sin(9 * rows), 60 + 50 * np.cos(7 * columns + rows), 255 * rows * columns % 256], -1)
    noise = np.random.default_rng(0).uniform(-15, 15, image.shape)
    Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The smallest network with a small search crop."""
    folder = tmp_path_factory.mktemp("small")
    state = seeded_state(TINY)
    return Setup(folder, TINY, state, [drawn_picture(folder / "drawn.png")], search_size=160)


def snapshot(module):
    return {name: dict(vars(part)) | {"children": dict(part._modules)} for name, part in module.named_modules()}


def hooks(module):
    return [len(part._forward_hooks) for part in module.modules()]


def test_inner_tensors_of_a_run(small):
    feed, answer = small.feeds[0], small.answers[0]
    before, hooked = snapshot(small.network), hooks(small.network)
    inner = run_mode(
        small.network,
        small.graphs[1],
        {**answer, **feed.tensors},
        ["features", "neck", "feature_fusor", "head.*_p*"],
        answer,
    )
    assert snapshot(small.network) == before
    assert hooks(small.network) == hooked
    assert list(inner) == [
        "features", "neck.0", "neck.1", "feature_fusor.cls", "feature_fusor.reg", "head.cls_perd", "head.reg_pred",
    ]  # fmt: skip
    np.testing.assert_array_equal(inner["features"], answer["xf"])
    np.testing.assert_array_equal(inner["head.cls_perd"], answer["cls"])
    np.testing.assert_array_equal(inner["head.reg_pred"], answer["reg"])


def test_inner_tensors_are_as_they_were_when_they_came_to_be(small):
    """The official network adds to a batch norm's output in place."""

    class InPlace(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
            self.neck = self.feature_fusor = self.head = nn.Identity()
            self.template = self.track = lambda image: None

    network = InPlace().eval()
    image = np.random.default_rng(0).standard_normal(small.graphs[0].inputs[0].shape).astype(np.float32)
    answer = {"zf": np.maximum(image, 0)}
    inner = run_mode(network, small.graphs[0], {"z": image.copy()}, ["features.*"], answer)
    np.testing.assert_array_equal(inner["features.0"], image)
    np.testing.assert_array_equal(inner["features.1"], answer["zf"])


def test_a_module_that_runs_twice_gives_two_tensors(small):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            part = nn.Sigmoid()
            self.features = nn.Sequential(part, part)
            self.neck = self.feature_fusor = self.head = nn.Identity()
            self.template = self.track = lambda image: None

    image = np.zeros(small.graphs[0].inputs[0].shape, np.float32)
    once = np.full_like(image, 0.5)
    answer = {"zf": torch.sigmoid(torch.from_numpy(once)).numpy()}
    inner = run_mode(Twice().eval(), small.graphs[0], {"z": image}, ["features.0"], answer)
    assert list(inner) == ["features.0", "features.0_2"]
    np.testing.assert_array_equal(inner["features.0"], once)
    np.testing.assert_array_equal(inner["features.0_2"], answer["zf"])


def test_a_forward_mode_that_answers_otherwise_is_noticed(small):
    answer = {**small.answers[0], "zf": small.answers[0]["zf"] * 1.001}
    with pytest.raises(ConversionError, match="init: the forward mode answers 'zf' otherwise than the unpatched"):
        run_mode(small.network, small.graphs[0], small.feeds[0].tensors, [], answer)
    assert "forward" not in vars(small.network)


def test_a_pattern_that_matches_no_module_leaves_no_hook(small):
    hooked = hooks(small.network)
    with pytest.raises(UsageError, match="'nose' matches no module"):
        run_mode(small.network, small.graphs[0], small.feeds[0].tensors, ["features", "nose"], small.answers[0])
    assert hooks(small.network) == hooked
    assert "forward" not in vars(small.network)


def test_a_network_without_the_official_parts_is_refused(small):
    with pytest.raises(ArchitectureError, match="Linear has no 'features'"):
        run_mode(nn.Linear(2, 2), small.graphs[0], {}, [], {})


def test_config_names_modules_of_every_network(small):
    graphs = {graph.name: graph.intermediates for graph in small.index.graphs}
    assert graphs["init"] == ["features.blocks.1", "features.blocks.2"]
    assert {"neck.BN_z", "neck.BN_x", "feature_fusor.pw_corr", "head.cls_tower", "head.reg_tower"} <= set(
        graphs["update"]
    )


def test_golden_vectors_of_the_network_are_its_answers(small):
    for feed, answer, expected_feed, expected in zip(
        small.golden.feeds(), small.golden.answers(), small.feeds, small.answers, strict=True
    ):
        for name, array in {**feed.tensors, **answer}.items():
            np.testing.assert_array_equal(array, {**expected, **expected_feed.tensors}[name])


@pytest.mark.parametrize("name", device.INPUT)
def test_smallest_network_with_a_mistake_in_the_images(small, tmp_path, name):
    mistake, cause = device.INPUT[name]
    device.write_all(tmp_path, small.answer("drawn.png", mistake), prefix="drawn_png_")
    assert small.causes(tmp_path) == {key: {cause} for key in ("zf", "cls", "reg")}


@pytest.mark.parametrize("name", device.OUTPUT)
def test_smallest_network_with_a_mistake_in_the_outputs(small, tmp_path, name):
    change, expected = device.OUTPUT[name]
    device.write_all(tmp_path, change(small.answer("drawn.png")), "txt", prefix="drawn_png_")
    assert small.causes(tmp_path) == expected
