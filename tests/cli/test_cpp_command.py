"""lt-cpp through the command line: what is written, what is refused."""

import json
import os
import re
import shutil

import pytest
from exports import export_to

from commands import lt_cpp
from conftest import contents
from converter.util.atomic import sha256


@pytest.fixture(scope="module")
def export(tiny, tmp_path_factory):
    """Not to be changed."""
    return export_to(tiny, tmp_path_factory.mktemp("exports") / "tiny")


@pytest.fixture
def changed(export, tmp_path):
    """A copy, and what changes its manifest: (text, other text)."""
    folder = tmp_path / "export"
    shutil.copytree(export, folder)
    manifest = folder / "manifest.json"

    def change(text, other):
        before = manifest.read_text()
        assert text in before
        manifest.write_text(before.replace(text, other))

    return folder, change


def test_a_folder_with_what_the_manifest_says(export, tmp_path):
    done = lt_cpp(export, "-o", tmp_path / "cpp", "--json")
    assert done.code == 0, done.err
    answer = json.loads(done.out)
    names = {file["name"] for file in answer["files"]}
    assert {"tracker.hpp", "ncnn_backend.hpp", "main.cpp", "check.cpp", "CMakeLists.txt", "README.md"} < names
    header = (tmp_path / "cpp/tracker.hpp").read_text()
    assert sha256(export / "manifest.json") in header
    for file in export.glob("*.bin"):
        assert f'"{file.name}", {file.stat().st_size}, "{sha256(file)}"' in header
    tracker = json.loads((export / "manifest.json").read_text())["tracker"]
    for name in ("penalty_k", "lr", "window_influence", "context_amount", "smallest_side"):
        assert f"double {name} = {float(tracker[name])!r};" in header


def test_an_export_in_a_folder_whose_name_is_no_utf8(export, tmp_path):
    folder = shutil.copytree(export, tmp_path / os.fsdecode(b"a\xff\xfe"))
    done = lt_cpp(folder, "-o", tmp_path / "cpp", "-q")
    assert (done.code, done.err) == (0, "")
    assert 'a\\377\\376"' in (tmp_path / "cpp/tracker.hpp").read_text()


def test_an_earlier_folder_is_replaced_and_another_is_not(export, tmp_path):
    assert lt_cpp(export, "-o", tmp_path / "cpp", "-q").code == 0
    (tmp_path / "cpp/tracker.hpp").write_text("changed")
    assert lt_cpp(export, "-o", tmp_path / "cpp", "-q").code == 0
    assert "namespace lt" in (tmp_path / "cpp/tracker.hpp").read_text()
    other = tmp_path / "other"
    other.mkdir()
    (other / "mine.cpp").write_text("mine")
    done = lt_cpp(export, "-o", other)
    assert (done.code, contents(other)) == (2, {"mine.cpp": b"mine"})
    assert "mine.cpp" in done.error_line


@pytest.mark.parametrize("name", ['a"; system("x"); "', "x'y", "a b", "ü.param"])
def test_hostile_file_names_reach_no_line_of_cpp(changed, tmp_path, name):
    folder, change = changed
    change('"lighttrack_init.param"', json.dumps(name))
    (folder / "lighttrack_init.param").rename(folder / name)
    done = lt_cpp(folder, "-o", tmp_path / "cpp")
    assert done.code == 2, done.err
    assert "is no name" in done.error_line
    assert not (tmp_path / "cpp").exists()


def test_hostile_blobs_are_refused(changed, tmp_path):
    folder, change = changed
    change('"name": "zf"', '"name": "zf\\"); system(\\"x"')
    done = lt_cpp(folder, "-o", tmp_path / "cpp")
    assert done.code == 2, done.err
    assert "is no name for zf in ncnn" in done.error_line


def test_changed_models_are_refused(changed, tmp_path):
    folder, _ = changed
    with (folder / "lighttrack_init.bin").open("ab") as writer:
        writer.write(b"more")
    done = lt_cpp(folder, "-o", tmp_path / "cpp")
    assert done.code == 1
    assert "lighttrack_init.bin has changed since the export" in done.error_line


def test_an_export_without_ncnn_is_refused(tiny, tmp_path):
    folder = export_to(tiny, tmp_path / "onnx", "--format", "onnx")
    done = lt_cpp(folder, "-o", tmp_path / "cpp")
    assert done.code == 2
    assert "the export has onnx only" in done.error_line


def test_names_of_a_manifest_are_escaped(export, tmp_path):
    """A folder may be called anything."""
    folder = tmp_path / 'with "quotes" and \\ and ü'
    shutil.copytree(export, folder)
    assert lt_cpp(folder, "-o", tmp_path / "cpp", "-q").code == 0
    line = re.search(r"folder = (.*);", (tmp_path / "cpp/tracker.hpp").read_text())
    assert line
    assert re.fullmatch(r'"([\w /.,:+-]|\\[0-7]{3})*"', line[1], re.ASCII)
    assert r"\042quotes\042 and \134 and \303\274" in line[1]
