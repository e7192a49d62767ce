"""Every path option of every command, with everything at its path that is no file or folder to work with.

The options are read from the commands: one that is added is tested here by itself.
"""

import os
import re
import shutil
import signal
import sys
from importlib import import_module

import pytest
from odd_paths import CHECKPOINTS, MODULES, make_odd, path_options, unprivileged
from PIL import Image

from commands import lt, lt_export, surroundings
from conftest import TINY

OPTIONS = path_options()
SUFFIXES = {"--junit": ".xml", "--report": ".md", "--plot": ".svg", "--tracks": ".csv", "--annotate": ".mp4"}
SUFFIXES |= {"--csv": ".csv", "--video": ".mp4", "--paths": ".txt", "plan": ".yaml"}
SUFFIXES |= {"--init": ".param", "--update": ".param", "--backbone": ".onnx", "--neck-head": ".onnx"}
SAID = {
    "pipe": "is a pipe, expected a file",
    "socket": "is a socket, expected a file",
    "device": "is a device, expected a file",
    "loop": "a link that leads to itself",
    "in a loop": "a link that leads to itself",
    "long": "file name too long",
    "long folder": "file name too long",
}
PATIENCE = 120  # seconds; a command that waits for a pipe would wait for ever
NEEDED = {"lt-bench": ["both"], "lt-track": ["both", "clip"], "lt-cpp": ["both", "--output", "cpp"]}  # to be begun
NEEDED |= {"lt-calibrate": ["tiny.pth", "--image", "picture.png", "--output", "calib"], "lt-matrix": ["tiny.pth"]}
NEEDED |= {"lt-quantize": ["tiny.pth", "--output", "small"]}
WRITTEN = {"--junit", "--report", "--plot", "--tracks", "--annotate", "--output", "--csv", "--video", "--pictures"}


@pytest.fixture(autouse=True)
def in_time():
    def end(*_):
        raise TimeoutError("the command hangs")

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(PATIENCE)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def place(tiny, tiny_both, tmp_path_factory):
    """A checkpoint, an export, a clip, and odd things beside them, with every suffix that an option asks for."""
    folder = tmp_path_factory.mktemp("odd")
    shutil.copy(tiny, folder / "tiny.pth")
    shutil.copytree(tiny_both, folder / "both")
    Image.new("RGB", (80, 60)).save(folder / "picture.png")
    for suffix in ("", *dict.fromkeys(SUFFIXES.values())):
        (folder / f"odd{suffix}").mkdir()
        make_odd(folder / f"odd{suffix}", suffix)
        (folder / f"folder{suffix}").mkdir()
        (folder / f"folder{suffix}" / "mine").write_text("mine")
        (folder / f"file{suffix}").write_text("mine")
    return folder


def placed(option, path, words):
    """A command line with a path; an argument is the first of its words."""
    return [*words, option, path] if option.startswith("-") else [path, *words]


def everything(folder):
    return sorted(str(path) for path in folder.rglob("*"))


def refused(done, option, said):
    assert done.code == (3 if option in CHECKPOINTS else 2), done.err
    assert said in done.error_line
    assert done.err == done.error_line + "\n"
    assert done.out == ""


def test_the_options_are_those_of_the_commands():
    assert {program for program, _, _ in OPTIONS} == set(MODULES)
    assert len(OPTIONS) >= 50
    found = [(program, option) for program, option, _ in OPTIONS]
    for each in (("lt-verify", "--tracks"), ("lt-export", "--golden"), ("lt-bench", "exports")):
        assert each in found


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize(("program", "option"), [each[:2] for each in OPTIONS], ids=lambda each: each)
def test_what_is_neither_a_file_nor_a_folder_is_refused_at_once(place, program, option, kind, tmp_path):
    suffix = SUFFIXES.get(option, "")
    odd = make_odd(tmp_path, suffix)[kind]
    before = everything(tmp_path)
    needed = NEEDED.get(program, [])
    if option in needed:
        needed = needed[: needed.index(option)]
    elif not option.startswith("-"):
        needed = needed[1:]
    done = lt(MODULES[program], *placed(option, odd, needed), cwd=place)
    refused(done, option, SAID[kind])
    assert len(done.error_line) <= 500
    assert everything(tmp_path) == before


