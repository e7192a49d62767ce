"""The C++ tracker, compiled and run: beside the procedure in Python, on what it has to refuse, and changed."""

import json
import subprocess

import cv2
import numpy as np
import pytest
from clips import frame, save_pictures
from compilers import SANITIZED, compiled, compiler
from exports import export_to
from stark import ARCH, SMALL

from commands import SUPPORT, lt_cpp, lt_export, lt_verify

BOX = "30,20,16,12"
FRAMES = 7
# the stage that is named, what stood in the header, and what stands there in its place
CHANGES = {
    "crop": ("rounded(centre - (side + 1) / 2)", "rounded(centre - side / 2)"),
    "resize": ("(sum + 2) >> 2", "(sum + 3) >> 2"),
    "normalisation": ("model::rgb ? 2 - c : c", "model::rgb ? c : 2 - c"),
    "model": ("crop.channel(c), input.image", "crop.channel(2 - c), input.image"),
    "decode": ("x - edges[cell], y", "x - edges[cell] + 1, y"),
    "penalty": ("-(shape * size - 1)", "-(shape * size)"),
    "window": ("0.5 + 0.5 * std::cos(angle)", "0.54 + 0.46 * std::cos(angle)"),
    "update": ("* one.score * model::lr", "* one.score * model::lr * 0.9"),
}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return save_pictures(tmp_path_factory.mktemp("clip") / "clip", [f"{index:03d}.png" for index in range(FRAMES)])


@pytest.fixture(scope="module")
def exports(tiny, stark_weights, nanotrack_weights, tmp_path_factory):
    """Name -> export, made when it is first asked for."""
    folder, made = tmp_path_factory.mktemp("exports"), {}
    sizes = [word for size, pixels in SMALL.items() for word in (f"--{size.replace('_', '-')}", pixels)]
    ways = {
        "two": (tiny, ()),
        "one, half": (tiny, ("--split", "one", "--half")),
        "three, sigmoid": (tiny, ("--split", "three", "--sigmoid")),
        "stark": (stark_weights["rep_v2"], ("--arch", ARCH, *sizes)),
        "stark, masks": (stark_weights["dsconv_v3_2"], ("--arch", ARCH, *sizes, "--masks")),
        "nanotrack": (nanotrack_weights["v2"], ()),
    }

    def export(name):
        if name not in made:
            weights, words = ways[name]
            made[name] = folder / name.replace(", ", "-")
            if weights is tiny:
                export_to(tiny, made[name], *words)
            else:
                done = lt_export("--resume", weights, "-o", made[name], "-q", *words)
                assert done.code == 0, done.err
        return made[name]

    return export


@pytest.fixture(scope="module")
def written(exports, tmp_path_factory):
    """Name -> folder that lt-cpp wrote for that export."""
    folder, made = tmp_path_factory.mktemp("cpp"), {}

    def write(name):
        if name not in made:
            made[name] = folder / name.replace(", ", "-")
            done = lt_cpp(exports(name), "-o", made[name], "-q")
            assert done.code == 0, done.err
        return made[name]

    return write


