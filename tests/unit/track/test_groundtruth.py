"""Ground truth: read in every form that data sets have, and compared as GOT-10k's toolkit does."""

import pytest

from converter.errors import UsageError
from converter.proof.boxes import Box
from converter.track.groundtruth import GroundTruth, agreement, bounded, read_truth

SIZE = (120, 90)


def truth_of(tmp_path, text):
    (tmp_path / "truth.txt").write_bytes(text)
    return read_truth(tmp_path / "truth.txt")


@pytest.mark.parametrize(
    "line",
    [
        b"1,2,3,4",
        b"1\t2\t3\t4",
        b"1 2 3 4",
        b" 1 , 2 , 3 , 4 ",
        b"1.0,2.0,3e0,4",
        b"1,2,3,4,\r",
        b"\xef\xbb\xbf1,2,3,4",
    ],
)
def test_a_box_is_read_in_every_form(tmp_path, line):
    assert truth_of(tmp_path, line + b"\n\n").boxes == (Box(1, 2, 3, 4),)


@pytest.mark.parametrize(
    "line", [b"nan,nan,nan,nan", b"-1,-1,-1,-1", b"0,0,0,0", b"", b"1,2,inf,4", b"1,2,3,-4", b"NaN NaN NaN NaN"]
)
def test_a_line_without_a_box_says_that_there_is_no_target(tmp_path, line):
    assert truth_of(tmp_path, line + b"\n5,6,7,8\n").boxes == (None, Box(5, 6, 7, 8))


def test_a_box_may_begin_outside_the_frame(tmp_path):
    assert truth_of(tmp_path, b"-5,-6,7,8\n").boxes == (Box(-5, -6, 7, 8),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is empty, expected a line x,y,w,h for each frame"),
        (b"\n \n", "is empty, expected a line x,y,w,h for each frame"),
        (b"1,2,3,4\n1,2,3\n", "line 2 has 3 numbers, expected four, x,y,w,h"),
        (b"1,2,3,4,5,6,7,8\n", "line 1 has 8 numbers, expected four, x,y,w,h; a polygon's corners are no box"),
        (b"x,y,w,h\n", "line 1 is 'x,y,w,h', expected four numbers x,y,w,h"),
        (b"\xff\n", "byte 0 is not UTF-8, expected a text"),
    ],
)
def test_what_is_no_ground_truth_is_refused(tmp_path, text, said):
    with pytest.raises(UsageError) as caught:
        truth_of(tmp_path, text)
    assert str(caught.value) == f"--groundtruth {tmp_path / 'truth.txt'}: {said}"


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no such file or directory"):
        read_truth(tmp_path / "none.txt")


@pytest.mark.parametrize(
    ("box", "cut"),
    [
        (Box(-10, 80, 50, 30), Box(0, 80, 50, 10)),  # a side is measured from the corner that moved
        (Box(130, 95, 5, 5), Box(120, 90, 0, 0)),
        (Box(1, 2, 3, 4), Box(1, 2, 3, 4)),
    ],
)
def test_a_box_is_cut_off_as_the_toolkit_does(box, cut):
    assert bounded(box, SIZE) == cut


def test_success_is_above_its_threshold(tmp_path):
    truth = GroundTruth(tmp_path, (Box(0, 0, 10, 10),) * 4)
    found = agreement(
        truth, {1: Box(0, 0, 5, 10), 2: Box(0, 0, 10, 10), 3: Box(50, 50, 5, 5), 4: Box(0, 0, 9, 9)}, SIZE
    )
    assert (found.frames, found.absent, found.unknown) == (3, 0, 1)
    assert found.overlap == pytest.approx(0.5)
    assert found.success == {0.5: pytest.approx(1 / 3), 0.75: pytest.approx(1 / 3)}


def test_frames_without_a_target_are_not_counted(tmp_path):
    found = agreement(GroundTruth(tmp_path, (None, None)), {1: Box(0, 0, 5, 5)}, SIZE)
    assert (found.frames, found.absent, found.overlap, found.success) == (0, 1, None, {0.5: None, 0.75: None})


def test_what_lies_outside_the_frame_is_not_compared(tmp_path):
    truth = GroundTruth(tmp_path, (None, Box(100, 0, 20, 10)))
    assert agreement(truth, {1: Box(100, 0, 60, 10)}, SIZE).overlap == 1.0
