"""Publishing when the process is killed, when the system has no exchange call, and after other runs."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from place import Place, listing

from commands import ROOT
from converter.errors import ConversionError, UsageError
from converter.folder import workspace as publish
from converter.folder.workspace import Workspace, foreign_files
from converter.util import atomic

CHILD = """
import subprocess, sys, time
from pathlib import Path
from place import listing
from converter.folder.workspace import Workspace

def files(folder):
    (folder / "a.bin").write_bytes(b"weights")
    yield "a.bin", folder / "a.bin"
    print("half published", flush=True)
    time.sleep(60)

stubborn = 'trap "" HUP INT TERM; sleep 60 & sleep 60; exit'
with Workspace(Path(sys.argv[1])) as workspace:
    subprocess.Popen(["sh", "-c", stubborn], process_group=workspace.process_group)
    workspace.publish(files(workspace.folder), listing({"a.bin": b"weights"}))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    return Place(tmp_path, monkeypatch)


def half_published(target):
    """A process that hangs while it publishes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests/support")}
    command = [sys.executable, "-c", CHILD, str(target)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def test_killed_process_leaves_no_litter_and_no_children(place):
    place.write_old_export()
    before = place.contents()
    child = half_published(place.out)
    try:
        assert child.stdout.readline() == "half published\n"
        assert len(place.litter()) == 2
    finally:
        child.send_signal(signal.SIGKILL)
    child.communicate(timeout=20)  # the pipe ends when the last process that holds it has ended
    deadline = time.monotonic() + 10
    while place.litter() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert place.litter() == []
    assert place.contents() == before


@pytest.mark.parametrize("words", [("sleep", "60"), ("sh", "-c", "trap '' HUP INT TERM; sleep 60 & sleep 60; exit")])
def test_children_in_the_process_group_end_with_the_block(place, words):
    """Also those that ignore signals, and their own children."""
    with Workspace(place.out) as workspace:
        child = subprocess.Popen(words, process_group=workspace.process_group)
        time.sleep(0.1)
    assert child.wait(timeout=20) == -signal.SIGKILL
    listed = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True).stdout
    living = {int(group) for group, state in map(str.split, listed.splitlines()) if not state.startswith("Z")}
    assert workspace.process_group not in living


@pytest.fixture
def system(monkeypatch):
    """Say how the system answers to an exchange; returns the calls it gets."""

    def answer(code, error=0):
        def renameat2(*arguments):
            calls.append(arguments)
            ctypes.set_errno(error)
            return code

        calls = []
        monkeypatch.setattr(atomic, "sys", SimpleNamespace(platform="linux"))
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace(renameat2=renameat2))
        return calls

    return answer


@pytest.fixture(params=["another system", "old libc", "file system that cannot"])
def no_exchange(request, system, monkeypatch):
    system(-1, error=22)
    if request.param == "another system":
        monkeypatch.setattr(atomic, "sys", SimpleNamespace(platform="darwin"))
    elif request.param == "old libc":
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: SimpleNamespace())


@pytest.fixture
def failing_rename(monkeypatch):
    """Nothing can be renamed from the staging folder to the target."""
    rename = os.rename

    def fail(old, new):
        if Path(new).name == "out" and str(old).endswith(".lt-export"):
            raise OSError(5, "Input/output error")
        rename(old, new)

    monkeypatch.setattr(os, "rename", fail)


def test_exchange_is_one_system_call_where_there_is_one(place, system):
    new, old = place.folder / "new", place.folder / "old"
    place.write(new, place.new)
    place.write(old, place.old)
    before = place.contents()
    calls = system(0)
    assert atomic.exchange(new, old)
    assert calls == [(-100, os.fsencode(new), -100, os.fsencode(old), 2)]
    assert place.contents() == before


def test_exchange_with_a_target_that_has_gone_is_none(place, system):
    place.write(place.folder / "new", place.new)
    before = place.contents()
    system(-1, error=2)
    assert not atomic.exchange(place.folder / "new", place.out)
    assert place.contents() == before


def test_target_that_keeps_going_away_ends_in_an_error(place, system):
    place.write_old_export()
    before = place.contents()
    system(-1, error=2)
    with pytest.raises(ConversionError, match="other runs keep replacing it"):
        place.export()
    assert place.contents() == before


def test_two_steps_exchange_as_well(place, no_exchange):
    place.write_old_export()
    place.export()
    assert {path.name for path in place.out.iterdir()} == {*place.new, "manifest.json"}
    assert foreign_files(place.out) == []
    assert place.litter() == []


def test_two_steps_are_undone_when_the_second_fails(place, no_exchange, failing_rename):
    place.write_old_export()
    before = place.contents()
    with pytest.raises(ConversionError, match="Input/output error; what was there is as before"):
        place.export()
    assert place.contents() == before
    assert place.litter() == []


def test_two_steps_are_undone_without_a_janitor_too(place, no_exchange, failing_rename, monkeypatch):
    monkeypatch.setattr(publish, "start_shells", lambda *_: [])
    place.write_old_export()
    before = place.contents()
    with pytest.raises(ConversionError, match="Input/output error; what was there is as before"):
        place.export()
    assert place.contents() == before


VECTORS = {"v.bin": b"vectors"}


def staged(place, workspace, files):
    workspace.stage(place.write(workspace.folder, files), listing(files))


@pytest.mark.parametrize("before", ["absent", "earlier", "empty"])
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_two_folders_appear_together_or_not_at_all(place, monkeypatch, before, error):
    place.write_old_export()
    beside = place.folder / "golden"
    if before == "earlier":
        place.write_old_export(beside)
    elif before == "empty":
        beside.mkdir()
    contents = {path: data for path, data in place.contents().items() if before != "empty" or path != beside}
    check_target = publish.check_target

    def changed(target, marker):
        check_target(target, marker)
        if target == place.out:
            assert (beside / "v.bin").exists()
            raise error

    monkeypatch.setattr(publish, "check_target", changed)
    with Workspace(place.out) as second, Workspace(beside) as first:
        staged(place, second, place.new)
        staged(place, first, VECTORS)
        with pytest.raises(ConversionError if isinstance(error, OSError) else KeyboardInterrupt):
            second.put_in_place(together=first)
    assert place.contents() == contents
    assert place.litter() == []


def test_two_folders_appear_together(place):
    with Workspace(place.out) as second, Workspace(place.folder / "golden") as first:
        staged(place, second, place.new)
        staged(place, first, VECTORS)
        assert not place.out.exists()
        assert not first.target.exists()
        second.put_in_place(together=first)
    assert foreign_files(place.out) == foreign_files(first.target) == []
    assert place.litter() == []


INTERRUPTED = """
import os, sys, time
from pathlib import Path
from converter.folder import workspace as publish

