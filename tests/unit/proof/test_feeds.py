"""Inputs to compare on: reproducible noise, the package's pictures, and crops of others as a tracker would cut them."""

import numpy as np
import pytest
from default_inputs import PICTURES as PICTURE_NAMES
from PIL import Image

from converter.errors import UsageError
from converter.families.family import family_of
from converter.proof.feeds import Feed, normalised
from converter.proof.inputs import (
    PICTURES,
    edge_mask,
    feeds_of,
    held_against,
    noise_feeds,
    packaged_feeds,
    picture_feed,
)
from converter.spec.config import network_for
from converter.spec.model import TrackerModels
from converter.spec.tensors import TensorSpec

PREPROCESS = network_for(None)[1].preprocess
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def image(name, size):
    return TensorSpec(name=name, meaning=name, about=name, shape=(1, 3, size, size))


IMAGES = (image("z", 32), image("x", 64))


AS_PIXELS = PREPROCESS.model_copy(update={"pixel_range": [0.0, 255.0], "mean": [0.0] * 3, "std": [1.0] * 3})


def noise(seed, count=2, images=IMAGES, preprocess=PREPROCESS):
    return noise_feeds(seed, count, images, preprocess)


def noise_bytes(seed, count=2):
    return [array.tobytes() for feed in noise(seed, count) for array in feed.tensors.values()]


def default_feeds(images=IMAGES, preprocess=PREPROCESS, seed=0):
    return [*noise(seed, 3, images, preprocess), *packaged_feeds(seed, images, preprocess)]


def picture(folder, pixels, name="picture.png"):
    path = folder / name
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def bytes_of(tensor):
    """Undo the normalisation: (1, 3, H, W) to (H, W, 3) on 0-255."""
    return tensor[0].transpose(1, 2, 0) * STD + MEAN


def test_noise_of_one_seed_is_the_same_bytes():
    assert noise_bytes(7) == noise_bytes(7)


def test_noise_differs_between_seeds_and_feeds():
    arrays = [array for seed in (0, 1) for array in noise_bytes(seed, 4)]
    assert len(set(arrays)) == len(arrays) == 16


def test_more_noise_begins_with_the_same_noise():
    assert noise_bytes(7, count=3)[:4] == noise_bytes(7, count=2)


