"""Results of a matrix as lines of JSON that survive whatever ends a run."""

import json
import os
import resource

import pytest

from converter.errors import ConversionError, UsageError
from converter.matrix.journal import Journal, read_records


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.jsonl"


def test_what_was_added_is_there_again_and_later_lines_add_to_earlier_ones(path):
    with Journal(path) as journal:
        journal.add("a", {"outcome": "verified", "bytes": 3})
        journal.add("b", {"outcome": "failed"})
        journal.add("a", {"latency": 1.5})
    with Journal(path) as journal:
        assert journal.records == {"a": {"outcome": "verified", "bytes": 3, "latency": 1.5}, "b": {"outcome": "failed"}}
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.parametrize("length", range(1, 40, 6))
def test_a_line_that_was_cut_off_is_dropped_and_the_next_one_is_whole(path, length):
    with Journal(path) as journal:
        journal.add("a", {"outcome": "verified"})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"cell": "b", "outcome": "verified"}'[:length])
    with Journal(path) as journal:
        assert journal.records == {"a": {"outcome": "verified"}}
        journal.add("c", {"outcome": "unfinished"})
    assert [json.loads(line).get("cell") for line in path.read_text().splitlines()] == [None, "a", "c"]


def test_the_first_line_may_be_the_one_that_was_cut_off(path):
    path.write_text('{"generator": "lighttr')
    with Journal(path) as journal:
        journal.add("a", {"outcome": "verified"})
    assert read_records(path)[0] == {"a": {"outcome": "verified"}}


@pytest.mark.parametrize(
    "line",
    [
        *("no JSON", "[]", '{"outcome": "verified"}', '{"cell": 3}', "[" * 10_000, "\xff", "null", ""),
        *(
            f'{{"cell": "a", {more}}}'
            for more in (
                '"outcome": "good"',
                '"outcome": ["verified"]',
                '"outcome": null',
                '"error": NaN',
                '"error": 1e999',
                '"latency": "fast"',
                '"latency": -1',
                '"bytes": true',
                f'"bytes": 1{"0" * 400}',
                '"seconds": [1]',
                '"message": 3',
                f'"message": "{"x" * 2000}"',
            )
        ),
    ],
    ids=lambda line: line[:50],
)
def test_a_line_of_somebody_else_is_named(path, line):
    with Journal(path) as journal:
        journal.add("a", {"outcome": "verified"})
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(UsageError, match="line 3: is no result of lt-matrix"):
        Journal(path)


@pytest.mark.parametrize(
    "text", ["precious\n", "precious", "{ ", '{"generator": "other', "\n", "\r", '{"generator": "lighttr\n', "{\r{"]
)
def test_a_file_of_somebody_else_is_not_touched(path, text):
    """Whether a line ends in it or not."""
    path.write_bytes(text.encode())
    with pytest.raises(UsageError, match=r"line 1: is no result of lt-matrix"):
        Journal(path)
    assert path.read_bytes() == text.encode()


@pytest.mark.parametrize("kind", ["link", "link to nothing", "pipe", "folder"])
def test_what_is_no_file_is_not_waited_for_nor_followed(path, tmp_path, kind):
    other = tmp_path / "other"
    if kind == "link":
        other.touch()
    {"pipe": os.mkfifo, "folder": os.mkdir}.get(kind, lambda link: os.symlink(other, link))(path)
    with pytest.raises((UsageError, ConversionError), match=r"results\.jsonl"):
        Journal(path)
    assert other.exists() == (kind == "link")
    assert not other.exists() or not other.read_bytes()


def test_two_runs_do_not_write_into_one_file(path):
    with Journal(path), pytest.raises(UsageError, match="another lt-matrix works in this folder"):
        Journal(path)
    with Journal(path):
        pass


def test_a_disk_that_is_full_leaves_the_lines_before(path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(path) as journal:
        journal.add("a", {"outcome": "verified"})
        before = path.read_bytes()
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
        try:
            with pytest.raises(ConversionError, match="what is finished is kept: free some space and start again"):
                journal.add("b", {"outcome": "verified"})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert path.read_bytes() == before
        assert journal.records.keys() == {"a"}
        journal.add("c", {"outcome": "verified"})
    assert read_records(path)[0].keys() == {"a", "c"}
