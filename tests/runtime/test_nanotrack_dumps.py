"""Dumps of NanoTrack: pixels as they are, scores through a softmax over two channels, distances through an exp."""

import json

import device
import nanotracks
import numpy as np
import pytest
from golden_folder import pixels
from PIL import Image
from real_vectors import Setup

from commands import lt_export, lt_verify

MEAN, STD = 255 * np.array([0.485, 0.456, 0.406]), 255 * np.array([0.229, 0.224, 0.225])
TITLE, CASE = "drawn.png", "drawn_png"


def right(rgb):
    return rgb[:, :, ::-1].astype(np.float64)


# name -> (what it makes of an (H, W, 3) uint8 RGB picture, the causes that should be named)
INPUT = {
    "rgb": (lambda rgb: rgb.astype(np.float64), {"colour_order"}),
    "0 to 1": (lambda rgb: right(rgb) / 255, {"pixel_range"}),
    "ImageNet, BGR": (lambda rgb: (right(rgb) - MEAN[::-1]) / STD[::-1], {"normalisation_applied"}),
    "ImageNet, RGB values on BGR": (lambda rgb: (right(rgb) - MEAN) / STD, {"normalisation_applied"}),
    "ImageNet's mean": (lambda rgb: right(rgb) - MEAN[::-1], {"normalisation_applied"}),
    "-1 to 1": (lambda rgb: right(rgb) / 127.5 - 1, {"normalisation_applied"}),
    "as LightTrack": (lambda rgb: (rgb - MEAN) / STD, {"colour_order", "normalisation_applied"}),
    "rgb, 0 to 1": (lambda rgb: rgb / 255, {"colour_order", "pixel_range"}),
    "rows and columns": (lambda rgb: right(rgb).transpose(1, 0, 2), {"transposed_layout"}),
}