def test_noise_has_the_declared_shapes_as_float32():
    feeds = noise(0, 4)
    assert [feed.name for feed in feeds] == ["noise, fine", "noise, smooth", "noise, coarse", "noise, fine 2"]
    for feed in feeds:
        assert {name: array.shape for name, array in feed.tensors.items()} == {"z": (1, 3, 32, 32), "x": (1, 3, 64, 64)}
        assert {array.dtype for array in feed.tensors.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", ["noise, fine", "noise, fine 2", "noise, fine at 10/24", "noise, fine 3 at 128/256"])
def test_weights_in_bytes_are_not_held_against_fine_noise(name):
    assert [held_against(name, precision) for precision in ("fp32", "half", "mixed")] == [True] * 3
    assert [held_against(name, precision) for precision in ("w8", "int8")] == [False] * 2


@pytest.mark.parametrize(
    "name", ["noise, smooth", "noise, coarse 2", "noise, fine.png", "my noise, fine", "picture 'flat'"]
)
def test_weights_in_bytes_are_held_against_all_else(name):
    assert held_against(name, "w8")


def test_no_noise_is_no_feed():
    assert noise(0, 0) == []


def test_noise_is_fine_smooth_and_coarse():
    fine, smooth, coarse = (feed.tensors["x"][0].round() for feed in noise(0, 3, [image("x", 128)], AS_PIXELS))
    assert set(np.unique(fine)) == {0, 255}
    assert abs(fine.mean() - 127.5) < 20
    steps = [np.abs(np.diff(pixels)).mean() for pixels in (fine, smooth, coarse)]
    assert steps[0] > 70
    assert 4 < steps[1] < 20
    assert steps[2] < steps[1] / 2
    for pixels in (smooth, coarse):
        assert pixels.max() > 230
        assert pixels.min() < 25


@pytest.mark.parametrize("sizes", [(127, 288), (128, 256), (31, 400), (255, 255)])
def test_every_default_input_begins_as_pixels_of_8_bits(sizes):
    """The normalisation undone, there are whole numbers; and what the network is given is made of these."""
    images = [image(name, size) for name, size in zip("zx", sizes, strict=True)]
    for feed, shown in zip(default_feeds(images), default_feeds(images, AS_PIXELS), strict=True):
        assert feed.name == shown.name
        for tensor in images:
            pixels = shown.tensors[tensor.meaning]
            assert pixels.shape == tensor.shape
            np.testing.assert_allclose(pixels, pixels.round(), atol=1e-4)
            again = normalised(pixels[0].round().transpose(1, 2, 0).clip(0, 255).astype(np.uint8), PREPROCESS)
            np.testing.assert_array_equal(feed.tensors[tensor.meaning], again)


def test_a_bgr_network_is_shown_the_same_pictures():
    turned = AS_PIXELS.model_copy(update={"colour_order": "BGR"})
    for rgb, bgr in zip(default_feeds(preprocess=AS_PIXELS), default_feeds(preprocess=turned), strict=True):
        for name in ("z", "x"):
            np.testing.assert_array_equal(rgb.tensors[name], bgr.tensors[name][:, ::-1])


def test_the_template_is_the_middle_of_the_search_crop():
    for feed in default_feeds():
        if "scale 3" not in feed.name:
            np.testing.assert_array_equal(feed.tensors["z"], feed.tensors["x"][:, :, 16:48, 16:48])


def test_pictures_are_the_same_whatever_the_seed():
    pairs = zip(packaged_feeds(0, IMAGES, PREPROCESS), packaged_feeds(1, IMAGES, PREPROCESS), strict=True)
    for one, other in pairs:
        assert one.name == other.name
        assert one.tensors["x"].tobytes() == other.tensors["x"].tobytes()


def test_pictures_show_what_they_are_called():
    images = [image("z", 127), image("x", 288)]
    shown = {feed.name: feed.tensors["x"][0].transpose(1, 2, 0) for feed in packaged_feeds(0, images, AS_PIXELS)}
    assert list(shown) == list(PICTURE_NAMES)
    by_name = {name.split("'")[1]: pixels.round() for name, pixels in shown.items()}
    assert by_name["dark"].max() < 50
    assert np.median(by_name["overexposed"]) == 255
    assert set(np.unique(by_name["surfaces"])) == {64, 192}
    assert set(np.unique(by_name["flat"])) == {118}
    assert len(np.unique(by_name["texture"].reshape(-1, 3), axis=0)) > 10000


def test_a_picture_is_enlarged_by_its_scale():
    """At scale 3 the crop shows a third of the picture, at 1 its very pixels."""
    images = [image("x", 96)]
    x = {feed.name.split("'")[1]: feed.tensors["x"][0] for feed in packaged_feeds(0, images, AS_PIXELS)}
    with Image.open(PICTURES / "surfaces.png") as opened:
        middle = np.asarray(opened.convert("RGB"))[144:240, 144:240]
    np.testing.assert_allclose(x["surfaces"].transpose(1, 2, 0), middle, atol=1e-4)
    with Image.open(PICTURES / "texture.png") as opened:
        part = opened.convert("RGB").crop((176, 176, 208, 208)).resize((96, 96), Image.Resampling.BILINEAR)
    found = x["texture"].transpose(1, 2, 0)[4:-4, 4:-4]
    np.testing.assert_allclose(found, np.asarray(part)[4:-4, 4:-4], atol=1)


def test_default_inputs_are_few_and_have_names_of_their_own():
    names = [feed.name for feed in default_feeds()]
    assert len(set(names)) == len(names) <= 10


def test_the_default_inputs_are_noise_then_pictures_then_the_users(tmp_path):
    spec = network_for(None)[1]
    tracker = TrackerModels(spec, family_of(spec.family).dimensions(spec.path_name, *spec.sizes), ())
    feeds = feeds_of(tracker, 0, [picture(tmp_path, np.zeros((300, 300, 3)))])
    assert [feed.name for feed in feeds] == [feed.name for feed in default_feeds()] + ["picture.png"]
    assert isinstance(feeds[0], Feed)


@pytest.mark.parametrize("size", [(64, 64), (200, 90), (90, 200), (31, 47)])
def test_picture_gives_both_crops_as_float32(tmp_path, size):
    path = picture(tmp_path, np.zeros((*size, 3)))
    feed = picture_feed(path, IMAGES, PREPROCESS)
    assert feed.name == "picture.png"
    assert {name: array.shape for name, array in feed.tensors.items()} == {"z": (1, 3, 32, 32), "x": (1, 3, 64, 64)}
    for array in feed.tensors.values():
        assert array.dtype == np.float32
        assert array.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(("side", "search"), [(800, 352), (800, 319), (768, 287), (900, 304)])
def test_the_largest_crop_stays_within_the_picture(tmp_path, side, search):
    images = [
        image.model_copy(update={"shape": (1, 3, size, size)})
        for image, size in zip(IMAGES, (127, search), strict=True)
    ]
    feed = picture_feed(picture(tmp_path, np.zeros((side, side + 480, 3))), images, PREPROCESS)
    assert feed.tensors["x"].shape == (1, 3, search, search)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (10, 120, 230)])
