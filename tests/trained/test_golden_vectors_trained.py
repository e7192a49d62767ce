"""Golden vectors and dumps of the trained network, on crops of the clip."""

import device
import pytest
import torch
from real_vectors import Setup

from conftest import MOBILE


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
    assert sum(file.bytes for file in trained.index.files) < 60e6