def hang(*_):
    print("moved aside", flush=True)
    time.sleep(60)

with publish.Workspace(Path(sys.argv[1])) as workspace:
    workspace._staging.mkdir()
    os.rename(workspace.target, publish.aside_of(workspace._staging))
    hang()
"""


def test_an_old_export_that_was_moved_aside_comes_back_when_the_process_is_killed(place):
    place.write_old_export()
    before = place.contents()
    child = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(place.out)], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "moved aside\n"
    assert not place.out.exists()
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while place.litter() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert place.contents() == before


def test_folders_made_for_the_target_go_with_a_killed_process(place):
    target = place.folder / "some/where/out"
    child = half_published(target)
    assert child.stdout.readline() == "half published\n"
    assert target.parent.is_dir()
    child.send_signal(signal.SIGKILL)
    child.communicate(timeout=20)
    deadline = time.monotonic() + 10
    while not is_empty(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert place.contents() == {}


def is_empty(place):
    try:
        return place.contents() == {}
    except FileNotFoundError:  # a folder that went while it was looked into
        return False


def test_an_export_works_without_a_janitor(place, monkeypatch):
    def fail(*_, **__):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fail)
    place.export()
    assert foreign_files(place.out) == []
    assert place.litter() == []


def test_a_relative_temporary_folder_is_made_absolute(place, monkeypatch):
    monkeypatch.chdir(place.temp)
    monkeypatch.setattr("tempfile.tempdir", ".")
    with Workspace(place.out) as workspace:
        assert workspace.folder.is_absolute()


def test_a_name_of_250_characters_is_published_and_one_of_300_is_refused(place):
    place.export(place.folder / ("n" * 250))
    assert (place.folder / ("n" * 250) / "manifest.json").is_file()
    with pytest.raises(UsageError, match="file name too long"):
        publish.check_target(place.folder / ("n" * 300))


def leftover(place, name, age):
    folder = place.folder / name
    place.write(folder, place.new)
    os.utime(folder, (time.time() - age,) * 2)
    return folder


@pytest.mark.parametrize("name", ["out", "o[u]t", "o?t", "o*"])
def test_stale_hidden_folders_of_the_target_are_swept_and_others_kept(place, name):
    stale = leftover(place, f".{name}.123456.lt-export", 2 * publish.STALE_SECONDS)
    kept = [
        leftover(place, f".{name}.fresh.lt-export", publish.STALE_SECONDS / 2),
        leftover(place, ".other.123456.lt-export", 2 * publish.STALE_SECONDS),
        leftover(place, ".ouut.123456.lt-export", 2 * publish.STALE_SECONDS),
        leftover(place, f"{name}.123456.lt-export", 2 * publish.STALE_SECONDS),
        leftover(place, f".{name}.123456", 2 * publish.STALE_SECONDS),
    ]
    place.export(place.folder / name)
    assert not stale.exists()
    assert [path for path in kept if not path.exists()] == []
