"""Golden vectors: what is written can be read by anybody, and what was changed is noticed."""

import hashlib
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
from golden_folder import HEADER, INIT, SHAPES, TOLERANCES, TWO, graph, make_golden, picture_feed, run, tensor_of

from converter.errors import UsageError, VerificationError
from converter.folder.golden import read_golden
from converter.folder.golden_writer import GoldenCase, golden_header, write_golden
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import TrackerModels


@pytest.fixture
def golden(tmp_path):
    return make_golden(tmp_path / "golden", [picture_feed("noise 0", 1), picture_feed("bag.png", 2)])


def test_four_files_per_tensor_hold_the_same_numbers(golden):
    for entry in golden.index.tensors:
        expected = golden.read(entry)
        folder, files = golden.folder, entry.files
        assert (folder / files.nchw_npy).name == f"{entry.name}.npy"
        assert np.load(folder / files.nchw_npy).dtype == np.float32
        np.testing.assert_array_equal(np.load(folder / files.nchw_npy), expected)
        np.testing.assert_array_equal(np.fromfile(folder / files.nchw_bin, "<f4"), expected.ravel())
        np.testing.assert_array_equal(np.load(folder / files.nhwc_npy).transpose(0, 3, 1, 2), expected)
        batch, channels, height, width = expected.shape
        last = np.fromfile(folder / files.nhwc_bin, "<f4").reshape(batch, height, width, channels)
        np.testing.assert_array_equal(last.transpose(0, 3, 1, 2), expected)


def test_index_says_what_every_tensor_is(golden):
    index = golden.index.model_dump()
    assert [case["name"] for case in index["cases"]] == ["noise_0", "bag_png"]
    assert index["graphs"][1] == {
        "name": "update",
        "inputs": ["zf", "x"],
        "outputs": ["cls", "reg"],
        "intermediates": ["features.blocks.1", "head.cls_tower.0"],
    }
    found = [(entry["graph"], entry["name"], entry["role"]) for entry in index["tensors"] if entry["case"] == "noise_0"]
    assert found == [
        ("init", "z", "input"),
        ("init", "features.blocks.1", "intermediate"),
        ("init", "zf", "output"),
        ("update", "zf", "input"),
        ("update", "x", "input"),
        ("update", "features.blocks.1", "intermediate"),
        ("update", "head.cls_tower.0", "intermediate"),
        ("update", "cls", "output"),
        ("update", "reg", "output"),
    ]
    reg = tensor_of(golden, "bag_png", "update", "reg")
    entry = index["tensors"][-1]
    assert (entry["shape"], entry["min"], entry["max"]) == (list(reg.shape), reg.min(), reg.max())
    assert entry["about"] == "the reg"


def test_files_of_the_index_are_all_files_with_their_checksums(golden):
    listed = {file.name: (file.sha256, file.bytes) for file in golden.index.files}
    found = {}
    for path in golden.folder.rglob("*"):
        if path.is_file() and path.name != "index.json":
            data = path.read_bytes()
            found[path.relative_to(golden.folder).as_posix()] = (hashlib.sha256(data).hexdigest(), len(data))
    assert found == listed


def test_feeds_and_answers_come_back(golden):
    for feed, answer, seed, title in zip(golden.feeds(), golden.answers(), (1, 2), ("noise 0", "bag.png"), strict=True):
        expected = picture_feed(title, seed)
        assert feed.name == title
        assert feed.tensors.keys() == {"z", "x"}
        assert answer.keys() == {"zf", "cls", "reg"}
        for name, array in {**feed.tensors, **answer}.items():
            np.testing.assert_array_equal(array, {**expected.tensors, **run(expected.tensors)}[name])


def test_names_of_blobs_and_meanings_are_kept_apart(tmp_path):
    renamed = (graph("init", ["z"], ["zf"], z="in0", zf="out/0"), graph("update", ["zf", "x"], ["cls", "reg"], x="in1"))
    golden = make_golden(tmp_path / "golden", [picture_feed("a", 1)], renamed)
    assert golden.feeds()[0].tensors.keys() == {"z", "x"}
    assert golden.answers()[0].keys() == {"zf", "cls", "reg"}
    np.testing.assert_array_equal(tensor_of(golden, "a", "init", "out/0"), golden.answers()[0]["zf"])
    assert (golden.folder / "a/init/out_0.npy").is_file()


