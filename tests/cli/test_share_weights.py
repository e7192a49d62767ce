"""--share-weights: every weight once, in one file for all models of a format; answers are those of models apart."""

import json

import ncnn
import numpy as np
import onnx
import pytest
from clips import save_video
from consumer import export, extract, load, run
from stark import ARCH

from commands import lt_bench, lt_cpp, lt_export, lt_track, lt_verify
from conftest import contents

BOTH = ("--format", "ncnn", "--format", "onnx")


def feed(path):
    """Noise for the inputs of an ncnn model, by name."""
    model = onnx.load(path, load_external_data=False)
    generator = np.random.default_rng(3)
    sizes = {value.name: [size.dim_value for size in value.type.tensor_type.shape.dim] for value in model.graph.input}
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in sizes.items()}


def load_shared(folder, stem, weights):
    """As an application does: any model, and the weights that it shares."""
    net = ncnn.Net()
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{option}", False)
    assert net.load_param(str(folder / f"{stem}.param")) == 0
    assert net.load_model(str(folder / weights)) == 0
    return net


def assert_same_answers(apart, shared, stems):
    """Of every graph in both formats, bit for bit. Args: stems: name of a model -> its ncnn weights."""
    for stem, weights in stems.items():
        inputs = feed(apart / f"{stem}.onnx")
        expected = run(apart / f"{stem}.onnx", inputs)
        found = run(shared / f"{stem}.onnx", inputs)
        for name, array in expected.items():
            np.testing.assert_array_equal(found[name], array)
        one = extract(load(apart, stem), inputs, expected)
        other = extract(load_shared(shared, stem, weights), inputs, expected)
        for name, first, second in zip(expected, one, other, strict=True):
            np.testing.assert_array_equal(first, second, err_msg=f"{stem} {name}")


def sizes(folder, suffix):
    return sum(path.stat().st_size for path in folder.glob(f"*{suffix}"))


