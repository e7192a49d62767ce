"""``lt-track``: an export and a clip in, boxes out, and nothing that was there is lost."""

import csv
import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from clips import frame, save_pictures, save_video

from commands import TRACK, command, environment, lt_track, lt_verify
from conftest import contents, hide
from converter.api import track
from converter.errors import UsageError
from converter.track.annotate import foreign_files
from converter.track.frames import open_clip

BOX = "30,20,16,12"
FRAMES = 8
TITLES = ["frame", "x", "y", "w", "h", "score", "lost"]


@pytest.fixture
def clip(tmp_path):
    return save_video(tmp_path / "drawn.avi", FRAMES)


def rows_of(path):
    with path.open() as reader:
        return list(csv.DictReader(reader))


def boxes_in(answer):
    return [each["box"] for each in answer["frames"]]


def tracked(*words, **more):
    """The JSON of a call that does its work."""
    done = lt_track(*words, "--json", **more)
    assert done.code == 0, done.err
    return json.loads(done.out)


def kept(folder):
    """Name -> bytes of the files in a folder and below."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
def test_boxes_and_scores_are_those_of_lt_verify(tiny, tiny_both, clip, tmp_path, format):
    beside = ("--clip", clip, "--box", BOX, "--tracks", tmp_path / "tracks.csv", "--min-iou", 0, "-q")
    verified = lt_verify(tiny_both, "--resume", tiny, "--format", format, *beside)
    assert verified.code == 0, verified.err
    done = lt_track(tiny_both, clip, "--box", BOX, "--format", format, "--csv", tmp_path / "own.csv")
    assert done.code == 0, done.err
    own, theirs = rows_of(tmp_path / "own.csv"), rows_of(tmp_path / "tracks.csv")
    assert list(own[0]) == TITLES
    assert len(own) == len(theirs) == FRAMES
    for row, other in zip(own, theirs, strict=True):
        assert row["frame"] == other["frame"]
        assert [row[name] for name in TITLES[1:6]] == [other[f"{format}_{name}"] for name in TITLES[1:6]]
    assert done.out.splitlines()[0].startswith(("ok Tracked drawn.avi: 8 of 8 frames, ", "Tracked drawn.avi: 8 of 8 "))
    assert f"- {tiny_both}: {format}, fp32, 127/288, verified\n" in done.out
    assert f"track {'':>4}" in done.err


def test_neither_torch_nor_the_checkpoint_is_needed(tiny_both, clip, tmp_path):
    """Nor anything that is imported only with torch."""
    (tmp_path / "without").mkdir()
    for format in ("ncnn", "onnx"):
        without = hide(tmp_path / "without", "torch")
        done = lt_track(tiny_both, clip, "--box", BOX, "--format", format, "--json", PYTHONPATH=without)
        assert done.code == 0, done.err
        assert json.loads(done.out)["export"]["format"] == format


def test_pictures_patterns_and_videos_are_sources(tiny_export, clip, tmp_path):
    pictures = save_pictures(tmp_path / "pictures", [f"{index}.png" for index in range(FRAMES)])
    by_folder = tracked(tiny_export, pictures, "--box", BOX)
    by_pattern = tracked(tiny_export, pictures / "%d.png", "--box", BOX)
    assert boxes_in(by_folder) == boxes_in(by_pattern)
    assert len(boxes_in(by_folder)) == by_folder["total"] == FRAMES
    assert by_folder["clip"]["fps"] is None
    assert tracked(tiny_export, clip, "--box", BOX)["clip"] == {
        "name": str(clip),
        "size": [120, 90],
        "fps": 25.0,
        "live": False,
    }


@contextmanager
def served(data, stop=None):
    """An address at which a video is served; from byte ``stop`` on it hangs."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:stop])
            if stop is not None:
                self.wfile.flush()
                ended.wait(60)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/drawn.avi"
        finally:
            ended.set()
            server.shutdown()