@pytest.mark.parametrize("program", MODULES)
def test_without_a_working_folder_nothing_is_begun(program, tmp_path, capsys):
    folder = tmp_path / "gone"
    folder.mkdir()
    needed = NEEDED.get(program, [])
    with surroundings(folder, {}):
        folder.rmdir()
        assert import_module(MODULES[program]).call(needed) == 2
    said = "the working folder does not exist any more; cd to another one first"
    assert capsys.readouterr() == ("", f"{program}: error: {said}\n")


# what an option needs beside it, to be looked at at all
EXPORT = ["tiny.pth", "--path-name", TINY, "--output", "out"]
NAMES = ["--init", "both/lighttrack_init.param", "--update", "both/lighttrack_update.param"]
THREE = [f"--{name.replace('_', '-')}" for name in ("init", "backbone", "neck_head")]
THREE_FILES = [f"both/lighttrack_{name}.onnx" for name in ("init", "backbone", "neck_head")]
LOOSE = ["--resume", "tiny.pth", "--path-name", TINY]
VERIFY = ["both", "--resume", "tiny.pth"]
CLIP = ["--clip", "clip", "--box", "10,10,30,30"]
ARM = ["--runtime", "ncnn-arm64"]
CALIBRATE = ["tiny.pth", "--path-name", TINY, "--output", "calib"]
QUANTIZE = ["tiny.pth", "--path-name", TINY, "--output", "small"]
MATRIX = ["tiny.pth", "--sizes", "127/256", "--output", "matrix"]
WORDS = {
    ("lt-export", "checkpoint"): EXPORT[1:],
    ("lt-export", "--resume"): EXPORT[1:],
    ("lt-export", "--output"): EXPORT[:3],
    ("lt-export", "--arm-root"): [*EXPORT, *ARM],
    ("lt-verify", "exports"): VERIFY[1:],
    ("lt-verify", "--resume"): VERIFY[:1],
    ("lt-bench", "--resume"): VERIFY[:1],
    ("lt-verify", "--init"): [*LOOSE, *NAMES[2:]],
    ("lt-verify", "--update"): [*LOOSE, *NAMES[:2]],
    ("lt-verify", "--backbone"): [*LOOSE, THREE[0], THREE_FILES[0], THREE[2], THREE_FILES[2]],
    ("lt-verify", "--neck-head"): [*LOOSE, THREE[0], THREE_FILES[0], THREE[1], THREE_FILES[1]],
    ("lt-verify", "--clip"): [*VERIFY, *CLIP[2:]],
    ("lt-verify", "--annotate"): [*VERIFY, *CLIP],
    ("lt-verify", "--tracks"): [*VERIFY, *CLIP],
    ("lt-verify", "--arm-root"): [*VERIFY, *ARM],
    ("lt-verify", "--golden"): VERIFY[:1],
    ("lt-bench", "exports"): [],
    ("lt-track", "export"): ["clip", *CLIP[2:]],
    ("lt-track", "--groundtruth"): ["both", "clip"],
    ("lt-bench", "--official"): VERIFY,
    ("lt-cpp", "export"): ["--output", "cpp"],
    ("lt-cpp", "--output"): ["both"],
    ("lt-setup", "--folder"): ["--remove", "arm"],
    ("lt-calibrate", "checkpoint"): [*CALIBRATE[1:], *CLIP],
    ("lt-calibrate", "--resume"): [*CALIBRATE[1:], *CLIP],
    ("lt-calibrate", "--output"): [*CALIBRATE[:3], *CLIP],
    ("lt-calibrate", "--clip"): [*CALIBRATE, *CLIP[2:]],
    ("lt-calibrate", "--image"): CALIBRATE,
    ("lt-calibrate", "--check"): CALIBRATE[:3],
    ("lt-quantize", "checkpoint"): [*QUANTIZE[1:], *CLIP, *CLIP],
    ("lt-quantize", "--resume"): [*QUANTIZE[1:], *CLIP, *CLIP],
    ("lt-quantize", "--output"): [*QUANTIZE[:3], *CLIP, *CLIP],
    ("lt-quantize", "--clip"): [*QUANTIZE, *CLIP[2:], *CLIP],
    ("lt-matrix", "plan"): MATRIX[1:],
    ("lt-matrix", "--output"): MATRIX[:-2],
}
BASES = {
    "lt-export": EXPORT,
    "lt-verify": VERIFY,
    "lt-bench": VERIFY[:1],
    "lt-track": ["both", "clip", *CLIP[2:]],
    "lt-setup": [],
    "lt-cpp": ["both", "--output", "cpp"],
    "lt-calibrate": [*CALIBRATE, *CLIP],
    "lt-matrix": MATRIX,
    "lt-quantize": [*QUANTIZE, *CLIP, *CLIP],
}


