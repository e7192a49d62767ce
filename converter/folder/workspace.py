"""A working folder that leaves no litter, and the one step in which an export appears.

The work is done in the system's temporary folder. Publishing copies the finished files to a hidden
folder beside the target and exchanges the two in one system call, so a reader sees the old export or
the new one, never a mixture. Two small shell processes wait beside us, for the case that this process
dies without a word (``kill -9``, out of memory): one ends what is left of pnnx, the other cleans up.
"""

import glob
import hashlib
import io
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from converter.errors import ConversionError, UsageError, VerificationError
from converter.folder.golden_index import GOLDEN_INDEX, GoldenIndex
from converter.folder.listing import Listing, listed_files, read_listing
from converter.folder.manifest import MANIFEST
from converter.folder.shells import start_shells
from converter.util.atomic import (
    aside_of,
    exchange,
    missing_parents,
    obstacle,
    put_in_place,
    remove_empty,
    sha256,
    shortened,
)
from converter.util.paths import why_no_folder, why_unusable

STALE_SECONDS = 3600
BLOCK = 1 << 20
MOUNTS = Path("/proc/self/mountinfo")


def check_target(target: Path, marker: str = MANIFEST, option: str = "--output") -> None:
    """Refuse a target that could not be published to, before any work is done.

    A target may be absent, an empty folder, or an earlier export with nothing else in it.

    Args:
        marker: the file that says what an earlier export holds.
        option: how the user named the target.

    Raises:
        UsageError: naming what stands in the way.
    """
    if reason := why_unusable(target):
        raise UsageError(f"{option} {target}: {reason.replace('a file or a folder', 'a folder to create')}")
    if os.path.islink(target) and not os.path.exists(target):
        raise UsageError(f"{option} {target}: a link to nothing; remove it or choose another folder")
    if os.path.exists(target):
        if not os.path.isdir(target):
            raise UsageError(f"{option} {target}: is a file, expected a folder to create or an earlier export")
        if reason := _fixed(target.resolve()) or why_no_folder(target):
            raise UsageError(f"{option} {target}: {reason}")
        foreign = foreign_files(target, marker)
        if foreign:
            raise UsageError(
                f"{option} {target}: holds {foreign[0]!r}, which no export wrote; "
                "nothing was touched: move it away or choose another folder"
            )
    if reason := obstacle(target, parents=True):
        raise UsageError(f"{option} {target}: {reason}")


def _fixed(place: Path) -> str | None:
    """Why a folder cannot be exchanged for another one, in a phrase; None where it can be."""
    if Path(os.getcwd()).is_relative_to(place):
        is_it = "is" if Path(os.getcwd()) == place else "holds"
        return f"{is_it} the working folder, which cannot be replaced; name a folder in it, or cd elsewhere"
    if os.path.ismount(place) or str(place) in _mounts():
        return "is a mount point, which cannot be replaced; name a folder in it"
    return None


def _mounts() -> set[str]:
    """Where something is mounted, folders of the same disk included; empty where the system does not tell."""
    try:
        lines = MOUNTS.read_bytes().splitlines()
    except OSError:
        return set()
    escaped = re.compile(rb"\\([0-7]{3})")
    places = (escaped.sub(lambda code: bytes([int(code[1], 8)]), line.split()[4]) for line in lines)
    return set(map(os.fsdecode, places))


def foreign_files(target: Path, marker: str = MANIFEST) -> list[str]:
    """Names in an existing folder that are not of an export of ours; all of them when it is none.

    A subfolder is ours when the export lists files in it, or when it holds golden vectors and nothing else.
    """
    names = sorted(os.listdir(target))
    own = _listed(target, marker)
    if own is None:
        return names
    return [name for name in names if not (_own_file(target / name, name in own) or _own_folder(target, name, own))]


def _listed(folder: Path, marker: str) -> set[str] | None:
    """What a folder's marker lists, and the marker; None where there is none of ours."""
    try:
        listed = listed_files(read_listing(folder / marker)[1])
    except (OSError, ValueError):
        return None
    return None if listed is None else {*listed, marker}


def _own_file(path: Path, listed: bool) -> bool:
    """A folder that has the name of a file of ours holds what somebody put there."""
    return listed and (path.is_symlink() or not path.is_dir())


def _own_folder(target: Path, name: str, own: Collection[str]) -> bool:
    folder = target / name
    if folder.is_symlink() or not folder.is_dir():
        return False
    if any(path.startswith(f"{name}/") for path in own):
        inside = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
        return all(path.relative_to(target).as_posix() in own for path in inside)
    return not foreign_files(folder, GOLDEN_INDEX)