def softmax(values, axis=1):
    weights = np.exp(values.astype(np.float64) - values.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


# name -> (what it makes of cls, of loc, the causes that should be named of each)
OUTPUT = {
    "softmax": (softmax, None, {"softmax_applied"}),
    "softmax twice": (lambda cls: softmax(softmax(cls)), None, {"softmax_twice"}),
    "softmax over cells": (lambda cls: softmax(cls, (2, 3)), None, {"softmax_axis"}),
    "sigmoid": (device.sigmoid, None, {"sigmoid_applied"}),
    "score": (lambda cls: softmax(cls)[:, 1:], None, {"softmax_applied"}),
    "background's score": (lambda cls: softmax(cls)[:, :1], None, {"background_taken"}),
    "background": (lambda cls: cls[:, :1], None, {"background_taken"}),
    "foreground": (lambda cls: cls[:, 1:], None, {"one_channel"}),
    "channels exchanged": (lambda cls: cls[:, ::-1], None, {"channels_exchanged"}),
    "softmax, channels exchanged": (lambda cls: softmax(cls)[:, ::-1], None, {"softmax_applied", "channels_exchanged"}),
    "channels last": (device.last, None, set()),
    "rows and columns": (device.swapped, None, {"transposed_layout"}),
    "no exp": (None, np.log, {"exp_missing"}),
    "stride again": (None, lambda loc: loc * 16, {"stride_applied"}),
    "cells": (None, lambda loc: loc / 16, {"stride_divided"}),
    "shares": (None, lambda loc: loc / 255, {"loc_normalised"}),
    "no exp, channels last": (None, lambda loc: device.last(np.log(loc)), {"exp_missing"}),
}
SCORES = {
    "softmax missing": (lambda cls, logits: logits, {"softmax_missing"}),
    "softmax missing, channels exchanged": (
        lambda cls, logits: logits[:, ::-1],
        {"softmax_missing", "channels_exchanged"},
    ),
    "softmax twice": (lambda cls, logits: softmax(cls), {"softmax_twice"}),
    "background": (lambda cls, logits: cls[:, :1], {"background_taken"}),
    "score": (lambda cls, logits: cls[:, 1:], {"one_channel"}),
    "right": (lambda cls, logits: cls, set()),
}


@pytest.fixture(scope="module")
def nano(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nano")
    Image.fromarray(pixels(3, 300)).save(folder / TITLE)
    return Setup(folder, "v1", nanotracks.state("v1"), [folder / TITLE], "NanoTrackV1")


# Pixels of 0 to 1 are as good as black to the network: in which order their colours are does not show in the outputs.
@pytest.mark.parametrize(
    ("name", "only"),
    [*((name, None) for name in INPUT if name != "rgb, 0 to 1"), ("rgb", "x"), ("ImageNet, BGR", "x")],
)
def test_a_mistake_in_the_images_is_seen_in_the_outputs(nano, tmp_path, name, only):
    mistake, expected = INPUT[name]
    device.write_all(tmp_path / CASE, nano.answer(TITLE, mistake, only, right), "npy")
    assert nano.causes(tmp_path) == {key: expected for key in ("zf", "cls", "loc") if (key, only) != ("zf", "x")}


@pytest.mark.parametrize("name", INPUT)
def test_a_mistake_in_an_image_is_seen_in_its_dump(nano, tmp_path, name):
    mistake, expected = INPUT[name]
    wrong = device.fed(nano.pictures[TITLE], mistake)
    device.write_all(tmp_path / CASE, {"z": wrong["z"], **nano.answer(TITLE, right, None, right)})
    assert nano.causes(tmp_path) == {"z": expected}


def test_right_dumps_pass(nano, tmp_path):
    images = device.fed(nano.pictures[TITLE], right)
    device.write_all(tmp_path / CASE, {**images, **nano.answer(TITLE, right, None, right)})
    assert nano.causes(tmp_path) == {}


@pytest.mark.parametrize("name", OUTPUT)
def test_a_mistake_in_the_outputs(nano, tmp_path, name):
    cls, loc, expected = OUTPUT[name]
    answer = nano.answer(TITLE, right, None, right)
    output, change = ("cls", cls) if cls else ("loc", loc)
    device.write_all(tmp_path / CASE, {**answer, output: change(answer[output])})
    assert nano.causes(tmp_path) == ({output: expected} if expected else {})


@pytest.mark.parametrize("name", ["softmax", "score", "no exp", "stride again"])
def test_one_mistake_in_the_images_and_one_in_the_outputs(nano, tmp_path, name):
    cls, loc, expected = OUTPUT[name]
    answer = nano.answer(TITLE, INPUT["ImageNet, BGR"][0], None, right)
    output, change = ("cls", cls) if cls else ("loc", loc)
    device.write_all(tmp_path / CASE, {**answer, output: change(answer[output])})
    named = {key: {"normalisation_applied"} for key in ("zf", "cls", "loc")}
    assert nano.causes(tmp_path) == {**named, output: {"normalisation_applied", *expected}}


@pytest.fixture(scope="module")
def exported(nanotrack_weights, tmp_path_factory):
    """Exports with golden vectors: of logits, and of scores inside the graph."""
    folder = tmp_path_factory.mktemp("exported")
    for name, more in (("logits", ()), ("scores", ("--softmax",))):
        done = lt_export(nanotrack_weights["v1"], "-o", folder / name, "--write-golden", "-q", *more)
        assert done.code == 0, done.err
    return folder


def by_channel(values):
    """Of BGR crops."""
    return values[::-1].reshape(1, 3, 1, 1)


def told(folder, dumps, *more):
    done = lt_verify(folder, "--dumps", dumps, "--json", *more)
    found = {each["cause"] for each in json.loads(done.out)["dumps"]["causes"]}
    assert done.code == (1 if found else 0), done.err
    return found, done


@pytest.mark.parametrize("name", ["score", "no exp", "softmax over cells"])
def test_the_command_names_a_mistake_in_the_outputs(exported, tmp_path, name):
    cls, loc, expected = OUTPUT[name]
    for case in sorted((exported / "logits/golden").glob("*/update")):
        answer = {key: np.load(case / f"{key}.npy") for key in ("cls", "loc")}
        output, change = ("cls", cls) if cls else ("loc", loc)
        device.write_all(tmp_path / case.parent.name, {**answer, output: change(answer[output])}, "npy")
    assert told(exported / "logits", tmp_path)[0] == expected


@pytest.mark.parametrize("name", SCORES)
def test_the_command_names_what_became_of_scores_inside_the_graph(exported, tmp_path, name):
    change, expected = SCORES[name]
    for case in sorted((exported / "scores/golden").glob("*/update")):
        cls, loc = (np.load(case / f"{key}.npy") for key in ("cls", "loc"))
        logits = np.load(exported / "logits/golden" / case.parent.name / "update/cls.npy")
        device.write_all(tmp_path / case.parent.name, {"cls": change(cls, logits), "loc": loc}, "npy")
    assert told(exported / "scores", tmp_path)[0] == expected


def test_the_command_says_that_somebody_normalised(exported, nanotrack_weights, tmp_path):
    network = nanotracks.network("v1")
    for case in sorted((exported / "logits/golden").glob("*")):
        if not case.is_dir():
            continue
        crops = {name: np.load(next(case.glob(f"*/{name}.npy"))) for name in ("z", "x")}
        wrong = {
            name: (crop - MEAN[::-1].reshape(1, 3, 1, 1)) / STD[::-1].reshape(1, 3, 1, 1)
            for name, crop in crops.items()
        }
        answer = nanotracks.of_crops(network, wrong)
        device.write_all(tmp_path / case.name, {name: answer[name] for name in ("zf", "cls", "loc")}, "npy")
    found, done = told(exported / "logits", tmp_path, "--resume", nanotrack_weights["v1"])
    assert found == {"normalisation_applied"}
    texts = {each["text"] for each in json.loads(done.out)["dumps"]["causes"]}
    assert texts == {"z and x: ImageNet's mean and std (in BGR order) were applied; feed pixels of 0-255 as they are"}
