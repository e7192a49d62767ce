"""``lt-calibrate``: what a tracker's graphs are fed with on clips, in matching sets, for every quantiser."""

import json
import runpy
import shutil

import ncnn
import numpy as np
import onnx
import pytest
from clips import frame, save_video
from consumer import answers, assert_close, export, extract, load
from onnxruntime.quantization import quantize_static
from PIL import Image
from stark import ARCH

from commands import lt_calibrate
from conftest import TINY, save_seeded
from converter.api import read_calibration

BOX = "30,20,16,12"
FRAMES = 14
SAMPLES = 5


def calibrate(weights, *words, path_name=TINY):
    return lt_calibrate(weights, *(("--path-name", path_name) if path_name else ()), *words)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return save_video(tmp_path_factory.mktemp("clips") / "drawn.avi", FRAMES)


@pytest.fixture(scope="module")
def calib(tiny, clip, tmp_path_factory):
    """Not to be changed."""
    folder = tmp_path_factory.mktemp("sets") / "calib"
    done = calibrate(tiny, "--clip", clip, "--box", BOX, "--samples", SAMPLES, "-o", folder, "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def array(folder, name, number):
    return np.load(folder / "npy" / name / f"{number:03}.npy")


def test_features_are_the_networks_for_the_crops_of_the_same_sample(calib, tiny):
    folder, answer = calib
    assert len(answer["samples"]) == SAMPLES
    for number, sample in enumerate(answer["samples"]):
        z, x = (array(folder, name, number) for name in ("z", "x"))
        assert (z.shape, x.shape, z.dtype, x.dtype) == ((1, 3, 127, 127), (1, 3, 288, 288), np.float32, np.float32)
        zf, _, _ = answers(tiny, z, x)
        assert_close([array(folder, "zf", number)], [zf])
        assert sample["source"] == "drawn.avi"
        assert 0 <= sample["template_frame"] < sample["frame"] < FRAMES
    frames = [sample["frame"] for sample in answer["samples"]]
    assert frames == sorted({*frames})
    assert frames[-1] - frames[0] > FRAMES // 2
    first = [number for number, sample in enumerate(answer["samples"]) if sample["template_frame"] == 0]
    assert first == [0, 2, 4]
    assert all(np.array_equal(array(folder, "z", 0), array(folder, "z", number)) for number in first)
    assert not np.array_equal(array(folder, "z", 0), array(folder, "z", 1))


def test_every_layout_has_the_same_numbers(calib):
    folder, answer = calib
    for name in ("z", "x", "zf", "xf"):
        for number in range(SAMPLES):
            whole = array(folder, name, number)
            np.testing.assert_array_equal(np.load(folder / "ncnn" / name / f"{number:03}.npy"), whole[0])
            assert (folder / "raw" / name / f"{number:03}.bin").read_bytes() == whole.tobytes()
    assert {file["name"] for file in answer["files"]} == files(folder).keys() - {"calibration.json"}


def test_lists_name_matching_sets_in_the_order_of_the_inputs(calib):
    folder, answer = calib
    inputs = {graph["name"]: [tensor["meaning"] for tensor in graph["inputs"]] for graph in answer["graphs"]}
    assert inputs["update"] == ["zf", "x"]
    assert inputs["neck_head"] == ["zf", "xf"]
    for graph, names in inputs.items():
        lines = (folder / "npy" / f"{graph}.txt").read_text().splitlines()
        assert lines == [" ".join(f"{name}/{number:03}.npy" for name in names) for number in range(SAMPLES)]
        assert all((folder / "npy" / file).is_file() for line in lines for file in line.split())
    assert (folder / "ncnn/zf.txt").read_text().split() == [f"zf/{number:03}.npy" for number in range(SAMPLES)]
    commands = (folder / "ncnn/ncnn2table.txt").read_text().splitlines()
    (update,) = (line.split() for line in commands if line.startswith("ncnn2table update.param"))
    shape = np.load(folder / "ncnn/zf/000.npy").shape[::-1]
    assert update[3:] == ["zf.txt,x.txt", "update.table", f"shape=[{shape[0]},{shape[1]},{shape[2]}],[288,288,3]",
                          "method=kl", "type=1"]  # fmt: skip


def test_ncnn_answers_with_these_arrays_as_the_network_does(calib, tiny, tiny_export):
    folder, _ = calib
    net = load(tiny_export, "lighttrack_update")
    assert list(net.input_names()) == ["zf", "x"]
    feed = {name: np.load(folder / "ncnn" / name / "003.npy")[np.newaxis] for name in ("zf", "x")}
    _, cls, reg = answers(tiny, array(folder, "z", 3), array(folder, "x", 3))
    assert_close(extract(net, feed, ["cls", "reg"]), (cls, reg))
    assert ncnn.__version__


def test_onnxruntime_quantises_with_the_reader(calib, tiny, tmp_path):
    """A graph of two inputs, whose reader hands out pairs; in a folder of its own, as somebody would copy it."""
    done = export(tiny, tmp_path / "out", "--format", "onnx", "--split", "two", "--opset", 13, "--no-verify")
    assert done.code == 0, done.err
    shutil.copytree(calib[0] / "npy", tmp_path / "npy")
    reader = runpy.run_path(str(tmp_path / "npy/reader.py"))["Reader"]("update")
    feeds = list(iter(reader.get_next, None))
    assert len(feeds) == SAMPLES
    for mine, feed in zip(feeds, read_calibration(calib[0]).feeds("update"), strict=True):
        assert mine.keys() == feed.keys() == {"zf", "x"}
        assert all(np.array_equal(mine[name], feed[name]) for name in feed)
    reader.rewind()
    quantize_static(tmp_path / "out/lighttrack_update.onnx", tmp_path / "int8.onnx", reader)
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds


def test_the_seed_decides_and_the_same_call_gives_the_same_bytes(calib, tiny, clip, tmp_path):
    words = ("--clip", clip, "--box", BOX, "--samples", SAMPLES, "-q")
    assert calibrate(tiny, *words, "-o", tmp_path / "again").code == 0
    assert files(tmp_path / "again") == files(calib[0])
    assert calibrate(tiny, *words, "-o", tmp_path / "again", "--seed", 4, "--layout", "raw").code == 0
    other = json.loads((tmp_path / "again/calibration.json").read_text())
    assert other["seed"] == 4
    assert [each["frame"] for each in other["samples"]] != [each["frame"] for each in calib[1]["samples"]]
    assert {name.partition("/")[0] for name in files(tmp_path / "again")} == {"raw", "calibration.json"}
    feed = next(read_calibration(tmp_path / "again").feeds("neck_head"))
    assert {name: each.shape[0] for name, each in feed.items()} == {"zf": 1, "xf": 1}


def test_several_clips_have_their_own_targets_and_pictures_come_beside(tiny, clip, tmp_path):
    second = save_video(tmp_path / "second.avi", 6)
    Image.fromarray(frame(3)).save(tmp_path / "crop.png")
    words = ("--clip", clip, "--box", BOX, "--clip", second, "--box", "31,21,14,10", "--image", tmp_path / "crop.png")
    done = calibrate(tiny, *words, "--samples", 5, "--layout", "npy", "-o", tmp_path / "out", "--json")
    assert done.code == 0, done.err
    samples = json.loads(done.out)["samples"]
    assert [each["source"] for each in samples] == ["drawn.avi"] * 3 + ["second.avi"] * 2 + ["crop.png"]
    assert not np.array_equal(array(tmp_path / "out", "z", 0), array(tmp_path / "out", "z", 3))
    assert samples[-1]["frame"] is None


def test_a_set_is_of_one_network_and_one_normalisation(calib, tiny, tmp_path):
    folder, _ = calib
    done = calibrate(tiny, "--check", folder)
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].startswith("of this network ")
    other = save_seeded(tmp_path / "other.pth", TINY, seed=3)
    config = tmp_path / "mine.yaml"
    config.write_text("preprocess:\n  mean: [0.5, 0.456, 0.406]\n")
    for weights, words, message in (
        (other, (), "of other weights, whose features differ: checkpoint is "),
        (tiny, ("--config", config), "normalised otherwise: mean is "),
        (tiny, ("--search-size", 256), "for search crops of another size: search_size is 288, expected 256"),
    ):
        done = calibrate(weights, "--check", folder, *words)
        assert (done.code, message in done.error_line) == (2, True), done.err


