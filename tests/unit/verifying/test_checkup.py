"""What could only fail after minutes of work is refused before any of it."""

from pathlib import Path

import pytest
from clips import save_pictures
from report_results import NETWORK

from converter.errors import UsageError
from converter.spec.options import VerifyOptions
from converter.verifying.checkup import check, check_options


def options(**more):
    return VerifyOptions(**{"arch": "LightTrackM_Subnet", "checkpoint": None, "network": NETWORK, **more})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"layers": True}, "--layers walks through the network: pass --resume CHECKPOINT"),
        ({"write_golden": Path("golden")}, "--write-golden wants the network's answers: pass --resume CHECKPOINT"),
        (
            {"clip": Path("bag.avi"), "box": "1,2,3,4"},
            "--clip tracks with the network beside the models",
        ),
        (
            {"clip": Path("bag.avi"), "checkpoint": Path("a.pth")},
            "--clip wants the target in the first frame",
        ),
        ({"box": "1,2,3,4"}, "--box is about a clip: pass --clip too"),
        ({"annotate": Path("out.mp4")}, "--annotate is about a clip: pass --clip too"),
        ({"tracks": Path("out.csv")}, "--tracks is about a clip: pass --clip too"),
        ({"reports": (Path("a.html"), Path("report.pdf"))}, r"report\.pdf"),
    ],
)
def test_options_that_need_another_are_refused_at_once(given, message):
    with pytest.raises(UsageError, match=message):
        check_options(options(**given))
    with pytest.raises(UsageError, match=message):  # before the folder, which is not there, is looked for
        check(options(folder=Path("/nowhere/at/all"), **given))


def test_a_box_beside_the_clip_is_refused(tmp_path):
    save_pictures(tmp_path / "clip", ["0.png", "1.png"])
    given = {"clip": tmp_path / "clip", "checkpoint": Path("a.pth")}
    with pytest.raises(UsageError, match="--box 99000"):
        check_options(options(**given, box="99000,2,3,4"))


def test_what_fits_gives_the_clip_that_was_opened(tmp_path):
    assert check_options(options()) is None
    assert check_options(options(reports=(Path("a.html"), Path("a.md")))) is None
    save_pictures(tmp_path / "clip", ["0.png", "1.png"])
    opened = check_options(options(clip=tmp_path / "clip", box="10,12,20,15", checkpoint=Path("a.pth")))
    assert opened.box.values == (10, 12, 20, 15)


def test_golden_vectors_do_not_replace_what_is_no_golden_folder(tmp_path):
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UsageError, match="--write-golden"):
        check_options(options(write_golden=tmp_path, checkpoint=Path("a.pth")))
