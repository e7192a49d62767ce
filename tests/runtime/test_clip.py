"""Clips tracked by real networks and runtimes, against each other."""

import json
import shutil

import cv2
import numpy as np
import pytest
from clip_setting import Setting

from commands import lt_export
from conftest import TINY
from converter.proof.boxes import Box


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A short clip of a patterned square on noise, as pictures."""
    folder = tmp_path_factory.mktemp("clip")
    generator = np.random.default_rng(0)
    ground = cv2.blur(generator.integers(0, 256, (120, 160, 3), np.uint8), (5, 5))
    target = generator.integers(0, 256, (30, 30, 3), np.uint8)
    for index in range(8):
        pixels = ground.copy()
        pixels[40 + index : 70 + index, 60 + 2 * index : 90 + 2 * index] = target
        assert cv2.imwrite(str(folder / f"{index}.png"), pixels)
    return folder


@pytest.fixture(scope="module")
def small(tiny):
    return Setting(tiny, TINY, 288)


START = Box(60, 40, 30, 30)


def test_small_network_on_a_drawn_clip(small, tiny_export, drawn, tmp_path):
    result = small.run(
        drawn,
        START,
        {"ncnn": small.candidate(tiny_export, "ncnn", "two")},
        annotate=tmp_path / "out.mp4",
    )
    assert result
    assert result.candidates[0].judged.iou_smallest > 0.999
    assert result.candidates[0].judged.score_max < 1e-4
    assert result.speed.milliseconds > 0 < result.candidates[0].speed.milliseconds
    assert (tmp_path / "out.mp4").stat().st_size > 1000
    json.dumps(result.as_dict(), allow_nan=False)


def test_three_onnx_graphs_on_a_drawn_clip(small, tiny, drawn, tmp_path):
    done = lt_export("--resume", tiny, "--path-name", TINY, "--format", "onnx", "--output", tmp_path / "onnx")
    assert done.code == 0, done.err
    result = small.run(drawn, START, {"onnx": small.candidate(tmp_path / "onnx", "onnx", "three")})
    assert result
    assert result.candidates[0].judged.iou_smallest > 0.999


def damaged(export, folder, change):
    """A copy of an export whose update weights, as float32, were changed."""
    shutil.copytree(export, folder)
    path = folder / "lighttrack_update.bin"
    data = bytearray(path.read_bytes())
    last = len(data) // 4 * 4
    weights = np.frombuffer(data, np.float32, count=last // 4)
    weights = weights.copy()
    change(weights)
    path.write_bytes(weights.tobytes() + bytes(data[last:]))
    return folder


def test_a_damaged_model_loses_the_target(small, tiny_export, drawn, tmp_path):
    def other_weights(weights):
        weights[-400:-2] *= -1

    folder = damaged(tiny_export, tmp_path / "damaged", other_weights)
    models = {"good": small.candidate(tiny_export, "ncnn", "two"), "damaged": small.candidate(folder, "ncnn", "two")}
    result = small.run(drawn, START, models)
    good, bad = result.candidates
    assert not result
    assert bool(good)
    assert bad.judged.iou_mean < 0.99
    assert bad.free.iou_mean < 0.9
    assert bad.free.first_below is not None
    assert "damaged: mean overlap" in result.failure()


def test_a_model_that_answers_with_nan_fails_in_its_first_frame(small, tiny_export, drawn, tmp_path):
    def nan(weights):
        weights[-400:-2] = np.nan

    folder = damaged(tiny_export, tmp_path / "damaged", nan)
    result = small.run(drawn, START, {"ncnn": small.candidate(folder, "ncnn", "two")})
    assert not result
    assert result.candidates[0].problem.startswith("frame 1: ")
    assert "NaN or infinite" in result.failure()
    json.dumps(result.as_dict(), allow_nan=False)


def test_a_model_of_another_size_fails_with_what_it_expected(small, tiny, tiny_export, drawn):
    other = Setting(tiny, TINY, 256)
    result = other.run(drawn, START, {"ncnn": small.candidate(tiny_export, "ncnn", "two")})
    assert not result
    assert result.candidates[0].problem.startswith("frame 1: ")
    assert "shape" in result.failure()