@pytest.mark.parametrize(
    ("titles", "names"),
    [
        (["noise 0", "noise_0", "NOISE-0"], ["noise_0", "noise_0_2", "NOISE_0_3"]),
        (["../../etc", "", "é/ü"], ["etc", "case", "case_2"]),
        (["a.png", "b c.jpeg"], ["a_png", "b_c_jpeg"]),
    ],
)
def test_case_names_are_safe_and_different(tmp_path, titles, names):
    golden = make_golden(tmp_path / "golden", [picture_feed(title, 3) for title in titles], (INIT,))
    assert [case.name for case in golden.cases] == names
    assert [case.title for case in golden.cases] == titles
    assert sorted(path.name for path in golden.folder.iterdir()) == sorted([*names, "index.json"])


def test_tensors_of_another_rank_are_the_same_in_both_layouts(tmp_path):
    answer = run(picture_feed("a", 1).tensors)
    flat = np.arange(6, dtype=np.float32).reshape(2, 3)
    tmp_path.joinpath("golden").mkdir()
    case = GoldenCase((INIT,), picture_feed("a", 1), answer, {"init": {"tokens": flat}})
    write_golden(tmp_path / "golden", HEADER, [case])
    for kind in ("npy", "nhwc.npy"):
        np.testing.assert_array_equal(np.load(tmp_path / f"golden/a/init/tokens.{kind}"), flat)
    np.testing.assert_array_equal(tensor_of(read_golden(tmp_path / "golden"), "a", "init", "tokens"), flat)


def test_values_that_are_not_finite_leave_the_index_readable(tmp_path):
    feed = picture_feed("a", 1)
    feed.tensors["z"][0, 0, 0, 0] = np.nan
    golden = make_golden(tmp_path / "golden", [feed], (INIT,))
    json.loads((golden.folder / "index.json").read_text(), parse_constant=pytest.fail)
    assert golden.index.tensors[0].min is None


def test_a_changed_file_is_named(golden):
    path = golden.folder / "bag_png/update/reg.bin"
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(data)
    tensor_of(golden, "noise_0", "update", "reg")
    for read in (golden.answers, golden.check_files, lambda: tensor_of(golden, "bag_png", "update", "reg")):
        with pytest.raises(VerificationError, match=r"bag_png/update/reg\.bin was changed since it was written"):
            read()


def test_a_file_that_nothing_reads_is_checked_too(golden):
    (golden.folder / "noise_0/init/zf.nhwc.npy").write_bytes(b"")
    golden.answers()
    with pytest.raises(VerificationError, match=r"zf\.nhwc\.npy was changed"):
        golden.check_files()


def test_a_missing_file_is_named(golden):
    (golden.folder / "noise_0/init/z.bin").unlink()
    with pytest.raises(VerificationError, match=r"noise_0/init/z\.bin cannot be read: No such file"):
        golden.feeds()


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b'{"kind": "golden"}', b"\xff", b"[" * 100_000])
def test_a_folder_without_golden_vectors_is_wrong_usage(tmp_path, content):
    if content is not None:
        (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(UsageError, match="expected a folder that --golden"):
        read_golden(tmp_path)


def test_a_folder_that_is_not_there_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        read_golden(tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file: is a file; expected a folder that"):
        read_golden(tmp_path / "file")


def test_another_schema_version_is_wrong_usage(golden):
    path = golden.folder / "index.json"
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(UsageError, match="schema_version is 2, this program reads 1"):
        read_golden(golden.folder)


def damage(golden, change):
    path = golden.folder / "index.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.pop("tensors"), "tensors: field required"),
        (lambda index: index["tensors"][0].update(role="both"), "tensors.0.role"),
        (lambda index: index.update(more=1), "more: extra"),
    ],
)
def test_a_changed_index_is_noticed(golden, change, message):
    damage(golden, change)
    with pytest.raises(VerificationError, match=message):
        read_golden(golden.folder)


@pytest.mark.parametrize("name", ["../secret.bin", "/etc/passwd", "noise_0/init/absent.bin"])
def test_an_index_cannot_lead_out_of_its_folder(golden, name):
    def lead_out(index):
        index["tensors"][0]["files"]["nchw_bin"] = name
        if "absent" not in name:
            index["files"].append({"name": name, "sha256": "0", "bytes": 0})

    damage(golden, lead_out)
    with pytest.raises(VerificationError, match=r"which is no file of these vectors|is no name of a file"):
        read_golden(golden.folder).feeds()


