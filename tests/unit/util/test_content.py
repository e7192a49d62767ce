"""Files that are read once, and what libraries open of them."""

import hashlib
import os
from pathlib import Path

import pytest

from converter.errors import ConversionError
from converter.util import content
from converter.util.content import Content, Contents, content_of


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    return path


def test_what_was_read_stays_what_it_is(file):
    contents = Contents()
    (first,) = contents.of([file])
    assert (first.data, first.sha256, first.name) == (b"abc", hashlib.sha256(b"abc").hexdigest(), "a.bin")
    file.write_bytes(b"another")
    assert contents.of([file]) == contents.where_there([file]) == (first,)
    assert content_of(first) is first
    assert content_of(file).data == b"another"


def test_what_was_written_is_taken_for_the_file(file):
    contents = Contents()
    contents.keep(file, b"written")
    assert contents.of([file])[0].data == b"written"


@pytest.mark.parametrize("sealed", [True, False])
def test_a_library_opens_these_bytes_whatever_lies_on_the_disk(file, monkeypatch, sealed):
    monkeypatch.setattr(content, "SEALED", sealed and content.SEALED)
    read = content_of(file)
    file.write_bytes(b"another")
    with read.on_disk() as path:
        assert path.read_bytes() == b"abc"
    assert not path.exists()


@pytest.mark.skipif(not content.SEALED, reason="no files in memory here")
def test_nobody_changes_what_a_library_opens(file):
    with content_of(file).on_disk() as path:
        descriptor = os.open(path, os.O_RDWR)
        try:
            with pytest.raises(PermissionError):
                os.write(descriptor, b"x")
        finally:
            os.close(descriptor)


def test_what_is_no_file_is_refused(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConversionError, match="pipe: is a pipe, expected a file"):
        content_of(tmp_path / "pipe")
    with pytest.raises(ConversionError, match=r"cannot read .*: Is a directory"):
        content_of(tmp_path)
    with pytest.raises(ConversionError, match="nowhere: No such file"):
        content_of(tmp_path / "nowhere")
    assert Contents().where_there([tmp_path / "nowhere"]) == (tmp_path / "nowhere",)
    (tmp_path / "large").write_bytes(b"12345")
    monkeypatch.setattr(content, "LARGEST", 4)
    with pytest.raises(ConversionError, match="large: has 5 bytes, expected at most 4"):
        content_of(tmp_path / "large")


def test_equal_bytes_are_equal_contents():
    assert Content.holding(Path("a"), b"abc") == Content.holding(Path("a"), b"abc")
