"""Golden vectors and dumps with real networks: the smallest, and the trained one on crops of the clip."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from conftest import MOBILE, TINY
from converter.checks.dumps.diagnose import diagnose_dumps
from converter.errors import ArchitectureError, ConversionError, UsageError
from converter.families.dimensions import dimensions_of
from converter.families.family import family_of
from converter.folder.golden import GoldenCase, golden_header, read_golden, write_golden
from converter.network.demo import seeded_state
from converter.network.reference import TorchModel
from converter.network.trace import intermediates, run_mode
from converter.proof.feeds import noise_feeds, picture_feed
from converter.spec.config import network_for
from converter.spec.network import Preprocess
from converter.spec.options import ExportOptions

sys.path.append(str(Path(__file__).parent.parent / "unit"))
import device

pytestmark = pytest.mark.real
FAMILY = family_of("lighttrack")
AS_PIXELS = Preprocess(colour_order="RGB", pixel_range=[0.0, 255.0], mean=[0.0] * 3, std=[1.0] * 3)


class Setup:
    """A network, its graphs, and golden vectors of pictures.

    Attributes:
        pictures: title to {"z", "x"}, the crops' pixels, (H, W, 3) RGB.
    """

    def __init__(self, folder, path_name, state, paths, **sizes):
        arch, self.spec = network_for(None, None, {"path_name": path_name, **sizes})
        options = ExportOptions(arch=arch, checkpoint=folder, output=folder, network=self.spec)
        dimensions = dimensions_of(options.network)
        self.network = FAMILY.build(path_name, self.spec.template_size)
        self.network.load_state_dict(state, assign=True)
        self.network.eval()
        self.graphs = self.spec.graph_specs("two", dimensions)
        images = (self.graphs[0].inputs[0], self.graphs[1].inputs[1])
        self.reference = TorchModel(self.network, FAMILY, images)
        self.feeds = [picture_feed(path, images, self.spec.preprocess) for path in paths] + noise_feeds(0, 1, images)
        self.pictures = {
            path.name: {
                name: image[0].transpose(1, 2, 0)
                for name, image in picture_feed(path, images, AS_PIXELS).tensors.items()
            }
            for path in paths
        }
        self.answers = [self.reference.infer(feed.tensors) for feed in self.feeds]
        about = {
            "arch": arch,
            "path_name": path_name,
            "checkpoint": {"file": "a.pth"},
            "preprocess": {"colour_order": "RGB", "on_0_1": self.spec.preprocess.model_dump(include={"mean", "std"})},
            "tracker": {"stride": dimensions.stride, "search_size": self.spec.search_size, **self.spec.tracker},
        }
        self.tolerances = self.spec.tolerances["fp32"]
        header = golden_header(about, "torch", "fp32", self.tolerances)
        inner = intermediates(self.network, self.graphs, self.feeds, self.answers, self.spec.intermediates)
        (folder / "golden").mkdir()
        triples = zip(self.feeds, self.answers, inner, strict=True)
        cases = [GoldenCase(self.graphs, *triple) for triple in triples]
        self.index = write_golden(folder / "golden", header, cases)
        self.golden = read_golden(folder / "golden")

    def answer(self, title, mistake=device.right, only=None):
        given = self.reference.infer(device.fed(self.pictures[title], mistake, only))
        return {name: given[name] for name in ("zf", "cls", "reg")}

    def causes(self, folder):
        report = diagnose_dumps(folder, self.golden, self.tolerances, self.spec.preprocess, self.reference.infer)
        return {tensor.name: {cause.cause for cause in tensor.causes} for tensor in report.tensors if not tensor}


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


@pytest.fixture(scope="module")
def trained(shared, tmp_path_factory):
    """The trained checkpoint, on two frames of the clip."""
    import cv2

    folder = tmp_path_factory.mktemp("trained")
    clip = cv2.VideoCapture(str(shared / "clips" / "bag.avi"))
    frames = [frame for _ in range(111) for good, frame in [clip.read()] if good]
    paths = [folder / f"frame{index}.png" for index in (20, 110)]
    for path, index in zip(paths, (20, 110), strict=True):
        cv2.imwrite(str(path), frames[index])
    state = torch.load(shared / "checkpoints" / "LightTrackM.pth", weights_only=True)["state_dict"]
    return Setup(folder, MOBILE, {key.removeprefix("module."): value for key, value in state.items()}, paths)


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
    graphs = {graph["name"]: graph["intermediates"] for graph in small.index["graphs"]}
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


@pytest.mark.parametrize(
    ("image", "only"),
    [("bgr", None), ("bgr", "x"), ("raw 0-255", "z"), ("norm before mean, 0-255", None), ("HWC as CHW", None)],
)
def test_trained_network_with_a_mistake_in_the_images(trained, tmp_path, image, only):
    mistake, cause = device.INPUT[image]
    device.write_all(tmp_path / "frame20_png", trained.answer("frame20.png", mistake, only), "npy")
    assert trained.causes(tmp_path) == {key: {cause} for key in ("zf", "cls", "reg") if (key, only) != ("zf", "x")}


@pytest.mark.parametrize("output", ["sigmoid twice", "stride missing", "NHWC", "exchanged", "transposed"])
def test_trained_network_with_two_mistakes(trained, tmp_path, output):
    mistake, cause = device.INPUT["bgr"]
    change, expected = device.OUTPUT[output]
    device.write_all(tmp_path / "frame110_png", change(trained.answer("frame110.png", mistake)), "txt")
    assert trained.causes(tmp_path) == {key: {cause, *expected.get(key, ())} for key in ("zf", "cls", "reg")}


@pytest.mark.parametrize("output", device.OUTPUT)
def test_trained_network_with_a_mistake_in_the_outputs(trained, tmp_path, output):
    change, expected = device.OUTPUT[output]
    device.write_all(tmp_path, change(trained.answer("frame20.png")))
    assert trained.causes(tmp_path) == expected


def test_template_of_another_target(trained, tmp_path):
    first, second = (feed.tensors for feed in trained.feeds[:2])
    wrong = trained.reference.infer({"z": second["z"], "x": first["x"]})
    device.write_all(tmp_path / "frame20_png", {name: wrong[name] for name in ("cls", "reg")})
    assert trained.causes(tmp_path) == {"cls": {"stale_input"}, "reg": {"stale_input"}}


def test_size_of_golden_vectors(trained):
    assert sum(file["bytes"] for file in trained.index["files"]) < 60e6
