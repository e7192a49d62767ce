"""Drawn frames: what is on them, and that only a finished result replaces an earlier one."""

import cv2
import numpy as np
import pytest
from clips import DIMENSIONS, SPEC, START, BrightModel, frame, row, save_pictures, save_video

from conftest import contents
from converter.checks.clip.frame import FrameRow
from converter.checks.clip.run import Judgement, run_clip
from converter.errors import ConversionError, DependencyError, UsageError
from converter.families.family import Estimate
from converter.proof.boxes import Box
from converter.track.annotate import annotation, check_annotate, foreign_files
from converter.track.draw import COLOURS, painted
from converter.track.frames import open_clip


@pytest.fixture
def clip(tmp_path):
    return open_clip(save_video(tmp_path / "drawn.avi", 6, fps=10))


def estimates(**boxes):
    reference = boxes.pop("reference")
    return FrameRow(
        12,
        Estimate(reference, 0.9),
        {name: box and Estimate(box, 0.8) for name, box in boxes.items()},
        {name: box and 0.5 for name, box in boxes.items()},
        dict.fromkeys(boxes),
    )


def drawn(ground, row, **more):
    return painted(ground, row.index, row.drawn, **more)


def colours_in(picture):
    """How many pixels have (nearly) the colour of each model."""
    return [
        int(cv2.inRange(picture, *(np.clip(np.add(colour, edge), 0, 255) for edge in (-11, 11))).sum()) // 255
        for colour in COLOURS
    ]


@pytest.mark.parametrize("shade", [0, 128, 255])
@pytest.mark.parametrize("size", [(480, 360), (1920, 1080)])
def test_every_box_is_seen_on_any_ground(shade, size):
    ground = np.full((size[1], size[0], 3), shade, np.uint8)
    apart = estimates(reference=Box(50, 60, 80, 70), ncnn=Box(200, 60, 80, 70), onnx=Box(300, 200, 80, 70))
    picture = drawn(ground, apart)[: size[1]]
    assert all(count > 300 for count in colours_in(picture)[:3])
    # the lines have a dark rim, which is what shows them where the ground has their colour
    assert shade == 0 or (picture.max(axis=2) < shade * 0.7).sum() > 500


def test_boxes_in_one_place_do_not_hide_each_other():
    same = Box(100, 100, 120, 90)
    picture = drawn(np.full((360, 480, 3), 128, np.uint8), estimates(reference=same, ncnn=same, onnx=same))[:360]
    assert all(count > 300 for count in colours_in(picture)[:3])


def test_boxes_are_scaled_with_the_picture():
    picture = drawn(np.full((400, 960, 3), 128, np.uint8), estimates(reference=Box(600, 200, 200, 100)), width=480)
    assert picture.shape[1] == 480
    rows, columns = np.nonzero(
        cv2.inRange(picture[:200], *(np.clip(np.add(COLOURS[0], edge), 0, 255) for edge in (-11, 11)))
    )
    found = (columns.min(), rows.min(), columns.max(), rows.max())
    assert found == pytest.approx((300, 100, 400, 150), abs=4)


def test_the_inside_of_a_box_is_not_covered():
    pixels = np.full((360, 480, 3), 128, np.uint8)
    picture = drawn(pixels, estimates(reference=Box(100, 100, 40, 30), ncnn=Box(100, 100, 40, 30)))
    assert (picture[104:126, 104:136] == 128).all()


def test_below_the_picture_is_a_line_for_every_model():
    ground = np.full((360, 480, 3), 128, np.uint8)
    sizes = [
        drawn(ground, estimates(reference=START, **{f"model{index}": START for index in range(count)})).shape[0]
        for count in (0, 1, 2)
    ]
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] >= 14
    strip = drawn(ground, estimates(reference=START, ncnn=None))[360:]
    assert (strip.min(axis=2) > 150).sum() > 100  # text
    assert colours_in(strip)[0] > 30
    assert colours_in(strip)[1] > 30
    assert colours_in(strip)[2] == 0


def test_a_model_that_has_stopped_has_no_box():
    picture = drawn(np.full((360, 480, 3), 128, np.uint8), estimates(reference=Box(50, 60, 80, 70), ncnn=None))
    assert colours_in(picture[:360])[1] == 0


def test_the_frame_itself_is_not_drawn_on():
    pixels = frame(0, (480, 360))
    drawn(pixels, row(1, a=0.5))
    assert np.array_equal(pixels, frame(0, (480, 360)))


@pytest.mark.parametrize("size", [(101, 77), (320, 241), (33, 400), (480, 360)])
def test_sides_are_even_and_large_enough_for_the_text(size):
    picture = drawn(frame(0, (max(size[0], 80), max(size[1], 60)))[: size[1], : size[0]], row(1, a=0.5))
    assert picture.shape[0] % 2 == picture.shape[1] % 2 == 0
    assert picture.shape[1] >= 320
    assert picture.shape[0] >= 240


def test_a_long_name_leaves_room_for_the_figures():
    ground = np.zeros((360, 480, 3), np.uint8)
    names = ("n", "n" * 200)
    short, long = (drawn(ground, estimates(reference=START, **{name: START}))[360:] for name in names)
    # "frame 12" at the right of the first line is untouched
    assert np.array_equal(short[:20, 400:], long[:20, 400:])


def run(clip, target, **options):
    candidates, judgement = {"ncnn": BrightModel(**options)}, Judgement.of(SPEC)
    return run_clip(clip, START, BrightModel(), candidates, SPEC, DIMENSIONS, judgement, target)


