"""What a search has measured, kept on the disk."""

import json

import pytest

from converter.errors import UsageError
from converter.quantize.journal import Journal
from converter.quantize.search import Measured

MEASURED = Measured((0.98, 0.971), (0.9, 0.85), 3_500_000)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "measured.jsonl"


def test_what_was_measured_is_there_again(path):
    with Journal(path, "search") as journal:
        assert journal.get(["a", "b"], True, 2) is None
        journal.add(["a", "b"], True, MEASURED)
    with Journal(path, "search") as journal:
        assert journal.get(["b", "a"], True, 2) == MEASURED
        assert journal.get(["a", "b"], False, 2) is None
        assert journal.get(["a"], True, 2) is None
        assert journal.get(["a", "b"], True, 3) is None


def test_another_search_is_not_used_and_stays(path):
    with Journal(path, "one") as journal:
        journal.add(["a"], False, MEASURED)
    with Journal(path, "other") as journal:
        assert journal.get(["a"], False, 2) is None
        journal.add(["a"], False, Measured((0.5,), (0.1,), 9))
    with Journal(path, "one") as journal:
        assert journal.get(["a"], False, 2) == MEASURED


@pytest.mark.parametrize("length", range(1, 100, 17))
def test_a_line_that_was_cut_off_is_measured_again(path, length):
    with Journal(path, "search") as journal:
        journal.add(["a"], False, MEASURED)
    before = path.read_bytes()
    with Journal(path, "search") as journal:
        journal.add(["b"], False, MEASURED)
    path.write_bytes(path.read_bytes()[: len(before) + length])
    with Journal(path, "search") as journal:
        assert journal.get(["a"], False, 2) == MEASURED
        assert journal.get(["b"], False, 2) is None


@pytest.mark.parametrize(
    "change",
    [
        *({"means": value} for value in ([], [0.9, 1.5], [0.9, -0.1], ["0.9", 0.9], 0.9, [True, 0.9], [0.9])),
        *({"bytes": value} for value in (-1, 0.5, "many", None)),
        *({"smallests": value} for value in ([0.9], None, [None, 0.9])),
        {"setting": 3},
    ],
)
def test_figures_that_cannot_be_are_refused(path, change):
    with Journal(path, "search") as journal:
        journal.add(["a"], False, MEASURED)
    first, line = path.read_text().splitlines()
    path.write_text(f"{first}\n{json.dumps({**json.loads(line), **change})}\n")
    with pytest.raises(UsageError, match="line 2: is no result of lt-quantize"):
        Journal(path, "search")


def test_two_searches_do_not_write_into_one_file(path):
    with Journal(path, "search"), pytest.raises(UsageError, match="another lt-quantize works in this folder"):
        Journal(path, "search")


def test_a_file_of_another_command_is_not_touched(path):
    path.write_text('{"generator": "lighttrack-export", "command": "lt-matrix", "version": "1"}\n')
    before = path.read_bytes()
    with pytest.raises(UsageError, match="line 1"):
        Journal(path, "search")
    assert path.read_bytes() == before
