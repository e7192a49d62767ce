"""What lies at a path, and files that are read only where they are files."""

import hashlib
import os
from pathlib import Path

import pytest
from odd_paths import make_odd

from converter.errors import CheckpointError, UsageError
from converter.spec.arguments import path_of, weights_of
from converter.util.atomic import marked, obstacle_to_file, replacing, shortened
from converter.util.paths import open_file, read_bytes, why_no_file, why_no_folder, why_unusable


def test_files_folders_and_nothing_are_told_apart(tmp_path):
    file, absent, link = tmp_path / "file", tmp_path / "absent", tmp_path / "link"
    file.write_bytes(b"1234")
    link.symlink_to("absent")
    assert [why_unusable(path) for path in (tmp_path, file, absent, link, file / "x")] == [None] * 5
    assert [why_no_file(path) for path in (file, tmp_path, absent, link)] == [
        *(None, "is a folder", "no such file", "a link to nothing")
    ]
    assert [why_no_folder(path) for path in (tmp_path, file, absent, link)] == [
        *(None, "is a file", "no such folder", "a link to nothing")
    ]
    assert read_bytes(file) == read_bytes(file, 4) == b"1234"
    with pytest.raises(OSError, match="bytes, expected at most 3"):
        read_bytes(file, 3)


@pytest.mark.parametrize("kind", ["pipe", "socket", "loop", "device", "long", "long folder", "in a loop"])
def test_what_is_no_file_is_neither_opened_nor_written_nor_waited_for(tmp_path, kind):
    path = make_odd(tmp_path)[kind]
    for look in (why_unusable, why_no_file, why_no_folder):
        assert look(path)
    assert obstacle_to_file(path, b"mark")
    with pytest.raises(OSError) as caught:  # noqa: PT011 of every kind
        open_file(path)
    assert caught.value.strerror
    with pytest.raises(UsageError):
        path_of(path)
    with pytest.raises(CheckpointError):
        weights_of(path)


def test_a_path_that_no_system_takes_is_refused():
    path = Path("a\0b")
    assert "no path" in why_unusable(path)
    with pytest.raises(OSError, match="no path"):
        open_file(path)


def test_a_device_without_an_end_is_not_read(tmp_path):
    assert why_unusable(Path("/dev/zero")) == "is a device, expected a file or a folder"
    with pytest.raises(OSError, match="is a device, expected a file"):
        read_bytes(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("data", "ours"), [(b"", True), (b"mark and more", True), (b"x" * 9999 + b"mark", True), (b"mine", False)]
)
def test_only_what_is_marked_is_replaced(tmp_path, data, ours):
    path = tmp_path / "a"
    path.write_bytes(data)
    assert marked(path, b"mark") == ours
    assert (obstacle_to_file(path, b"mark") is None) == ours
    (tmp_path / "link").symlink_to("a")
    assert (obstacle_to_file(tmp_path / "link", b"mark") is None) == ours


@pytest.mark.parametrize("name", ["n" * 251 + ".csv", "é" * 125 + ".md", "\U0001f600" * 62 + ".svg", "a." + "b" * 250])
def test_a_file_with_the_longest_name_is_written(tmp_path, name):
    assert len(os.fsencode(name)) in range(252, 256)
    with replacing(tmp_path / name) as draft:
        draft.write_text("new")
    assert (tmp_path / name).read_text() == "new"
    assert len(os.fsencode(shortened(name))) <= 100


def test_what_has_no_bytes_for_now_is_said(monkeypatch, tmp_path):
    """As /proc/kmsg where everything in it was read; Python says None, which io's callers take for data or read on."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    (tmp_path / "file").write_text("a file")
    kind = os.stat(tmp_path / "file")
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", lambda *_: reading)
        patch.setattr(os, "fstat", lambda _: kind)
        reader = open_file(tmp_path / "file")
    with reader:
        os.write(writing, b"ab")
        assert reader.read(2) == b"ab"
        for read in (reader.read, lambda: reader.readinto(bytearray(9)), lambda: hashlib.file_digest(reader, "sha256")):
            with pytest.raises(OSError, match="has nothing to be read for now, expected a file"):
                read()
    os.close(writing)