class Workspace:
    """A temporary folder for one export, and the way to publish from it.

    Args:
        target: the folder to publish; need not exist.
        marker: the file in it that says what it holds, written last.

    Attributes:
        folder: for the work; gone when the block ends, however it ends.
        process_group: for child processes, which end with the block, or when we are gone; None where nothing ends
            them.
    """

    def __init__(self, target: Path, marker: str = MANIFEST) -> None:
        self.target, self.marker = target.resolve(), marker
        self._staging = self.target.parent / f"{_hidden(self.target)}{secrets.token_hex(6)}.lt-export"
        self._missing = missing_parents(self.target)

    def __enter__(self) -> "Workspace":
        try:
            self.folder = Path(tempfile.mkdtemp(prefix="lt-export-")).resolve()
        except OSError as error:
            raise ConversionError(
                f"cannot make a temporary folder: {error.strerror}; free some space or set TMPDIR"
            ) from None
        self._shells = start_shells(self.target, aside_of(self._staging), self._staging, self.folder, *self._missing)
        self.process_group = self._shells[0].pid if self._shells else None
        return self

    def __exit__(self, *_: object) -> None:
        for shell in self._shells[:1]:
            shell.communicate()  # closes its input
        for path in (self.folder, self._staging):
            shutil.rmtree(path, ignore_errors=True)
        remove_empty(self._missing)
        for shell in self._shells[1:]:
            shell.wait()

    def publish(
        self,
        files: Iterable[tuple[str, Path]],
        listing: Listing,
        golden: Mapping[str, tuple[Path, GoldenIndex]] | None = None,
    ) -> None:
        """Copy the files and the marker beside the target, check the copies, exchange the folders.

        Args:
            files: (name in the target, file); all of them in ``listing``, which becomes the marker.
            golden: name of a subfolder to a folder of golden vectors and their index, published with the rest.

        Raises:
            VerificationError: when one is not as in its listing any more; the target is as before.
            ConversionError: when they cannot be written; the target is as before.
            UsageError: when the target has meanwhile become something else.
        """
        self.stage(files, listing, golden)
        self.put_in_place()

    def stage(
        self,
        files: Iterable[tuple[str, Path]],
        listing: Listing,
        golden: Mapping[str, tuple[Path, GoldenIndex]] | None = None,
    ) -> None:
        """The first half of :meth:`publish`: everything but the exchange."""
        with self._failures():
            for folder in reversed(missing_parents(self.target)):
                folder.mkdir(exist_ok=True)  # one by one: pathlib recurses, and a path may have thousands
            _sweep(self.target)
            self._staging.mkdir()
            self._stage(self._staging, files, listing, self.marker)
            for name, (folder, index) in (golden or {}).items():
                sources = [(file.name, folder / file.name) for file in index.files]
                self._stage(self._staging / name, sources, index, GOLDEN_INDEX)

    def put_in_place(self, together: "Workspace | None" = None) -> None:
        """The second half: the exchange.

        Args:
            together: put in place just before; when this one cannot be, that one is as before, too.
        """
        if together is None:
            with self._failures():
                put_in_place(self._staging, self.target, lambda: check_target(self.target, self.marker))
            return
        together.put_in_place()
        try:
            self.put_in_place()
        except BaseException:
            together.take_back()
            raise

    def take_back(self) -> None:
        """Undo :meth:`put_in_place`: the target is as before, or absent where it was an empty folder."""
        with self._failures():
            if self._staging.exists():
                exchange(self._staging, self.target)
            else:
                os.rename(self.target, self._staging)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConversionError(
                f"cannot publish to {self.target}: {error.strerror}; what was there is as before"
            ) from None

    def _stage(self, folder: Path, sources: Iterable[tuple[str, Path]], listing: Listing, marker: str) -> None:
        checksums = listing.checksums()
        for name, source in sources:
            copy = folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as reader:
                copied = _copy(reader, copy)
            if copied != checksums[name]:
                raise VerificationError(
                    f"cannot publish to {self.target}: {name} changed after it was verified; nothing was published"
                )
            if sha256(copy) != checksums[name]:
                raise ConversionError(f"cannot publish to {self.target}: the copy of {name} came out different")
        _copy(io.BytesIO(listing.text().encode()), folder / marker)


def _hidden(target: Path) -> str:
    """How the name of a folder beside the target begins; short, so that a long name stays possible."""
    return f".{shortened(target.name)}."


def _sweep(target: Path) -> None:
    """Drop what runs that were killed together with their janitor left beside the target long ago."""
    for path in target.parent.glob(f"{glob.escape(_hidden(target))}*.lt-export"):
        try:
            old = time.time() - path.stat().st_mtime > STALE_SECONDS
        except OSError:
            continue
        if old:
            shutil.rmtree(path, ignore_errors=True)


def _copy(reader: IO[bytes], copy: Path) -> str:
    """Written through to the disk; the sha256 of what was read."""
    digest = hashlib.sha256()
    with copy.open("wb") as writer:
        while block := reader.read(BLOCK):
            digest.update(block)
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())
    return digest.hexdigest()
