"""A working folder that leaves no litter, and the one step in which an export appears.

The work is done in the system's temporary folder. Publishing copies the finished files to a hidden
folder beside the target and exchanges the two in one system call, so a reader sees the old export or
the new one, never a mixture. A small shell process waits beside us and cleans up when this process
dies without a word (``kill -9``, out of memory).
"""

import contextlib
import ctypes
import errno
import glob
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from converter.errors import ConversionError, UsageError
from converter.files import sha256
from converter.manifest import MANIFEST, listed_files

STALE_SECONDS = 3600
# Waits for our end, ends what is left of pnnx, puts back an old export that was moved aside, tidies up.
_JANITOR = """
trap "" HUP INT TERM; read -r _; kill -TERM 0
target=$1 aside=$2 staging=$3 work=$4; shift 4
[ ! -e "$aside" ] || [ -e "$target" ] || mv -- "$aside" "$target"
rm -rf -- "$aside" "$staging" "$work" || { sleep 0.2; rm -rf -- "$aside" "$staging" "$work"; }
[ $# = 0 ] || rmdir -- "$@"
"""


def check_target(target: Path) -> None:
    """Refuse a target that could not be published to, before any work is done.

    A target may be absent, an empty folder, or an earlier export with nothing else in it.

    Raises:
        UsageError: naming what stands in the way.
    """
    try:
        target.lstat()
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno != errno.ENOTDIR:
            raise UsageError(f"--output {str(target)[:80]}: {error.strerror}") from None
    if target.is_symlink() and not target.exists():
        raise UsageError(f"--output {target}: a link to nothing; remove it or choose another folder")
    if target.exists():
        if not target.is_dir():
            raise UsageError(f"--output {target}: is a file, expected a folder to create or an earlier export")
        foreign = foreign_files(target)
        if foreign:
            raise UsageError(
                f"--output {target}: holds {foreign[0]!r}, which no export wrote; "
                "nothing was touched: move it away or choose another folder"
            )
    parent = next(path for path in (target.parent, *target.parent.parents) if path.exists())
    if not parent.is_dir():
        raise UsageError(f"--output {target}: {parent} is not a folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise UsageError(f"--output {target}: no permission to write to {parent}")


def foreign_files(target: Path) -> list[str]:
    """Names in an existing folder that are not of an export of ours; all of them when it is none."""
    names = sorted(os.listdir(target))
    try:
        own = listed_files(json.loads((target / MANIFEST).read_bytes()))
    except (OSError, ValueError, RecursionError):
        own = None
    return names if own is None else [name for name in names if name not in own and name != MANIFEST]


class Workspace:
    """A temporary folder for one export, and the way to publish from it.

    Args:
        target: the folder to publish; need not exist.

    Attributes:
        folder: for the work; gone when the block ends, however it ends.
        process_group: for child processes, which the janitor ends when we are gone; None where there is no janitor.
    """

    def __init__(self, target: Path):
        self.target = target.resolve()
        self._staging = self.target.parent / f"{_hidden(self.target)}{secrets.token_hex(6)}.lt-export"
        self._missing = [path for path in (self.target.parent, *self.target.parent.parents) if not path.exists()]

    def __enter__(self) -> "Workspace":
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="lt-export-")).resolve()
        except OSError as error:
            raise ConversionError(
                f"cannot make a temporary folder: {error.strerror}; free some space or set TMPDIR"
            ) from None
        self._janitor = _start_janitor(self.target, _aside(self._staging), self._staging, self.folder, *self._missing)
        self.process_group = self._janitor.pid if self._janitor else None
        return self

    def __exit__(self, *_):
        for path in (self.folder, self._staging):
            shutil.rmtree(path, ignore_errors=True)
        for path in self._missing:
            with contextlib.suppress(OSError):
                path.rmdir()  # of those that were made for the target, only the empty ones go
        if self._janitor:
            self._janitor.stdin.close()
            self._janitor.wait()

    def publish(self, files: Iterable[Path], manifest: dict) -> None:
        """Copy the files and the manifest beside the target, check the copies, exchange the folders.

        Args:
            files: all of them named in ``manifest`` with their sha256.

        Raises:
            ConversionError: when they cannot be written; the target is as before.
            UsageError: when the target has meanwhile become something else.
        """
        checksums = listed_files(manifest)
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            _sweep(self.target)
            self._staging.mkdir()
            for source in files:
                copy = self._staging / source.name
                _copy(source, copy)
                if sha256(copy) != checksums[source.name]:
                    raise ConversionError(
                        f"cannot publish to {self.target}: the copy of {source.name} came out different"
                    )
            _write(self._staging / MANIFEST, (json.dumps(manifest, indent=2) + "\n").encode())
            self._exchange()
        except OSError as error:
            raise ConversionError(
                f"cannot publish to {self.target}: {error.strerror}; what was there is as before"
            ) from None

    def _exchange(self):
        """Put the staging folder in the target's place; an old export ends up in the staging folder."""
        for _ in range(10):
            check_target(self.target)
            try:
                os.rename(self._staging, self.target)  # onto nothing or an empty folder
                return
            except OSError:
                if not self.target.is_dir():
                    raise
            if _swap(self._staging, self.target):
                return
        raise ConversionError(f"cannot publish to {self.target}: other exports keep replacing it")


def _swap(new, old):
    """Exchange two folders in one step; where the system cannot, in two, undone when the second fails."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        at_working_folder, exchange = -100, 2
        if hasattr(libc, "renameat2"):
            if libc.renameat2(at_working_folder, os.fsencode(new), at_working_folder, os.fsencode(old), exchange) == 0:
                return True
            if ctypes.get_errno() == errno.ENOENT:  # somebody has moved the target; look again
                return False
    aside = _aside(new)
    os.rename(old, aside)
    try:
        os.rename(new, old)
    except OSError:
        os.rename(aside, old)
        raise
    os.rename(aside, new)
    return True


def _start_janitor(*paths):
    """The shell that outlives us, or None where there can be none."""
    if os.name != "posix":
        return None
    try:
        return subprocess.Popen(
            ["/bin/sh", "-c", _JANITOR, "sh", *map(str, paths)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            process_group=0,
        )
    except OSError:
        return None


def _hidden(target):
    """How the name of a folder beside the target begins; short, so that a long name stays possible."""
    return f".{target.name[:100]}."


def _aside(staging):
    return staging.with_name(f"{staging.name}.old")


def _sweep(target):
    """Drop what runs that were killed together with their janitor left beside the target long ago."""
    for path in target.parent.glob(f"{glob.escape(_hidden(target))}*.lt-export"):
        try:
            old = time.time() - path.stat().st_mtime > STALE_SECONDS
        except OSError:
            continue
        if old:
            shutil.rmtree(path, ignore_errors=True)


def _copy(source, copy):
    with source.open("rb") as reader, copy.open("wb") as writer:
        shutil.copyfileobj(reader, writer)
        writer.flush()
        os.fsync(writer.fileno())


def _write(path, data):
    with path.open("wb") as writer:
        writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
