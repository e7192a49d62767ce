"""Clips are read in their order, frame by frame, or refused in one line."""

import logging
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
from clips import frame, save_pictures, save_video

from commands import ROOT, environment
from conftest import hide
from converter.errors import UsageError
from converter.track.frames import open_clip


def refused(path):
    """The message with which opening or reading a clip ends."""
    with pytest.raises(UsageError) as caught:
        list(open_clip(path).frames())
    text = str(caught.value)
    assert text.startswith(f"--clip {path}: ")
    assert "\n" not in text
    return text


def assert_frames(clip, count):
    found = list(clip.frames())
    assert len(found) == count
    for index, pixels in enumerate(found):
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, frame(index))


def test_pictures_come_in_the_order_of_their_numbers(tmp_path):
    names = [f"frame{index}.png" for index in (1, 2, 3, 9, 10, 11, 100)]
    clip = open_clip(save_pictures(tmp_path / "clip", names))
    assert (clip.name, clip.size, clip.fps) == ("clip", (120, 90), None)
    assert_frames(clip, 7)
    assert_frames(clip, 7)  # from the beginning again


def test_other_files_in_the_folder_are_no_frames(tmp_path):
    folder = save_pictures(tmp_path, ["a1.png", "a2.PNG", "a3.bmp"])
    for name in ("groundtruth.txt", ".a0.png", "a4.png.part", "Thumbs.db"):
        (folder / name).write_bytes(b"no picture")
    (folder / "a5.png").mkdir()
    assert_frames(open_clip(folder), 3)


def test_a_video_that_declares_gigantic_frames_is_refused_before_one_is_decoded(tmp_path):
    path = save_video(tmp_path / "clip.avi", 2)
    data = bytearray(path.read_bytes())
    for size in (struct.pack("<ii", 120, 90), struct.pack(">HH", 90, 120)):  # of the container, and of every JPEG
        large = struct.pack("<ii", 10_000, 10_000) if len(size) == 8 else struct.pack(">HH", 10_000, 10_000)
        data = data.replace(size, large)
    path.write_bytes(data)
    assert "a picture of more than 67,108,864 pixels, expected fewer" in refused(path)


def test_frames_are_rgb_also_of_grey_and_transparent_pictures(tmp_path):
    colour = np.zeros((8, 8, 4), np.uint8)
    colour[...] = (10, 20, 30, 128)  # BGRA
    cv2.imwrite(str(tmp_path / "1.png"), colour)
    cv2.imwrite(str(tmp_path / "2.png"), np.full((8, 8), 77, np.uint8))
    first, second = open_clip(tmp_path).frames()
    assert first[0, 0].tolist() == [30, 20, 10]
    assert second.shape == (8, 8, 3)
    assert (second == 77).all()


def test_pattern_names_the_pictures(tmp_path):
    save_pictures(tmp_path, [f"img_{index:03}.png" for index in range(5)])
    save_pictures(tmp_path, ["other_000.png"])
    clip = open_clip(tmp_path / "img_%03d.png")
    assert_frames(clip, 5)


def test_pattern_asks_for_as_many_digits_as_it_says(tmp_path):
    save_pictures(tmp_path, ["img_008.png", "img_009.png", "img_10.png"])
    assert_frames(open_clip(tmp_path / "img_%03d.png"), 2)


def test_pattern_without_width_takes_every_number(tmp_path):
    save_pictures(tmp_path, [f"{index}.png" for index in (8, 9, 10, 11)])
    assert_frames(open_clip(tmp_path / "%d.png"), 4)


def test_pattern_with_a_number_missing_or_without_files_is_refused(tmp_path):
    save_pictures(tmp_path, ["f0.png", "f2.png"])
    assert "number 1 is missing between 0 and 2" in refused(tmp_path / "f%d.png")
    assert "no file has a name like that" in refused(tmp_path / "g%d.png")
    assert "No such file" in refused(tmp_path / "nowhere" / "g%d.png")


def test_video_is_read_with_its_speed(tmp_path):
    clip = open_clip(save_video(tmp_path / "v.avi", 7, fps=30))
    assert (clip.name, clip.size, clip.fps) == ("v.avi", (120, 90), 30.0)
    frames = list(clip.frames())
    assert len(frames) == 7
    for index, pixels in enumerate(frames):
        assert np.abs(pixels.astype(int) - frame(index)).mean() < 20  # the codec loses some
    assert frames[0][25, 35].min() > 230