def test_a_shape_that_does_not_fit_its_file_is_noticed(golden):
    damage(golden, lambda index: index["tensors"][0].update(shape=[1, 3, 2, 2]))
    with pytest.raises(VerificationError, match=r"z\.bin holds 1200 bytes, the shape is"):
        read_golden(golden.folder).feeds()


def test_header_says_what_the_network_is_and_who_computed():
    spec = network_for(None)[1]
    tracker = TrackerModels(spec, Dimensions(127, 288, 16, 96, 8, 18), ())
    checkpoint = SimpleNamespace(file="a.pth", sha256="00", epoch=3)
    network = SimpleNamespace(path_name="p", checkpoint=checkpoint)
    header = golden_header("A", Comparison(tracker, (), (), TOLERANCES, 0.0), network, "torch", "fp32")
    assert header.model_dump(mode="json") == {
        "kind": "golden",
        "arch": "A",
        "path_name": "p",
        "checkpoint": {"file": "a.pth", "sha256": "00", "epoch": 3},
        "reference": "torch",
        "preprocess": {
            "colour_order": "RGB",
            "pixel_range": [0, 255],
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "norm": [0.0171247538, 0.0175070028, 0.0174291939],
            "on_0_1": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]},
        },
        "tracker": {"stride": 16, "template_size": 127, "search_size": 288, "score_size": 18, **spec.tracker},
        "precision": "fp32",
        "tolerances": {name: {"atol": 0.0, "rtol": 1e-4} for name in ("zf", "xf", "cls", "reg")},
    }


def test_an_index_of_the_first_release_is_written_again_byte_for_byte(golden):
    """Keys in the order in which they always were; only keys of the tracker that are known."""
    text = (golden.folder / "index.json").read_text()
    assert list(json.loads(text)) == [
        *("schema_version", "generator", "kind", "arch", "path_name", "checkpoint", "reference", "preprocess"),
        *("tracker", "precision", "tolerances", "cases", "graphs", "tensors", "files"),
    ]
    assert read_golden(golden.folder).index.text() == text


def test_made_up_tracker_has_the_shapes_it_says():
    tensors = picture_feed("a", 1).tensors
    assert {name: array.shape for name, array in {**tensors, **run(tensors)}.items()} == SHAPES
    assert Feed("a", tensors).tensors["z"].dtype == np.float32
    assert [part.name for part in TWO] == ["init", "update"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda index: index["tensors"][0].update(shape=[1 << 62, 4]), "tensors.0.shape.0: input should be less"),
        (lambda index: index["tensors"][0].update(shape=[-1, -3]), "tensors.0.shape.0: input should be greater"),
        (lambda index: index["tensors"][0].update(shape=[1] * 9), "tensors.0.shape: list should have at most 8"),
        (lambda index: index["cases"].append(index["cases"][0]), "two cases have one name"),
        (lambda index: index["graphs"].append(index["graphs"][0]), "two graphs have one name"),
        (lambda index: index["files"][0].update(bytes=-1), "files.0.bytes: input should be greater"),
    ],
)
def test_what_an_index_cannot_say(golden, change, problem):
    damage(golden, change)
    with pytest.raises(VerificationError, match=problem):
        read_golden(golden.folder)


def test_a_file_of_another_size_is_not_read(golden):
    name = golden.index.tensors[0].files.nchw_bin
    with (golden.folder / name).open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(
        VerificationError, match="was changed since it was written: has 1099511627776 bytes, expected at most"
    ):
        golden.read(golden.index.tensors[0])


def test_a_link_that_leads_out_is_not_followed(golden):
    path = golden.folder / golden.index.tensors[0].files.nchw_bin
    path.rename(golden.folder.parent / "elsewhere.bin")
    path.symlink_to(golden.folder.parent / "elsewhere.bin")
    with pytest.raises(VerificationError, match="is a link that leads out of the folder"):
        golden.read(golden.index.tensors[0])


def test_what_is_no_file_is_not_read(golden):
    path = golden.folder / golden.index.tensors[0].files.nchw_bin
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(VerificationError, match="cannot be read: is a pipe, expected a file"):
        golden.read(golden.index.tensors[0])
