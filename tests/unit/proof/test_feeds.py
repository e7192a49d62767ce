"""Inputs to compare on: reproducible noise, and crops of pictures as a tracker would cut them."""

import numpy as np
import pytest
from PIL import Image

from converter.errors import UsageError
from converter.proof.feeds import edge_mask, noise_feeds, normalised, picture_feed
from converter.spec.config import network_for
from converter.spec.tensors import TensorSpec

PREPROCESS = network_for(None)[1].preprocess
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def image(name, size):
    return TensorSpec(name=name, meaning=name, about=name, shape=(1, 3, size, size))


IMAGES = (image("z", 32), image("x", 64))


def noise_bytes(seed, count=2):
    return [array.tobytes() for feed in noise_feeds(seed, count, IMAGES) for array in feed.tensors.values()]


def picture(folder, pixels, name="picture.png"):
    path = folder / name
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path)
    return path


def bytes_of(tensor):
    """Undo the normalisation: (1, 3, H, W) to (H, W, 3) on 0-255."""
    return tensor[0].transpose(1, 2, 0) * STD + MEAN


def test_noise_of_one_seed_is_the_same_bytes():
    assert noise_bytes(7) == noise_bytes(7)


def test_noise_differs_between_seeds_feeds_and_inputs():
    same_size = (image("z", 8), image("x", 8))
    arrays = [
        array.tobytes()
        for seed in (0, 1)
        for feed in noise_feeds(seed, 2, same_size)
        for array in feed.tensors.values()
    ]
    assert len(set(arrays)) == 8


def test_more_noise_begins_with_the_same_noise():
    assert noise_bytes(7, count=3)[:4] == noise_bytes(7, count=2)


def test_noise_has_the_declared_shapes_as_float32():
    feeds = noise_feeds(0, 3, IMAGES)
    assert [feed.name for feed in feeds] == ["noise 0", "noise 1", "noise 2"]
    for feed in feeds:
        assert {name: array.shape for name, array in feed.tensors.items()} == {"z": (1, 3, 32, 32), "x": (1, 3, 64, 64)}
        assert {array.dtype for array in feed.tensors.values()} == {np.dtype(np.float32)}


def test_noise_is_standard_normal():
    x = noise_feeds(0, 1, [image("x", 128)])[0].tensors["x"]
    assert abs(x.mean()) < 0.02
    assert abs(x.std() - 1) < 0.02


def test_no_noise_is_no_feed():
    assert noise_feeds(0, 0, IMAGES) == []


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
    with pytest.raises(UsageError, match=r"--image .*is a folder, expected a picture"):
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


def test_noise_of_a_mask_is_a_mask():
    (first, second) = noise_feeds(3, 2, [image("z", 128), image("x", 320), MASK])
    assert set(np.unique(first.tensors["x_mask"])) == {0, 1}
    assert not np.array_equal(first.tensors["x_mask"], second.tensors["x_mask"])
    assert np.array_equal(first.tensors["x"], noise_feeds(3, 1, [image("z", 128), image("x", 320)])[0].tensors["x"])


def test_crops_of_a_picture_have_image_everywhere(tmp_path):
    path = picture(tmp_path, np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8))
    images = [image("z", 32), image("x", 64)]
    with_mask = picture_feed(path, [*images, MASK], PREPROCESS)
    assert not with_mask.tensors["x_mask"].any()
    assert np.array_equal(with_mask.tensors["x"], picture_feed(path, images, PREPROCESS).tensors["x"])