def call(program, option, path, cwd):
    words = WORDS.get((program, option), BASES[program])
    return lt(MODULES[program], *placed(option, path, words), cwd=cwd)


@pytest.fixture(scope="module")
def clip(place):
    import numpy as np

    (place / "clip").mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    for index in range(3):
        Image.fromarray(np.roll(pixels, index, 1)).save(place / f"clip/{index}.png")


@pytest.mark.parametrize(("program", "option", "value"), OPTIONS, ids=lambda each: each)
def test_a_file_for_a_folder_and_a_folder_for_a_file_are_refused(place, clip, program, option, value):
    """Nothing that was there is changed, whatever was meant."""
    folder = "DIR" not in value and "EXPORT" not in value  # in the other's place
    before = everything(place)
    done = call(program, option, f"{'folder' if folder else 'file'}{SUFFIXES.get(option, '')}", place)
    assert done.code in ((3,) if option in CHECKPOINTS else (2, 5) if option == "--arm-root" else (2,)), done.err
    assert "Traceback" not in done.err
    assert done.error_line
    assert everything(place) == before
    assert {path.read_text() for path in place.glob("file*")} == {"mine"}


@pytest.mark.skipif(sys.platform != "linux", reason="gives up Linux's capabilities")
def test_what_is_closed_is_refused(place, clip, tmp_path):
    """For every option: a path in a folder that nobody may look into, such a folder, a file that nobody may read."""
    (tmp_path / "closed").mkdir()
    for suffix in ("", *SUFFIXES.values()):
        (tmp_path / f"closed{suffix}").mkdir(exist_ok=True)
        (tmp_path / f"secret{suffix}").write_text("mine")
    closed = [*tmp_path.glob("closed*"), *tmp_path.glob("secret*")]
    for path in closed:
        path.chmod(0)

    def attempts():
        found = []
        for program, option, _ in OPTIONS:
            suffix = SUFFIXES.get(option, "")
            for name in (f"closed/new{suffix}", f"closed{suffix}", f"secret{suffix}"):
                done = call(program, option, tmp_path / name, place)
                found.append((program, option, name, done.code, done.err))
        return found

    try:
        found = unprivileged(attempts)
    finally:
        for path in closed:
            path.chmod(0o700)
    assert len(found) == 3 * len(OPTIONS)
    for program, option, name, code, said in found:
        assert code in (2, 3, 4, 5), (program, option, name, code, said)
        assert "Traceback" not in said
        errors = [line for line in said.splitlines() if line.startswith(f"{program}: error: ")]
        assert len(errors) == 1, (program, option, name, said)
        if name.startswith("closed/"):
            assert "permission denied" in errors[0], (program, option, name, errors)


@pytest.mark.parametrize("suffix", [".csv", ".pth"])
def test_a_track_does_not_take_the_place_of_a_checkpoint(place, clip, suffix):
    shutil.copy(place / "tiny.pth", place / f"copy{suffix}")
    before = (place / f"copy{suffix}").read_bytes()
    done = call("lt-verify", "--tracks", f"copy{suffix}", place)
    refused(
        done, "--tracks", "is a file that no run of this program wrote; nothing was touched: move it away or choose"
    )
    assert (place / f"copy{suffix}").read_bytes() == before


def test_a_track_takes_the_place_of_an_earlier_one(place, clip):
    for _ in range(2):
        done = lt(MODULES["lt-verify"], *VERIFY, *CLIP, "--min-iou", 0, "--tracks", "tracks.csv", "-q", cwd=place)
        assert done.code == 0, done.err
    assert (place / "tracks.csv").read_text().startswith("frame,reference_x,")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