@pytest.fixture(scope="module")
def apart(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("apart") / "tiny"
    assert export(tiny, folder, *BOTH, "--split", "two").code == 0
    return folder


@pytest.fixture(scope="module")
def sharing(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "tiny"
    done = export(tiny, folder, *BOTH, "--split", "two", "--share-weights", "--golden", folder / "golden", "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def test_both_formats_have_every_weight_once_and_answer_as_before(apart, sharing):
    folder, manifest = sharing
    names = {"lighttrack.bin", "lighttrack_init.param", "lighttrack_update.param", "lighttrack.onnx.data"}
    names |= {"lighttrack_init.onnx", "lighttrack_update.onnx"}
    assert {path.name for path in folder.iterdir()} == {*names, "manifest.json", "golden"}
    weights, init = ((folder / "lighttrack.bin").read_bytes(), (apart / "lighttrack_init.bin").read_bytes())
    assert weights.startswith(init)
    assert (folder / "lighttrack_init.param").read_bytes() == (apart / "lighttrack_init.param").read_bytes()
    # of this network another batch norm is folded into the last convolution, for which update reads past init's
    (unread,) = (
        line.split() for line in (folder / "lighttrack_update.param").read_text().splitlines() if "unread" in line
    )
    count = int(unread[-1].removeprefix("0="))
    assert len(weights) == (apart / "lighttrack_update.bin").stat().st_size + 4 * count
    assert len(weights) < sizes(apart, ".bin")
    assert (folder / "lighttrack.onnx.data").stat().st_size < 1.05 * (apart / "lighttrack_update.onnx").stat().st_size
    assert_same_answers(apart, folder, {"lighttrack_init": "lighttrack.bin", "lighttrack_update": "lighttrack.bin"})
    assert manifest["verification"]["status"] == "passed"
    assert manifest["formats"]["ncnn"]["shared_weights"] == ["lighttrack.bin"]
    assert manifest["formats"]["onnx"]["shared_weights"] == ["lighttrack.onnx.data"]
    files = {
        (graph["format"], graph["name"]): [file["name"] for file in graph["files"]] for graph in manifest["graphs"]
    }
    assert files["ncnn", "update"] == ["lighttrack_update.param", "lighttrack.bin"]
    assert files["onnx", "init"] == ["lighttrack_init.onnx", "lighttrack.onnx.data"]


def test_it_verifies_with_checkpoint_and_golden_vectors_and_as_single_models(sharing, tiny):
    folder, _ = sharing
    assert lt_verify(folder).code == 0
    done = lt_verify(folder, "--resume", tiny, "--layers", "--json")
    assert done.code == 0, done.err
    report = json.loads(done.out)
    assert (report["verdict"], report["files"]["status"], report["precision"]) == ("passed", "passed", "fp32")
    for suffix in (".param", ".onnx"):
        models = ("--init", folder / f"lighttrack_init{suffix}", "--update", folder / f"lighttrack_update{suffix}")
        done = lt_verify(*models, "--resume", tiny, "--path-name", report["path_name"], "--json")
        assert done.code == 0, done.err
        assert json.loads(done.out)["precision"] == "fp32"


def test_other_weights_in_the_shared_file_fail(sharing, tiny, tmp_path):
    for name in ("lighttrack.bin", "lighttrack.onnx.data"):
        folder = tmp_path / name
        folder.mkdir()
        for file, data in contents_of(sharing[0]).items():
            (folder / file).write_bytes(data)
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2 + 3] ^= 0x40
        (folder / name).write_bytes(data)
        done = lt_verify(folder, "--resume", tiny, "--json")
        assert done.code == 1
        report = json.loads(done.out)
        assert [(each["file"], each["problem"]) for each in report["files"]["problems"]] == [
            (name, "has changed since the export")
        ]


def contents_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("format", ["ncnn", "onnx"])
def test_it_tracks_as_models_apart_do(apart, sharing, tmp_path, format):
    clip = save_video(tmp_path / "drawn.avi", 4)
    tracks = []
    for folder in (apart, sharing[0]):
        done = lt_track(folder, clip, "--box", "30,20,16,12", "--format", format, "--json")
        assert done.code == 0, done.err
        tracks.append(json.loads(done.out)["frames"])
    assert tracks[0] == tracks[1]


def test_the_benchmark_and_the_tracker_in_cpp_know_the_file(sharing, tmp_path):
    done = lt_bench(sharing[0], "--runs", 2, "--seconds", 1, "--json")
    assert done.code == 0, done.err
    done = lt_cpp(sharing[0], "-o", tmp_path / "cpp")
    assert done.code == 0, done.err
    header = (tmp_path / "cpp" / "tracker.hpp").read_text()
    assert header.count('{"lighttrack.bin", ') == 2


def test_a_head_apart_has_a_file_of_its_own_for_all_sizes(tiny, tmp_path):
    sized = (*BOTH, "--split", "three", "--search-size", 256, "--search-size", 288)
    for name, more in (("apart", ()), ("shared", ("--share-weights",))):
        done = export(tiny, tmp_path / name, *sized, "--half", *more)
        assert done.code == 0, done.err
    weights = {"lighttrack_init": "lighttrack.bin"}
    for size in (256, 288):
        weights[f"lighttrack_backbone_{size}"] = "lighttrack.bin"
        weights[f"lighttrack_neck_head_{size}"] = "lighttrack_neck_head.bin"
    assert_same_answers(tmp_path / "apart", tmp_path / "shared", weights)
    folder = tmp_path / "shared"
    assert {path.name for path in folder.glob("*.bin")} == {"lighttrack.bin", "lighttrack_neck_head.bin"}
    one_of_each = [tmp_path / "apart" / f"lighttrack_{name}_288.bin" for name in ("backbone", "neck_head")]
    assert sizes(folder, ".bin") == sum(path.stat().st_size for path in one_of_each)
    done = lt_verify(folder, "--resume", tiny, "--json")
    assert (done.code, json.loads(done.out)["precision"]) == (0, "half")


@pytest.mark.parametrize("split", ["two", "three"])
def test_stark_reads_past_the_positions_of_the_other_crop(stark_weights, tmp_path, split):
    small = ("--arch", ARCH, "--template-size", 64, "--search-size", 128, "--split", split, *BOTH)
    for name, more in (("apart", ()), ("shared", ("--share-weights",))):
        done = lt_export("--resume", stark_weights["rep_v2"], "-o", tmp_path / name, *small, *more)
        assert done.code == 0, done.err
    search = "update" if split == "two" else "backbone"
    stems = {"stark_init": "stark.bin", f"stark_{search}": "stark.bin"}
    stems |= {} if split == "two" else {"stark_neck_head": "stark_neck_head.bin"}
    assert_same_answers(tmp_path / "apart", tmp_path / "shared", stems)
    positions = 4 * 4 * 4 * 128  # bytes: of a template of 64 pixels
    before = (tmp_path / "apart" / f"stark_{search}.bin").stat().st_size
    assert (tmp_path / "shared" / "stark.bin").stat().st_size == before + positions
    done = lt_verify(tmp_path / "shared", "--resume", stark_weights["rep_v2"], "--layers", "--fp16-report")
    assert done.code == 0, done.err


def test_nanotrack_has_every_weight_once(nanotrack_weights, tmp_path):
    done = lt_export(nanotrack_weights["v3"], "-o", tmp_path / "out", *BOTH, "--split", "three", "--share-weights")
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "out").glob("*.bin")} == {"nanotrack.bin", "nanotrack_neck_head.bin"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--split", "one"), "--split one has every weight once already"),
        (("--preset", "lighttrack-ncnn"), "the consumer of --preset lighttrack-ncnn loads weights by the names of its"),
        (("--format", "rknn", "--target", "rk3588"), "expected ncnn or onnx, each rknn model holds its own"),
    ],
)
def test_where_there_is_nothing_to_share_it_is_wrong_usage(tiny, tmp_path, words, message):
    done = export(tiny, tmp_path / "out", *words, "--share-weights")
    assert done.code == 2
    assert f"--share-weights: {message}" in done.err
    assert not (tmp_path / "out").exists()


def test_a_preset_without_file_names_shares(tiny, tmp_path):
    done = export(tiny, tmp_path / "out", "--preset", "tensorrt", "--share-weights")
    assert done.code == 0, done.err
    names = {"lighttrack_init.onnx", "lighttrack_update.onnx", "lighttrack.onnx.data", "manifest.json"}
    assert contents(tmp_path / "out").keys() == names