def build(folder, place, ncnn, name, target="all"):
    """With sanitizers and every warning an error."""
    flags = " ".join(SANITIZED)
    words = [f"-Dncnn_DIR={ncnn}", f"-DCMAKE_CXX_COMPILER={compiler(name)}", f"-DCMAKE_CXX_FLAGS={flags}"]
    words += ["-DCMAKE_BUILD_TYPE=Debug", "-DLT_OPENCV=OFF"]
    for command in (
        ["cmake", "-S", folder, "-B", place, *words],
        ["cmake", "--build", place, "--target", target, "-j", "2"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if "this ncnn was built with OpenMP" in done.stderr:
            pytest.skip(f"{name} has no OpenMP here; apt-get install libomp-dev")
        assert done.returncode == 0, done.stdout + done.stderr
    return place


@pytest.fixture(scope="module")
def program(written, ncnn_cpp, tmp_path_factory):
    return build(written("two"), tmp_path_factory.mktemp("build"), ncnn_cpp, "g++") / "lighttrack"


def run(program, pixels, *words):
    return subprocess.run([program, *map(str, words)], input=pixels, capture_output=True)


def pixels(count=FRAMES):
    return b"".join(np.ascontiguousarray(frame(index)[..., ::-1]).tobytes() for index in range(count))


def test_every_file_compiles_and_replays_what_python_did(written, ncnn_cpp, tmp_path):
    place = build(written("two"), tmp_path, ncnn_cpp, "clang++")
    done = subprocess.run(["ctest", "--test-dir", place], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["one, half", "three, sigmoid", "stark", "stark, masks", "nanotrack"])
def test_every_family_and_split(written, ncnn_cpp, tmp_path, name):
    folder = written(name)
    place = build(folder, tmp_path, ncnn_cpp, "g++", "check")
    done = subprocess.run([place / "check", folder / "golden"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "least overlap" in done.stdout


def verified(export, folder, clip, ncnn):
    return lt_verify(export, "--cpp", folder, "--clip", clip, "--box", BOX, "--json", ncnn_DIR=str(ncnn))


@pytest.mark.parametrize("name", ["two", "stark, masks", "nanotrack"])
def test_every_step_is_that_of_python(exports, written, clip, ncnn_cpp, name):
    done = verified(exports(name), written(name), clip, ncnn_cpp)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["passed"], found["frames"], found["stage"]) == (True, FRAMES - 1, None)
    assert found["one_step"]["iou"]["least"] >= 0.9999
    assert found["one_step"]["score_max"] <= 1e-4
    assert found["one_step"]["other_cells"] == 0


@pytest.mark.parametrize("stage", CHANGES)
def test_a_change_is_found_where_it_was_made(exports, clip, ncnn_cpp, tmp_path, stage):
    folder = tmp_path / "cpp"
    assert lt_cpp(exports("two"), "-o", folder, "-q").code == 0
    file = folder / ("ncnn_backend.hpp" if stage == "model" else "tracker.hpp")
    text, other = CHANGES[stage]
    assert file.read_text().count(text) == 1
    file.write_text(file.read_text().replace(text, other))
    done = verified(exports("two"), folder, clip, ncnn_cpp)
    assert done.code == 1, done.out
    assert f"the first stage that differs is {stage}:" in done.error_line
    assert json.loads(done.out)["stage"] == stage


def test_a_header_that_does_not_compile_is_a_verdict(exports, clip, ncnn_cpp, tmp_path):
    folder = tmp_path / "cpp"
    assert lt_cpp(exports("two"), "-o", folder, "-q").code == 0
    (folder / "tracker.hpp").write_text("#error nothing here\n")
    done = verified(exports("two"), folder, clip, ncnn_cpp)
    assert done.code == 1
    assert "does not build" in done.error_line


@pytest.mark.parametrize("name", ["two", "stark, masks", "nanotrack"])
def test_a_step_takes_no_memory(written, ncnn_cpp, tmp_path, name):
    program = compiled("g++", SUPPORT / "allocations.cpp", tmp_path / "allocations", f"-I{written(name)}")
    assert subprocess.run([program], capture_output=True, text=True).stdout == "0\n"


@pytest.fixture(scope="module")
def video_program(written, ncnn_cpp, tmp_path_factory):
    """With OpenCV, which is skipped where its headers are missing."""
    folder = tmp_path_factory.mktemp("video")
    done = subprocess.run(
        ["cmake", "-S", written("two"), "-B", folder, f"-Dncnn_DIR={ncnn_cpp}"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    if "OpenCV: none" in done.stdout:
        pytest.skip("no OpenCV for C++ here; apt-get install libopencv-dev")
    done = subprocess.run(["cmake", "--build", folder, "--target", "lighttrack"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "lighttrack"


def test_a_video_read_by_opencv(video_program, program, clip, tmp_path):
    expected = run(program, pixels(), "--raw", "120x90", "--box", BOX).stdout.decode().splitlines()
    done = run(video_program, b"", clip / "%03d.png", "--box", BOX)  # lossless: the frames are the same
    found = done.stdout.decode().splitlines()
    assert (done.returncode, len(found)) == (0, FRAMES + 1), done.stderr
    numbers = [[list(map(float, line.split(","))) for line in lines[1:]] for lines in (found, expected)]
    assert np.abs(np.subtract(*numbers)).max() < 1e-2
    video = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter.fourcc(*"MJPG"), 25, (120, 90))
    for index in range(FRAMES):
        writer.write(np.ascontiguousarray(frame(index)[..., ::-1]))
    writer.release()
    assert len(run(video_program, b"", video, "--box", BOX).stdout.splitlines()) == FRAMES + 1
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    done = run(video_program, b"", video, "--box", BOX)
    assert done.returncode in (0, 1)
    assert len(done.stdout.splitlines()) < FRAMES + 1
    done = run(video_program, b"", tmp_path / "missing.avi", "--box", BOX)
    assert (done.returncode, done.stderr.decode().splitlines()[-1]) == (
        1,
        f"lighttrack: {tmp_path / 'missing.avi'}: cannot be opened",
    )


def test_boxes_of_raw_frames(program, tmp_path):
    done = run(program, pixels(), "--raw", "120x90", "--box", BOX, "--csv", tmp_path / "track.csv")
    assert done.returncode == 0, done.stderr
    rows = (tmp_path / "track.csv").read_text().splitlines()
    assert rows[0] == "frame,x,y,w,h,score"
    assert rows[1] == "0,30,20,16,12,1"
    assert len(rows) == FRAMES + 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--raw", "120x90", "--box", "500,20,16,12"), 1, "frame 0: the middle of the box lies outside the frame"),
        (("--raw", "120x90", "--box", "30,20,0.5,12"), 1, "frame 0: the box is smaller than a pixel"),
        (("--raw", "120x90", "--box", "30,20,nan,12"), 1, "--box 30,20,nan,12: expected x,y,w,h"),
        (("--raw", "120x90"), 1, "pass the target in the first frame"),
        (("--raw", "119x90", "--box", BOX), 1, "standard input ends in the middle of a frame"),
        (("--raw", "120x90", "--box", BOX, "--vulkan"), 1, "this ncnn was built without Vulkan"),
        (("--raw", "120x90", "--box", BOX, "--model", "nowhere"), 1, "nowhere/lighttrack_init.param: cannot be read"),
        (("--raw", "0x90", "--box", BOX), 2, "--raw 0x90: expected width and height"),
        (("--raw", "120x90", "--boxx", BOX), 2, "--boxx: unknown option"),
        (("video.avi", "--box", BOX), 1, "video.avi: this program was built without OpenCV"),
        ((), 2, "pass a video, a camera or --raw WxH"),
    ],
)
def test_what_cannot_be_tracked_is_refused_in_a_line(program, words, code, said):
    done = run(program, pixels(), *words)
    assert done.returncode == code, done.stderr
    assert done.stderr.decode().splitlines()[0].startswith(f"lighttrack: {said}")


def test_other_model_files_are_refused(program, exports, tmp_path):
    for file in exports("two").iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "lighttrack_update.bin"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    for changed, said in ((content, "is not the file"), (content + b"x", "is not the file"), (None, "cannot be read")):
        weights.unlink()
        if changed is not None:
            weights.write_bytes(changed)
        done = run(program, pixels(), "--raw", "120x90", "--box", BOX, "--model", tmp_path)
        assert done.returncode == 1
        assert said in done.stderr.decode()


@pytest.mark.parametrize(
    ("width", "height", "box"), [(1, 1, "0,0,1,1"), (3840, 2160, "3700,2100,130,50"), (3, 400, "0,3,2,390")]
)
def test_frames_of_any_size(program, width, height, box):
    content = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8).tobytes()
    done = run(program, content, "--raw", f"{width}x{height}", "--box", box)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