@pytest.mark.parametrize(
    ("program", "option"),
    [("lt-export", "--golden"), *(each[:2] for each in OPTIONS if each[1] in WRITTEN)],
    ids=lambda each: each,
)
def test_a_place_where_nothing_can_be_made_is_refused_before_the_work(place, clip, program, option):
    """Whatever its permissions say, as for root in /proc."""
    done = call(program, option, f"/proc/new{SUFFIXES.get(option, '')}", place)
    assert done.code == 2, done.err
    assert re.search(r"(nothing can be made in|no permission to write to) /proc\b", done.error_line)


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="no /proc/kmsg here to be read")
@pytest.mark.parametrize("program", ["lt-export", "lt-verify", "lt-bench"])
def test_a_checkpoint_that_has_nothing_to_be_read_for_now_is_not_waited_for(place, program):
    """Once everything in it was read, a read from it says that there is none."""
    done = call(program, "--resume", "/proc/kmsg", place)
    done = call(program, "--resume", "/proc/kmsg", place) if "begins with" in done.err else done
    assert done.code == 3, done.err
    assert "checkpoint /proc/kmsg: " in done.error_line


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="no /proc/kmsg here to be read")
def test_a_picture_that_has_nothing_to_be_read_is_not_waited_for(place):
    for _ in range(2):  # what is in it is no picture, and then there is nothing in it
        done = call("lt-export", "--image", "/proc/kmsg", place)
        assert done.code == 2, done.err
        assert "--image /proc/kmsg: not a picture that Pillow can read" in done.error_line


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="no /proc/kmsg here to be read")
@pytest.mark.parametrize(("program", "option"), [("lt-track", "video"), ("lt-verify", "--clip")])
def test_a_clip_that_has_nothing_to_be_read_is_not_waited_for(place, program, option):
    words = {"video": ["both"], "--clip": [*VERIFY, option]}[option]
    done = lt(MODULES[program], *words, "/proc/kmsg", *CLIP[2:], cwd=place)
    assert done.code == 2, done.err
    assert "/proc/kmsg: is empty, expected a video" in done.error_line


def in_export(place, tmp_path, name):
    shutil.copytree(place / "both", tmp_path / "both")
    path = tmp_path / "both" / name
    path.unlink()
    return path


@pytest.mark.parametrize("name", ["manifest.json", "lighttrack_init.param", "lighttrack_update.bin"])
@pytest.mark.parametrize("program", ["lt-verify", "lt-bench", "lt-track"])
def test_a_pipe_in_an_export_is_not_waited_for(place, clip, tmp_path, name, program):
    os.mkfifo(in_export(place, tmp_path, name))
    more = {
        "lt-verify": ("--resume", place / "tiny.pth"),
        "lt-bench": ("--rounds", 1, "--seconds", 5),
        "lt-track": (place / "clip", *CLIP[2:]),
    }[program]
    done = lt(MODULES[program], tmp_path / "both", *more, "-q")
    assert done.code in ((2,) if name == "manifest.json" or program == "lt-bench" else (1,)), done.err
    assert name in done.error_line


def test_a_target_with_a_folder_that_has_the_name_of_a_file_of_ours_is_left_alone(place, tmp_path):
    path = in_export(place, tmp_path, "lighttrack_init.param")
    path.mkdir()
    (path / "notes.txt").write_text("mine")
    done = lt_export(place / "tiny.pth", "--path-name", TINY, "-o", tmp_path / "both")
    refused(done, "--output", "holds 'lighttrack_init.param', which no export wrote; nothing was touched")
    assert (path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (".", ".: is the working folder, which cannot be replaced; name a folder in it, or cd elsewhere"),
        ("..", "..: holds the working folder, which cannot be replaced; name a folder in it, or cd elsewhere"),
        ("/proc", "/proc: is a mount point, which cannot be replaced; name a folder in it"),
    ],
)
def test_a_target_that_cannot_be_exchanged_is_refused_before_the_work(place, tmp_path, target, said):
    (tmp_path / "here").mkdir()
    done = lt_export(place / "tiny.pth", "--path-name", TINY, "-o", target, cwd=tmp_path / "here")
    refused(done, "--output", said)


def test_what_is_replaced_is_said(place, tmp_path):
    words = (place / "tiny.pth", "--path-name", TINY, "-o", tmp_path / "out")
    first = lt_export(*words, "--golden", tmp_path / "out/golden")
    assert first.code == 0, first.err
    assert "in place of" not in first.err
    again = lt_export(*words, "--golden", tmp_path / "out/golden")
    assert "in place of the export of LightTrackM_Subnet from tiny.pth" in again.err
    assert "golden vectors of the earlier" not in again.err
    without = " ".join(lt_export(*words).err.split())
    golden = tmp_path / "out/golden"
    assert f"{golden} holds golden vectors of the earlier export, which go with it; --golden {golden} writes" in without
    assert not golden.exists(), without