def test_an_address_is_a_source(tiny_export, clip, tmp_path):
    with served(clip.read_bytes()) as address:
        answer = tracked(tiny_export, address, "--box", BOX, "--frames", 5, "--pictures", tmp_path / "drawn")
    assert answer["clip"]["live"]
    assert boxes_in(answer) == boxes_in(tracked(tiny_export, clip, "--box", BOX, "--frames", 5))
    assert len(list((tmp_path / "drawn").iterdir())) == 5


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("99", "camera 99: cannot be opened; is it there, and not used by another program?"),
        ("http://127.0.0.1:1/a.avi", "video http://127.0.0.1:1/a.avi: cannot be opened; does somebody send there"),
        ("nowhere.avi", "video nowhere.avi: no such file or folder"),
        ("empty", "video empty: no pictures in this folder"),
        ("noise.avi", "video noise.avi: not a video that OpenCV can read"),
        ("one", "video one: one frame in it, expected two or more"),
        ("sizes", "video sizes: 2.png has 100x90 pixels, the first 120x90; expected one size"),
        ("pipe", "pipe: is a pipe, expected a file or a folder"),
    ],
)
def test_a_source_that_cannot_be_tracked_is_one_line(tiny_export, tmp_path, source, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "noise.avi").write_bytes(np.random.default_rng(0).bytes(5000))
    save_pictures(tmp_path / "one", ["0.png"])
    save_pictures(tmp_path / "sizes", ["0.png", "1.png"])
    cv2.imwrite(str(tmp_path / "sizes/2.png"), frame(2, (100, 90)))
    os.mkfifo(tmp_path / "pipe")
    before = sorted(tmp_path.rglob("*"))
    done = lt_track(tiny_export, source, "--box", BOX, "-q", "--csv", "new.csv", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert said in done.error_line
    assert done.err == done.error_line + "\n"
    tracked_before_it = {tmp_path / "new.csv"} if source == "sizes" else set()
    assert {*tmp_path.rglob("*")} == {*before} | tracked_before_it


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--box", "200,20,16,12"), "--box 200,20,16,12: its middle lies outside the frame, which has 120x90 pixels"),
        (("--box", "30,20,0,12"), "--box 30,20,0,12: width and height are 0 and 12, expected more than 0"),
        (("--box", "30,20,160,12"), "--box 30,20,160,12: larger than the frame, which has 120x90 pixels"),
        (("--box", "30,20,nan,12"), "expected finite numbers"),
        (("--box", BOX, "--start", 8), "--start 8: the clip has fewer frames than that"),
        (("--box", BOX, "--start", 7), "8 frames in it, and frame 8 was to be tracked"),
        (("--box", BOX, "--start", -1), "--start -1: expected at least 0"),
        (("--box", BOX, "--frames", 1), "--frames 1: expected at least 2"),
        (("--box", BOX, "--lost", 2), "--lost 2: expected at most 1"),
        (("--box", BOX, "--format", "onnx"), "--format onnx: the export has ncnn only"),
        (("--box", BOX, "--search-size", 256), "the export's manifest says 127/288"),
        (("--box", BOX, "--video", "new.txt"), "--video new.txt: expected a name ending in .mp4 or .avi"),
        (("--box", BOX, "--pictures", "new.avi"), "--pictures new.avi: expected a folder"),
        (("--box", BOX, "--video", "drawn.avi"), "--video drawn.avi: is the clip itself"),
        (("--box", BOX, "--csv", "new", "--pictures", "new"), "--csv and --pictures name the same place"),
        (("--box", BOX, "--csv", "drawn.avi"), "is a file that no run of this program wrote; nothing was touched"),
        (("--box", BOX, "--groundtruth", "drawn.avi"), "--groundtruth drawn.avi: byte"),
    ],
)
def test_what_does_not_fit_the_clip_is_refused(tiny_export, clip, tmp_path, words, said):
    before = kept(tmp_path)
    done = lt_track(tiny_export, "drawn.avi", *words, "-q", cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert said in done.error_line
    assert kept(tmp_path) == before


@pytest.mark.parametrize("words", [("--box", BOX, "--show"), ()], ids=["show", "mouse"])
def test_a_window_needs_the_other_wheel(tiny_export, clip, words):
    if "GUI" not in cv2.getBuildInformation() or "NONE" not in cv2.getBuildInformation().partition("GUI:")[2][:60]:
        pytest.skip("this OpenCV has windows")
    done = lt_track(tiny_export, clip, *words)
    assert (done.code, done.out) == (5, "")
    assert done.error_line.endswith(
        "needs a window, which opencv-python-headless (cv2) cannot open: "
        "pip uninstall -y opencv-python-headless && pip install opencv-python"
    )


def test_part_of_a_clip_is_that_part(tiny_export, tmp_path):
    whole = save_pictures(tmp_path / "whole", [f"{index}.png" for index in range(FRAMES)])
    part = tmp_path / "part"
    part.mkdir()
    for index in range(2, 6):
        shutil.copy(whole / f"{index}.png", part)
    asked = tracked(tiny_export, whole, "--box", BOX, "--start", 2, "--frames", 4)
    alone = tracked(tiny_export, part, "--box", BOX)
    assert [each["frame"] for each in asked["frames"]] == [2, 3, 4, 5]
    assert asked["total"] == alone["total"] == 4
    assert boxes_in(asked) == boxes_in(alone)


@pytest.mark.parametrize("kind", ["grey", "deep", "transparent"])
def test_grey_deep_and_transparent_pictures_are_tracked(tiny_export, tmp_path, kind):
    plain, other = tmp_path / "plain", tmp_path / kind
    for folder in (plain, other):
        folder.mkdir()
    for index in range(4):
        grey = frame(index)[..., 0]
        same = np.dstack([grey] * 3)
        made = {"grey": grey, "deep": grey.astype(np.uint16) * 257, "transparent": np.dstack([same, grey // 2])}
        assert cv2.imwrite(str(plain / f"{index}.png"), same)
        assert cv2.imwrite(str(other / f"{index}.png"), made[kind])
    assert boxes_in(tracked(tiny_export, other, "--box", BOX)) == boxes_in(tracked(tiny_export, plain, "--box", BOX))


def test_frames_of_one_pixel_are_tracked(tiny_export, tmp_path):
    for index in range(3):
        assert cv2.imwrite(str(tmp_path / f"{index}.png"), np.full((1, 1, 3), 90, np.uint8))
    answer = tracked(tiny_export, tmp_path, "--box", "0,0,1,1", "--video", tmp_path / "drawn.mp4")
    assert len(answer["frames"]) == 3
    assert len(list(open_clip(tmp_path / "drawn.mp4").frames())) == 3


def test_what_is_written_is_whole_and_takes_the_place_of_earlier_runs(tiny_export, clip, tmp_path):
    table, video, pictures = tmp_path / "own.csv", tmp_path / "own.mp4", tmp_path / "new/own"
    words = (tiny_export, clip, "--box", BOX, "--csv", table, "--video", video, "--pictures", pictures)
    for number in (FRAMES, 3):
        answer = tracked(*words, "--frames", number)
        assert answer["written"] == [str(table), str(video), str(pictures)]
        assert len(rows_of(table)) == number
        assert len(list(open_clip(video).frames())) == number
        assert sorted(path.name for path in pictures.iterdir()) == [f"{index:06}.png" for index in range(number)]
        assert foreign_files(pictures) is None
    assert {path.name for path in tmp_path.iterdir()} == {"drawn.avi", "own.csv", "own.mp4", "new"}


@pytest.mark.parametrize("option", ["--csv", "--video", "--pictures"])
def test_what_somebody_else_wrote_is_left_alone(tiny_export, clip, tmp_path, option):
    target = tmp_path / {"--csv": "mine.csv", "--video": "mine.mp4", "--pictures": "mine"}[option]
    if option == "--pictures":
        target.mkdir()
        (target / "mine.png").write_bytes(b"mine")
    else:
        target.write_text("frame,x,y\n0,1,2\n")
    before = kept(tmp_path)
    done = lt_track(tiny_export, clip, "--box", BOX, option, target)
    assert done.code == 2
    assert "nothing was touched" in done.error_line
    assert kept(tmp_path) == before


def test_a_changed_file_is_refused(tiny_both, clip, tmp_path):
    export = shutil.copytree(tiny_both, tmp_path / "export")
    weights = export / "lighttrack_update.bin"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\x80\x3f")
    done = lt_track(export, clip, "--box", BOX, "--csv", tmp_path / "own.csv")
    assert (done.code, done.out) == (1, "")
    assert done.error_line.endswith("lighttrack_update.bin has changed since the export")
    (export / "lighttrack_init.bin").unlink()
    done = lt_track(export, clip, "--box", BOX, "--csv", tmp_path / "own.csv")
    assert done.code == 1
    assert "lighttrack_init.bin is missing" in done.error_line
    assert not (tmp_path / "own.csv").exists()


def changed(export, change):
    path = export / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_manifest_that_says_otherwise_is_refused(tiny_export, clip, tmp_path):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    changed(export, lambda manifest: manifest["tracker"].update(lr=0.9))
    done = lt_track(export, clip, "--box", BOX)
    assert done.code == 1
    assert "says that tracker.lr is 0.9, expected" in done.error_line


def test_a_graph_that_is_missing_makes_no_tracker(tiny_export, clip, tmp_path):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    changed(export, lambda manifest: manifest["graphs"].pop(0))
    for path in export.glob("lighttrack_init.*"):
        path.unlink()
    done = lt_track(export, clip, "--box", BOX)
    assert done.code == 1
    assert done.error_line.endswith("init of ncnn is missing, and without it this is no tracker; export again")


@pytest.mark.parametrize(
    ("change", "said", "stated"),
    [
        (lambda entry: entry.update(status="unverified", reason="--no-verify"), "not verified", "unverified"),
        (lambda entry: entry["tolerances"]["cls"].update(rtol=0.5), "verified with wider tolerances", "passed"),
    ],
    ids=["unverified", "wider"],
)
def test_the_manifests_status_is_said(tiny_export, clip, tmp_path, change, said, stated):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    changed(export, lambda manifest: change(manifest["verification"]))
    done = lt_track(export, clip, "--box", BOX)
    assert done.code == 0, done.err
    assert f", 127/288, {said}\n" in done.out
    assert said in done.err
    answer = tracked(export, clip, "--box", BOX)["export"]["verification"]
    assert answer["status"] == stated
    assert bool(answer["wider_tolerances"]) == ("wider" in said)


def test_an_answer_that_cannot_be_used_ends_it(tiny_export, clip, tmp_path):
    """The files are those of the manifest, so that only the answer shows it."""
    export = shutil.copytree(tiny_export, tmp_path / "export")
    path = export / "lighttrack_update.bin"
    data = bytearray(path.read_bytes())
    data[-1600:-8] = np.full(398, np.nan, np.float32).tobytes()
    path.write_bytes(data)

    def resigned(manifest):
        for graph in manifest["graphs"]:
            for file in graph["files"]:
                if file["name"] == path.name:
                    file["sha256"] = hashlib.sha256(data).hexdigest()

    changed(export, resigned)
    done = lt_track(export, clip, "--box", BOX, "--csv", tmp_path / "own.csv", "-q")
    assert (done.code, done.out) == (1, "")
    assert "frame 1: " in done.error_line
    assert "NaN or infinite" in done.error_line
    assert not (tmp_path / "own.csv").exists()  # nothing but the given box


def test_a_video_that_was_cut_short_leaves_what_could_be_read(tiny_export, tmp_path):
    clip = save_video(tmp_path / "cut.avi", 40)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    table, video = tmp_path / "own.csv", tmp_path / "own.avi"
    done = lt_track(tiny_export, clip, "--box", BOX, "--csv", table, "--video", video, "--json")
    assert done.code == 2
    read = len(rows_of(table))
    assert 10 < read < 30
    assert f"{read} of 40 frames could be read; the file is damaged or was cut short" in done.error_line
    said = " ".join(done.err.split())
    assert f"ended early: {read} of 40 frames were tracked, and are in {table}, {video}" in said
    assert len(list(open_clip(video).frames())) == read
    answer = json.loads(done.out)
    assert (answer["complete"], len(answer["frames"]), answer["error"]["exit_code"]) == (False, read, 2)


def begun(*words):
    """A tracking in a process of its own."""
    words = command(*words, "--json", module=TRACK)
    return subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_what_was_tracked(tiny_export, tmp_path, number):
    clip, drawn = save_video(tmp_path / "long.avi", 3000), tmp_path / "drawn"
    table = tmp_path / "own.csv"
    process = begun(tiny_export, clip, "--box", BOX, "--csv", table, "--pictures", drawn)
    deadline = time.monotonic() + 60
    while not [*tmp_path.glob(".drawn.*/000003.png")] and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number, err
    rows = rows_of(table)
    assert 3 < len(rows) < 3000
    assert err.splitlines()[-1] == (
        f"lt-track: interrupted by {number.name}; {len(rows)} of 3000 frames were tracked, and are in {table}, {drawn}"
    )
    assert len(list(drawn.iterdir())) == len(rows)
    assert {path.name for path in tmp_path.iterdir()} == {"long.avi", "own.csv", "drawn"}
    answer = json.loads(out)
    assert (len(answer["frames"]), answer["error"]["exit_code"]) == (len(rows), 128 + number)


def test_kill_9_leaves_no_drafts(tiny_export, tmp_path):
    clip, drawn = save_video(tmp_path / "long.avi", 3000), tmp_path / "drawn"
    process = begun(tiny_export, clip, "--box", BOX, "--video", tmp_path / "drawn.mp4", "--pictures", drawn)
    deadline = time.monotonic() + 60
    while not [*tmp_path.glob(".drawn.*/000003.png")] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len([*tmp_path.glob(".drawn.*")]) == 2
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while [*tmp_path.glob(".drawn.*")] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert {path.name for path in tmp_path.iterdir()} == {"long.avi"}


def test_a_signal_keeps_the_table_while_a_frame_is_waited_for(tiny_export, tmp_path):
    """OpenCV waits for a stream that has stopped, and no exception gets through it."""
    clip, table = save_video(tmp_path / "long.avi", 60), tmp_path / "own.csv"
    data = clip.read_bytes()
    with served(data, len(data) // 2) as address:
        process = begun(tiny_export, address, "--box", BOX, "--csv", table)
        time.sleep(8)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - began < 5
    assert process.returncode == 130
    rows = rows_of(table)
    assert 10 < len(rows) < 60
    assert err.splitlines()[-1].endswith(f"{len(rows)} of 60 frames were tracked, and are in {table}")


def test_a_lost_target_is_marked_everywhere(tiny_export, clip, tmp_path):
    table, drawn = tmp_path / "own.csv", tmp_path / "drawn"
    words = (tiny_export, clip, "--box", BOX, "--csv", table, "--pictures", drawn)
    done = lt_track(*words, "--lost", 1)
    assert done.code == 0, done.err
    assert "lost in 7 frames" in done.out.splitlines()[0]
    assert "- lost, as the score says, in 1 to 7\n" in done.out
    assert "lost in 7" in done.err
    assert [row["lost"] for row in rows_of(table)] == [""] + ["score"] * 7
    lost = cv2.imread(str(drawn / "000001.png"))
    answer = tracked(*words, "--lost", 0)
    assert (answer["lost"], [each["lost"] for each in answer["frames"]]) == ([], [False] * FRAMES)
    assert not np.array_equal(lost, cv2.imread(str(drawn / "000001.png")))


def test_by_default_a_target_is_lost_below_half_of_the_first_score(tiny_export, clip):
    answer = tracked(tiny_export, clip, "--box", BOX)
    scores = [each["score"] for each in answer["frames"]]
    assert answer["lost"] == [index for index in range(2, FRAMES) if scores[index] < scores[1] / 2]


@pytest.mark.parametrize("gap", [",", "\t", " ", " , "])
def test_ground_truth_adds_overlap_and_success(tiny_export, clip, tmp_path, gap):
    answer = tracked(tiny_export, clip, "--box", BOX)
    boxes = [list(box) for box in boxes_in(answer)]
    boxes[2][2] *= 0.6  # of the width: an overlap of 0.6
    boxes[3][2] *= 0.4
    lines = [gap.join(f"{value:.6f}" for value in box) for box in boxes]
    lines[0], lines[4], lines[5] = gap.join("9999"), gap.join(["NaN"] * 4), gap.join(["-1"] * 4)
    truth = tmp_path / "truth.txt"
    truth.write_text("\r\n".join(lines[:7]) + "\n\n")
    words = (tiny_export, clip, "--box", BOX, "--groundtruth", truth)
    found = tracked(*words)["groundtruth"]
    assert (found["frames"], found["absent"], found["unknown"]) == (4, 2, 1)
    expected = [overlap_as_the_toolkit(boxes_in(answer)[index], boxes[index]) for index in (1, 2, 3, 6)]
    assert found["overlap"] == pytest.approx(np.mean(expected), abs=1e-5)
    assert found["success"] == {str(limit): np.mean(np.array(expected) > limit) for limit in (0.5, 0.75)}
    said = lt_track(*words).out
    assert f"- ground truth: AO {found['overlap']:.4f}, success at 0.5: " in said
    assert "over 4 frames (2 without a target, 1 without a line in the file left out)" in said


def overlap_as_the_toolkit(a, b, size=(120, 90)):
    """``rect_iou`` of got-10k/toolkit, with a bound, in numpy."""
    rects = np.array([a, b], float)
    for side in (0, 1):
        rects[:, side] = np.clip(rects[:, side], 0, size[side])
        rects[:, side + 2] = np.clip(rects[:, side + 2], 0, size[side] - rects[:, side])
    low, high = rects[:, :2].max(0), (rects[:, :2] + rects[:, 2:]).min(0)
    shared = np.prod(np.maximum(high - low, 0))
    return shared / (rects[:, 2:].prod(1).sum() - shared + np.finfo(float).eps)


def test_the_ground_truth_has_the_first_box(tiny_export, clip, tmp_path):
    truth = tmp_path / "truth.txt"
    truth.write_text(f"nan,nan,nan,nan\n{BOX}\n")
    words = (tiny_export, clip, "--groundtruth", truth)
    answer = tracked(*words, "--start", 1)
    assert answer["box"] == [30, 20, 16, 12]
    assert answer["groundtruth"]["frames"] == 0
    assert "ground truth: no frame to compare" in lt_track(*words, "--start", 1).out
    for start, said in ((0, "says that there is no target in frame 0"), (2, "has no line in frame 2")):
        done = lt_track(*words, "--start", start)
        assert done.code == 2
        assert said in done.error_line


def test_quiet_prints_nothing(tiny_export, clip):
    done = lt_track(tiny_export, clip, "--box", BOX, "-q")
    assert (done.code, done.out, done.err) == (0, "", "")


def test_from_python_it_is_an_iterator(tiny_both, clip, tmp_path):
    words = {"formats": "onnx", "csv": tmp_path / "own.csv"}
    expected = boxes_in(tracked(tiny_both, clip, "--box", BOX, "--format", "onnx"))
    tracking = track(tiny_both, clip, (30, 20, 16, 12), **words)
    found = []
    for number, box, score in tracking:
        assert (number, list(box.values)) == (len(found), expected[number])
        assert 0 <= score <= 1
        assert tracking.picture.shape == (90, 120, 3)
        found.append(tracking.lost)
    assert len(found) == tracking.total == FRAMES
    assert tuple(index for index, lost in enumerate(found) if lost) == tracking.result.lost
    assert len(rows_of(tmp_path / "own.csv")) == FRAMES
    assert tracking.result.complete


def test_from_python_it_can_be_left_early(tiny_export, clip, tmp_path):
    with track(tiny_export, clip, BOX, csv=tmp_path / "own.csv") as tracking:
        for each in tracking:
            if each.frame == 2:
                break
        assert not (tmp_path / "own.csv").exists()
    assert len(rows_of(tmp_path / "own.csv")) == 3
    assert next(tracking, None) is None
    assert not tracking.result.complete
    with pytest.raises(UsageError, match="no such file or folder"):
        track(tiny_export, tmp_path / "nowhere.avi", BOX)
    assert sorted(contents(tmp_path)) == ["drawn.avi", "own.csv"]
