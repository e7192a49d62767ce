"""Which files a manifest or an index lists; whatever else the file holds lists none."""

import pytest

from converter.folder.listing import listed_files

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