def test_a_folder_of_pictures(clip, tmp_path):
    target = tmp_path / "new" / "out"
    assert run(clip, target)
    names = [f"{index:06}.png" for index in range(6)]
    assert sorted(path.name for path in target.iterdir()) == names
    pictures = [cv2.imread(str(target / name))[..., ::-1] for name in names]
    assert len({picture.shape for picture in pictures}) == 1
    assert all(count > 50 for count in colours_in(pictures[3][:270])[:2])
    assert [path.name for path in target.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["out.mp4", "out.avi", "OUT.MP4"])
def test_a_video_with_the_clips_speed(clip, tmp_path, name):
    target = tmp_path / "new" / name
    assert run(clip, target)
    drawn = open_clip(target)
    assert drawn.fps == 10
    frames = list(drawn.frames())
    assert len(frames) == 6
    assert not np.array_equal(frames[0], frames[5])
    red, _, blue = frames[0][:180].reshape(-1, 3).mean(axis=0)  # the clip is bluish
    assert blue > red + 20
    assert [path.name for path in target.parent.iterdir()] == [name]
    assert run(clip, target)  # in place of its own


def test_pictures_have_no_speed_and_become_25_frames_a_second(tmp_path):
    folder = save_pictures(tmp_path / "clip", [f"{index}.png" for index in range(4)])
    assert run(open_clip(folder), tmp_path / "out.avi")
    assert open_clip(tmp_path / "out.avi").fps == 25


def test_a_later_result_replaces_an_earlier_one(clip, tmp_path):
    for target in (tmp_path / "out", tmp_path / "out.avi"):
        run(clip, target)
        run(open_clip(save_video(tmp_path / "short.avi", 3)), target)
        assert len(list(open_clip(target).frames())) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn.avi", "out", "out.avi", "short.avi"]


def draw_one_and_raise(target, clip, error):
    with annotation(target, clip) as write:
        write(drawn(frame(0), row(0, a=1.0)))
        raise error("stop")


@pytest.mark.parametrize("name", ["out", "out.avi"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, UsageError])
def test_a_run_that_ends_early_leaves_the_earlier_result(clip, tmp_path, name, error):
    target = tmp_path / name
    run(clip, target)
    before = contents(target) if target.is_dir() else target.read_bytes()
    with pytest.raises(error):
        draw_one_and_raise(target, clip, error)
    assert (contents(target) if target.is_dir() else target.read_bytes()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["drawn.avi", name]


def test_a_run_that_ends_early_leaves_no_folder_behind(clip, tmp_path):
    with pytest.raises(RuntimeError):
        draw_one_and_raise(tmp_path / "a" / "b" / "out", clip, RuntimeError)
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.avi"]


@pytest.mark.parametrize("name", ["out", "out.avi"])
def test_when_nothing_was_drawn_the_earlier_result_stays(clip, tmp_path, name):
    run(clip, tmp_path / name)
    with annotation(tmp_path / name, clip):
        pass
    assert len(list(open_clip(tmp_path / name).frames())) == 6


def test_a_folder_with_something_else_in_it_is_refused(clip, tmp_path):
    folder = save_pictures(tmp_path / "mine", ["000000.png", "000001.png"])  # named as ours are, but not ours
    before = contents(folder)
    with pytest.raises(UsageError, match=r"--annotate .*mine: holds '000000.png', which was not drawn here"):
        run(clip, folder)
    assert contents(folder) == before
    run(clip, tmp_path / "out")
    assert foreign_files(tmp_path / "out") is None
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds 'notes.txt'"):
        run(clip, tmp_path / "out")


def test_targets_that_cannot_be_are_refused(clip, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "holiday.mp4").write_bytes(b"mine")
    for target, words in (
        (tmp_path / "file", "is a file; expected a folder, or a name ending in .mp4 or .avi"),
        (tmp_path / "folder.mp4", "is a folder, expected a file"),
        (tmp_path / "holiday.mp4", "is a file that no run of this program wrote; nothing was touched"),
        (tmp_path / "out.mkv", "expected a folder, or a name ending in .mp4 or .avi"),
        (tmp_path / "out.png", "expected a folder, or a name ending in"),
        (tmp_path / "file" / "out", "is not a folder"),
        (clip.path, "is the clip itself"),
    ):
        with pytest.raises(UsageError) as caught:
            check_annotate(target, clip)
        assert str(caught.value).startswith(f"--annotate {target}: ")
        assert words in str(caught.value)


def test_the_pictures_of_a_pattern_are_not_replaced(clip, tmp_path):
    run(clip, tmp_path / "out")
    drawn = open_clip(tmp_path / "out" / "%06d.png")
    with pytest.raises(UsageError, match="is the clip itself"):
        run(drawn, tmp_path / "out")


class NoCodec:
    def __init__(self, *_):
        pass

    def isOpened(self):
        return False

    def release(self):
        pass


class FullDisk(NoCodec):
    def isOpened(self):
        return True

    def write(self, picture):
        pass


def test_a_codec_that_does_not_open_is_an_error(clip, tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "VideoWriter", NoCodec)
    with pytest.raises(DependencyError, match=r"cannot write mp4v video of .* name a folder for pictures instead"):
        run(clip, tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.avi"]


def test_a_video_that_holds_too_few_frames_is_an_error(clip, tmp_path, monkeypatch):
    run(clip, tmp_path / "out.avi")
    before = (tmp_path / "out.avi").read_bytes()
    monkeypatch.setattr(cv2, "VideoWriter", FullDisk)
    with pytest.raises(ConversionError, match="came out with 0 of 6 frames"):
        run(clip, tmp_path / "out.avi")
    assert (tmp_path / "out.avi").read_bytes() == before


def test_a_picture_that_cannot_be_written_is_an_error(clip, tmp_path, monkeypatch):
    from PIL import Image

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(ConversionError, match=r"--annotate .*out: cannot write .*No space left"):
        run(clip, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["drawn.avi"]