def test_constant_colour_becomes_its_normalised_value_everywhere(tmp_path, colour):
    feed = picture_feed(picture(tmp_path, np.full((80, 120, 3), colour)), IMAGES, PREPROCESS)
    for array in feed.tensors.values():
        for channel, value in enumerate((np.array(colour) - MEAN) / STD):
            assert np.unique(array[0, channel]).size == 1
            assert array[0, channel, 0, 0] == pytest.approx(value, abs=1e-6)


def test_channels_are_red_green_blue(tmp_path):
    x = picture_feed(picture(tmp_path, np.full((64, 64, 3), (255, 0, 0))), IMAGES, PREPROCESS).tensors["x"]
    assert x[0, 0, 0, 0] > 2
    assert x[0, 1:, 0, 0].max() < -1.5


def test_bgr_networks_get_blue_first():
    preprocess = PREPROCESS.model_copy(update={"colour_order": "BGR", "mean": [0.0] * 3, "std": [1.0] * 3})
    values = normalised(np.full((1, 1, 3), (51, 102, 204), np.uint8), preprocess)
    np.testing.assert_allclose(values.ravel(), [0.8, 0.4, 0.2], rtol=1e-6)


def test_rows_stay_rows():
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    values = normalised(pixels, PREPROCESS)
    assert values.shape == (1, 3, 2, 3)
    np.testing.assert_allclose(bytes_of(values), pixels, atol=1e-4)


@pytest.mark.parametrize("pixel_range", [[0.0, 255.0], [-1.0, 1.0]])
def test_pixel_range_is_that_of_mean_and_std(pixel_range):
    low, high = pixel_range
    update = {"pixel_range": pixel_range, "mean": [low] * 3, "std": [high - low] * 3}
    values = normalised(np.full((1, 1, 3), (0, 51, 255), np.uint8), PREPROCESS.model_copy(update=update))
    np.testing.assert_allclose(values.ravel(), [0, 0.2, 1], atol=1e-6)


def test_template_shows_the_inner_part_of_the_search_crop(tmp_path):
    random = np.random.default_rng(0)
    feed = picture_feed(picture(tmp_path, random.integers(0, 256, (64, 100, 3))), IMAGES, PREPROCESS)
    np.testing.assert_array_equal(feed.tensors["z"], feed.tensors["x"][:, :, 16:48, 16:48])