def test_what_is_missing_empty_or_no_video_is_refused(tmp_path):
    assert "no such file or folder" in refused(tmp_path / "none.avi")
    (tmp_path / "empty.avi").write_bytes(b"")
    assert "is empty, expected a video" in refused(tmp_path / "empty.avi")
    (tmp_path / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    assert "not a video that OpenCV can read" in refused(tmp_path / "noise.mp4")
    (tmp_path / "folder").mkdir()
    assert "no pictures in this folder" in refused(tmp_path / "folder")


def test_one_frame_is_no_clip(tmp_path):
    assert "one frame in it, expected two or more" in refused(save_pictures(tmp_path / "one", ["a.png"]))
    assert "one frame in it" in refused(save_video(tmp_path / "one.avi", 1))


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
@pytest.mark.parametrize("share", [0, 0.3, 0.8])
def test_broken_picture_in_the_middle_is_named(tmp_path, suffix, share):
    save_pictures(tmp_path, [f"{index}.{suffix}" for index in range(5)])
    broken = tmp_path / f"3.{suffix}"
    data = broken.read_bytes()
    broken.write_bytes(data[: int(share * len(data))])
    assert f"3.{suffix} is not a whole picture that OpenCV can read" in refused(tmp_path)


def test_pictures_of_two_sizes_are_refused(tmp_path):
    save_pictures(tmp_path, ["1.png", "2.png", "3.png"])
    cv2.imwrite(str(tmp_path / "3.png"), frame(3, (100, 90)))
    assert "3.png has 100x90 pixels, the first 120x90" in refused(tmp_path)


def test_video_that_was_cut_short_is_refused(tmp_path):
    path = save_video(tmp_path / "v.avi", 60)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    message = refused(path)
    assert "of 60 frames could be read" in message
    assert "damaged or was cut short" in message


def test_video_that_lacks_a_single_frame_is_read_with_a_warning(tmp_path, monkeypatch, caplog):
    real = cv2.VideoCapture

    class OneMore:
        """A container that believes it holds a frame more."""

        def __init__(self, path):
            self.capture = real(path)

        def get(self, what):
            return self.capture.get(what) + (what == cv2.CAP_PROP_FRAME_COUNT)

        def __getattr__(self, name):
            return getattr(self.capture, name)

    path = save_video(tmp_path / "v.avi", 10)
    monkeypatch.setattr(cv2, "VideoCapture", OneMore)
    with caplog.at_level(logging.WARNING):
        assert len(list(open_clip(path).frames())) == 10
    assert "10 frames could be read, the file says it holds 11" in caplog.text


def test_reading_part_of_a_clip_says_nothing(tmp_path, caplog):
    frames = open_clip(save_video(tmp_path / "v.avi", 10)).frames()
    next(frames)
    frames.close()
    assert not caplog.text


def in_a_process(path, **extra):
    code = (
        "import sys; from pathlib import Path; from converter.track.frames import open_clip\n"
        "from converter.errors import ConverterError\n"
        "try: print(len(list(open_clip(Path(sys.argv[1])).frames())))\n"
        "except ConverterError as error: print(type(error).__name__, error.exit_code, error)"
    )
    return subprocess.run(
        [sys.executable, "-c", code, str(path)], env=environment(**extra), capture_output=True, text=True, check=True
    )


def test_opencv_keeps_its_messages_to_itself(tmp_path):
    path = save_video(tmp_path / "v.avi", 60)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 20_000] = bytes(20_000)
    path.write_bytes(data)
    done = in_a_process(path)
    assert done.stdout.startswith("UsageError 2 --clip ")
    assert done.stderr == ""


def test_opencv_keeps_quiet_about_a_file_that_it_cannot_read(tmp_path):
    (tmp_path / "noise_%d.mp4").write_bytes(np.random.default_rng(0).bytes(5000))
    done = in_a_process(tmp_path / "noise_%d.mp4")
    assert "not a video that OpenCV can read" in done.stdout
    assert done.stderr == ""


def test_without_opencv_one_line_says_how_to_get_it(tmp_path):
    done = in_a_process(tmp_path, PYTHONPATH=hide(tmp_path, "cv2"))
    remedy = f"pip install -c {ROOT}/constraints.txt 'lighttrack-export[clip]'"
    needs = "--clip needs opencv-python-headless (cv2), not installed here"
    assert done.stdout == f"DependencyError 5 {needs}: {remedy}\n"


def test_importing_the_clip_package_does_not_import_opencv():
    code = (
        "import sys, converter.checks.clip.run, converter.checks.clip.tracks\n"
        "print(sorted({'cv2', 'torch', 'ncnn', 'onnxruntime', 'PIL'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_gigantic_picture_is_refused_before_it_is_decoded(tmp_path):
    folder = save_pictures(tmp_path / "clip", ["0.png", "1.png"])
    data = bytearray((folder / "0.png").read_bytes())
    data[16:24] = struct.pack(">II", 9000, 9000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    (folder / "0.png").write_bytes(data)
    code = f"from converter.track.frames import open_clip, Path\nopen_clip(Path({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "0.png: a picture of more than 67,108,864 pixels, expected fewer" in done.stderr
