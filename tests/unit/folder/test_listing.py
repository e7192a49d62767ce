"""Which files a manifest or an index lists; whatever else the file holds lists none."""

import os

import pytest
from pydantic import ValidationError

from converter.folder.listing import FileEntry, link_out, listed_files, read_listing

GOOD = {
    "schema_version": 1,
    "generator": {"name": "lighttrack-export", "version": "0.0.1"},
    "graphs": [
        {"files": [{"name": "a.param", "sha256": "11"}, {"name": "a.bin", "sha256": "22", "bytes": 3}]},
        {"files": [{"name": "b.param", "sha256": "33"}]},
    ],
    "extra_files": [{"name": "a.pt", "sha256": "44"}],
}


def without(key):
    return {name: value for name, value in GOOD.items() if name != key}


def test_all_files_of_a_manifest_are_listed():
    assert listed_files(GOOD) == {"a.param": "11", "a.bin": "22", "b.param": "33", "a.pt": "44"}


def test_manifest_without_files_lists_none():
    assert listed_files({**GOOD, "graphs": [], "extra_files": []}) == {}


@pytest.mark.parametrize("key", list(GOOD))
def test_without_one_of_its_keys_it_is_no_manifest(key):
    assert listed_files(without(key)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 2},
        {"schema_version": None},
        {"generator": {"name": "another-export"}},
        {"generator": {}},
        {"generator": None},
        {"generator": "lighttrack-export"},
        {"generator": ["name"]},
        {"graphs": None},
        {"graphs": 3},
        {"graphs": "files"},
        {"graphs": [None]},
        {"graphs": [["files"]]},
        {"graphs": [{}]},
        {"graphs": [{"files": None}]},
        {"graphs": [{"files": [None]}]},
        {"graphs": [{"files": ["a.param"]}]},
        {"graphs": [{"files": [{"name": "a.param"}]}]},
        {"graphs": [{"files": [{"sha256": "11"}]}]},
        {"graphs": [{"files": [{"name": ["a"], "sha256": "11"}]}]},
        {"graphs": {"files": []}},
        {"extra_files": None},
        {"extra_files": 3},
        {"extra_files": "a.pt"},
        {"extra_files": [3]},
        {"extra_files": {"name": "a.pt", "sha256": "44"}},
    ],
)
def test_foreign_or_damaged_fields_make_it_no_manifest(change):
    assert listed_files({**GOOD, **change}) is None


@pytest.mark.parametrize("data", [None, True, 0, 1.5, "", "manifest", [], [GOOD], {}, {"graphs": []}])
def test_other_json_is_no_manifest(data):
    assert listed_files(data) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../a",
        "a/../b",
        "/a",
        "a//b",
        "a/",
        "./a",
        "C:/a",
        "C:a",
        "a\\..\\b",
        "a\0",
        "a\x1b[2J",
        "a\n",
        "a" * 256,
    ],
)
def test_a_name_that_leads_out_or_hides_something_lists_nothing(name):
    assert listed_files({**GOOD, "extra_files": [{"name": name, "sha256": "44"}]}) is None
    with pytest.raises(ValidationError, match="is no name of a file in the folder"):
        FileEntry(name=name, sha256="44", bytes=1)


@pytest.mark.parametrize("name", ["a.param", "golden/noise_0/zf.bin", "ein Name.bin", "ü..bin", ".hidden"])
def test_a_name_that_stays_inside(name):
    assert FileEntry(name=name, sha256="44", bytes=1).name == name


def test_a_link_is_followed_inside_its_folder_only(tmp_path):
    folder = tmp_path / "export"
    (folder / "sub").mkdir(parents=True)
    for path in (folder / "a", tmp_path / "b"):
        path.touch()
    (folder / "inside").symlink_to("a")
    (folder / "out").symlink_to(tmp_path / "b")
    (folder / "sub/up").symlink_to("../..")
    (folder / "itself").symlink_to("itself")
    assert link_out(folder, ["a", "inside", "missing", "itself"]) is None
    assert link_out(folder, ["a", "out"]) == "out"
    assert link_out(folder, ["sub/up/b"]) == "sub/up/b"
    (tmp_path / "link").symlink_to(folder)
    assert link_out(tmp_path / "link", ["a", "inside"]) is None


def test_a_listing_that_is_too_large_or_no_file_is_not_read(tmp_path):
    with (tmp_path / "large.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="has 1099511627776 bytes"):
        read_listing(tmp_path / "large.json")
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(OSError, match="is a pipe, expected a file"):
        read_listing(tmp_path / "pipe.json")