@pytest.mark.parametrize("portrait", [False, True])
def test_search_crop_is_the_middle_of_the_picture(tmp_path, portrait):
    pixels = np.random.default_rng(1).integers(0, 256, (64, 100, 3), dtype=np.uint8)
    middle = pixels[:, 18:82]
    if portrait:
        pixels, middle = pixels.swapaxes(0, 1), middle.swapaxes(0, 1)
    x = picture_feed(picture(tmp_path, pixels), IMAGES, PREPROCESS).tensors["x"]
    np.testing.assert_allclose(bytes_of(x), middle, atol=1e-3)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_pictures_of_other_modes_are_read(tmp_path, mode):
    path = tmp_path / "picture.png"
    Image.new("RGB", (80, 80), "white").convert(mode).save(path)
    x = picture_feed(path, IMAGES, PREPROCESS).tensors["x"]
    np.testing.assert_allclose(bytes_of(x), 255, atol=1e-3)


def test_missing_picture_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"--image .*absent\.png: no such file"):
        picture_feed(tmp_path / "absent.png", IMAGES, PREPROCESS)


def test_folder_is_no_picture(tmp_path):
    with pytest.raises(UsageError, match=r"--image .*: is a folder, expected a picture"):
        picture_feed(tmp_path, IMAGES, PREPROCESS)


@pytest.mark.parametrize("content", [b"", b"not a picture\n", b"\x89PNG\r\n\x1a\n"])
def test_other_file_is_no_picture(tmp_path, content):
    path = tmp_path / "notes.png"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"--image .*notes\.png: not a picture"):
        picture_feed(path, IMAGES, PREPROCESS)


def test_cut_off_picture_is_refused(tmp_path):
    path = picture(tmp_path, np.random.default_rng(0).integers(0, 256, (64, 64, 3)))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(UsageError, match="not a picture"):
        picture_feed(path, IMAGES, PREPROCESS)


MASK = TensorSpec(name="x_mask", meaning="x_mask", about="", shape=(1, 400), mask_of="x")


def test_masks_are_zeros_and_ones_at_two_edges():
    generator = np.random.default_rng(0)
    for _ in range(50):
        mask = edge_mask(20, generator)
        assert (mask.shape, mask.dtype) == ((1, 400), np.float32)
        assert set(np.unique(mask)) == {0, 1}
        cells = mask.reshape(20, 20)
        assert cells[5:15, 5:15].sum() < 100
        assert {int(cells[0, 0]), int(cells[0, -1]), int(cells[-1, 0]), int(cells[-1, -1])} == {0, 1}
    assert len({edge_mask(20, generator).tobytes() for _ in range(20)}) > 10


def test_default_inputs_have_masks_that_mark_cells_without_image():
    """Each another; and what a mask marks changes nothing in the pictures."""
    images = [image("z", 128), image("x", 320)]
    masks = []
    for with_mask, without in zip(default_feeds([*images, MASK]), default_feeds(images), strict=True):
        masks.append(with_mask.tensors["x_mask"])
        assert masks[-1].shape == MASK.shape
        assert set(np.unique(masks[-1])) == {0, 1}
        assert np.array_equal(with_mask.tensors["x"], without.tensors["x"])
    assert len({mask.tobytes() for mask in masks}) > len(masks) / 2


def test_crops_of_a_picture_have_image_everywhere(tmp_path):
    path = picture(tmp_path, np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8))
    images = [image("z", 32), image("x", 64)]
    with_mask = picture_feed(path, [*images, MASK], PREPROCESS)
    assert not with_mask.tensors["x_mask"].any()
    assert np.array_equal(with_mask.tensors["x"], picture_feed(path, images, PREPROCESS).tensors["x"])


def test_pixels_that_nothing_is_done_to_stay_exactly_what_they_are():
    pixels = np.arange(256, dtype=np.uint8)[np.newaxis, :, np.newaxis] + np.array([0, 1, 2], np.uint8)
    found = normalised(pixels, network_for("NanoTrackV1")[1].preprocess)
    assert (found.dtype, found.shape) == (np.float32, (1, 3, 1, 256))
    assert np.array_equal(found[0].transpose(1, 2, 0), pixels[..., ::-1].astype(np.float32))