def test_a_changed_set_is_noticed(calib, tiny, tmp_path):
    folder = tmp_path / "calib"
    shutil.copytree(calib[0], folder)
    path = folder / "raw/x/002.bin"
    path.write_bytes(path.read_bytes()[:-4] + bytes(4))
    done = calibrate(tiny, "--check", folder)
    assert done.code == 1
    assert f"{path} was changed since it was written" in done.error_line
    text = (folder / "calibration.json").read_text()
    (folder / "calibration.json").write_text(text.replace('"raw/x/002.bin"', '"../x/002.bin"'))
    done = calibrate(tiny, "--check", folder)
    assert done.code == 1
    assert "calibration.json is damaged: files." in done.error_line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to calibrate on: pass --clip FILE --box x,y,w,h, or --image FILE"),
        (("--clip", "CLIP"), "1 of --clip and 0 of --box: expected a --box x,y,w,h for each --clip, in order"),
        (("--clip", "CLIP", "--box", BOX, "--box", BOX), "1 of --clip and 2 of --box"),
        (("--clip", "CLIP", "--box", "900,20,16,12"), "900"),
        (("--clip", "CLIP", "--box", BOX, "--layout", "nyp"), "--layout nyp: expected one of npy, ncnn, raw; did"),
        (("--clip", "CLIP", "--box", BOX, "--samples", 0), "--samples 0: expected 1 to 1000"),
        (("--check", "."), "no calibration.json in it; expected a folder that lt-calibrate wrote"),
        (("--check", ".", "--clip", "CLIP", "--box", BOX), "--check makes no set"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_wrong_usage(tiny, clip, tmp_path, words, message):
    words = [clip if word == "CLIP" else word for word in words]
    output = () if "--check" in words else ("-o", tmp_path / "out")
    done = lt_calibrate(tiny, "--path-name", TINY, *words, *output, cwd=tmp_path)
    assert (done.code, message in done.error_line) == (2, True), done.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_else_in_it_stays(tiny, clip, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = calibrate(tiny, "--clip", clip, "--box", BOX, "-o", tmp_path)
    assert done.code == 2
    assert "holds 'mine.txt', which no export wrote" in done.error_line


def test_stark_and_nanotrack_with_what_their_graphs_take(stark_weights, nanotrack_weights, clip, tmp_path):
    words = ("--clip", clip, "--box", BOX, "--samples", 2, "--layout", "npy", "--json")
    small = ("--arch", ARCH, "--template-size", 64, "--search-size", 128, "--masks")
    done = calibrate(stark_weights["rep_v2"], *words, *small, "-o", tmp_path / "stark", path_name=None)
    assert done.code == 0, done.err
    (head,) = (graph for graph in json.loads(done.out)["graphs"] if graph["name"] == "neck_head")
    assert [tensor["meaning"] for tensor in head["inputs"]] == ["zv", "zk", "xv", "xk", "z_mask", "x_mask"]
    assert array(tmp_path / "stark", "xv", 1).shape == (1, 64, 128)
    assert (tmp_path / "stark/npy/update.txt").read_text().startswith("zv/000.npy zk/000.npy x/000.npy z_mask/000.npy")
    done = calibrate(nanotrack_weights["v1"], *words, "-o", tmp_path / "nano", path_name=None)
    assert done.code == 0, done.err
    assert array(tmp_path / "nano", "x", 0).max() > 200
