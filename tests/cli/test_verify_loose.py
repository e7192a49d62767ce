"""lt-verify on models without a manifest, as other people convert them."""

import json
import re
import shutil

import pytest

from commands import lt_verify
from conftest import TINY

# what the two graphs' blobs are called in a well-known C++ consumer
NAMES = {
    "init": {"z": "input1", "zf": "output.1"},
    "update": {"zf": "input1", "x": "input2", "cls": "output.1", "reg": "output.2"},
}


@pytest.fixture(scope="module")
def renamed(tiny_both, tmp_path_factory):
    """The two ncnn graphs under other file and blob names, without a manifest."""
    folder = tmp_path_factory.mktemp("loose")
    for graph, names in NAMES.items():
        text = (tiny_both / f"lighttrack_{graph}.param").read_text()
        for old, new in names.items():
            text = re.sub(rf"(?<= ){old}(?=[ \n])", new, text)
        (folder / f"{graph}.param").write_text(text)
        shutil.copy(tiny_both / f"lighttrack_{graph}.bin", folder / f"{graph}.bin")
    return folder


def verify_two(folder, tiny, *more, suffix=".param"):
    paths = ("--init", folder / f"init{suffix}", "--update", folder / f"update{suffix}")
    return lt_verify(*paths, "--resume", tiny, "--path-name", TINY, *more)


def mapping(result):
    return {
        model["name"]: {tensor["name"]: tensor["meaning"] for tensor in model["tensors"]} for model in result["models"]
    }


def test_names_are_found_by_trying(renamed, tiny):
    done = verify_two(renamed, tiny, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert mapping(result) == {graph: {new: old for old, new in names.items()} for graph, names in NAMES.items()}
    assert {model["names_from"] for model in result["models"]} == {"trial"}
    assert result["files"]["status"] == "no manifest"


def test_the_mapping_is_shown(renamed, tiny):
    done = verify_two(renamed, tiny)
    assert done.code == 0, done.err
    for blob, tensor in (("input1", "zf"), ("input2", "x"), ("output.1", "cls")):
        assert re.search(rf"ncnn update +(in|out)put +{re.escape(blob)} +{tensor}\b", done.out)
    assert "found by trying" in done.out


def test_names_can_be_given_for_one_graph_or_for_all(renamed, tiny):
    renames = ("init:input1=z", "output.1=zf", "update:input1=zf", "input2=x", "output.1=cls", "output.2=reg")
    done = verify_two(renamed, tiny, "--json", *(word for rename in renames for word in ("--rename", rename)))
    assert done.code == 0, done.err
    assert {model["names_from"] for model in json.loads(done.out)["models"]} == {"--rename"}
    assert "must be wrong" not in " ".join(done.err.split())


def test_wrong_names_are_not_taken(renamed, tiny):
    done = verify_two(renamed, tiny, "--rename", "output.2=cls", "--rename", "output.1=reg")
    assert done.code == 2
    assert "as input1, input2, in any order" in done.error_line


@pytest.mark.parametrize(
    ("rename", "words"),
    [
        ("nope=cls", "--rename nope=cls: no such input or output; the files have input1, input2, output.1, output.2"),
        ("output.1", "--rename output.1: expected BLOB=MEANING"),
        ("output.1=score", "unknown meaning 'score', expected one of cls, reg, x, xf, z, zf"),
    ],
)
def test_a_rename_that_says_nothing_is_refused(renamed, tiny, rename, words):
    done = verify_two(renamed, tiny, "--rename", rename)
    assert done.code == 2
    assert words in done.error_line


def test_a_damaged_loose_model_fails(renamed, tiny, tmp_path):
    shutil.copytree(renamed, tmp_path / "damaged")
    path = tmp_path / "damaged" / "update.param"
    path.write_text(path.read_text().replace("0=2 1=1 2=16.0", "0=2 1=1 2=15.0"))
    done = verify_two(tmp_path / "damaged", tiny)
    assert done.code == 1
    assert "reg is off by" in done.error_line


def test_a_cut_off_table_fails(renamed, tiny, tmp_path):
    shutil.copytree(renamed, tmp_path / "damaged")
    path = tmp_path / "damaged" / "update.param"
    path.write_text(path.read_text()[:500])
    done = verify_two(tmp_path / "damaged", tiny)
    assert done.code == 1
    assert "update.param" in done.error_line


def test_three_onnx_graphs_say_their_sizes_themselves(tiny_both, tiny):
    paths = [
        word
        for option, name in (("--init", "init"), ("--backbone", "backbone"), ("--neck-head", "neck_head"))
        for word in (option, tiny_both / f"lighttrack_{name}.onnx")
    ]
    done = lt_verify(*paths, "--resume", tiny, "--path-name", TINY, "--json")
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert [model["name"] for model in result["models"]] == ["init", "backbone", "neck_head"]
    assert result["sizes"]["search_size"] == 288


def test_one_graph_alone_is_verified_alone(renamed, tiny):
    done = lt_verify("--update", renamed / "update.param", "--resume", tiny, "--path-name", TINY, "--partial", "--json")
    assert done.code == 0, done.err
    assert {check["how"] for check in json.loads(done.out)["verification"]["checks"]} == {"alone"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--init", "a.tflite"], "--init a.tflite: expected a file whose name ends in .param or .onnx"),
        (["--init", "a.param"], "--init a.param: no such file"),
        (["--init", "lonely.param"], "--init lonely.param: no lonely.bin beside it"),
        (["--update", "init.param", "--neck-head", "init.param"], "expected the graphs of one split"),
        (["--init", "init.param", "--update", "net.onnx"], "several formats"),
        (["--init", "update.param", "--update", "init.param"], "has inputs"),
    ],
)
def test_files_that_cannot_be_used(renamed, tiny, tmp_path, arguments, words):
    folder = shutil.copytree(renamed, tmp_path / "models")
    (folder / "lonely.param").write_text("7767517\n0 0\n")
    (folder / "net.onnx").write_bytes(b"")
    done = lt_verify(*arguments, "--resume", tiny, "--path-name", TINY, cwd=folder)
    assert done.code == 2, done.err
    assert words in done.error_line
