"""A folder that a set-up unpacks packages into: built beside and put in place in one step, looked at, taken away.

A record of every file lies in it. What is not in the record was not put there and is never touched.
"""

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from converter.errors import ConversionError, DependencyError, UsageError
from converter.util.atomic import put_in_place, sha256, unfinished
from converter.util.commands import cannot_write
from converter.util.paths import read_bytes

log = logging.getLogger(__name__)

UNTOUCHED = "nothing was touched"


class Record(BaseModel):
    """Written last, so that a folder without it is not finished.

    Attributes:
        packages: the files of the distribution's packages.
        files: path in the folder, size, sha256.
        links: path in the folder, what the link says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: list[str]
    files: Annotated[list[tuple[str, int, str]], Field(min_length=1)]
    links: list[tuple[str, str]]

    def problems(self, folder: Path) -> Iterator[str]:
        """Files that are missing or are not as they were unpacked."""
        for name, size, checksum in self.files:
            path = folder / name
            try:
                if path.stat().st_size != size or sha256(path) != checksum:
                    yield f"{name} has changed"
            except OSError as error:
                yield f"{name}: {error.strerror}"
        for name, target in self.links:
            path = folder / name
            if not path.is_symlink() or os.readlink(path) != target:
                yield f"{name} is no link to {target} any more"


AnyRecord = TypeVar("AnyRecord", bound=Record)


@dataclass(frozen=True)
class Kind(Generic[AnyRecord]):
    """What such a folder is.

    Attributes:
        name: as "ARM root".
        command: that builds it.
        record: the record's file, and its type.
        default: where it is unless another folder is named.
        own: what may lie right in it.
    """

    name: str
    command: str
    record: str
    type: type[AnyRecord]
    default: Callable[[], Path]
    own: frozenset[str]

    def read(self, folder: Path) -> AnyRecord:
        """What building a folder wrote.

        Raises:
            FileNotFoundError: where there is no record.
            DependencyError: for a damaged one.
        """
        try:
            return self.type.model_validate_json(read_bytes(folder / self.record))
        except FileNotFoundError:
            raise
        except OSError as error:
            raise DependencyError(f"{self.name} {folder}: {error.strerror}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise self.damaged(folder, f"{self.record}: {where} {first['msg'].lower()}") from None

    def damaged(self, folder: Path, problem: str) -> DependencyError:
        """The error that a folder cannot be used, with what to do."""
        return DependencyError(f"{self.name} {folder} is damaged: {problem}; {self.rebuild(folder)}")

    def rebuild(self, folder: Path, does: str = "rebuilds it") -> str:
        """The command that does it, and what it does."""
        where = "" if folder == Path(os.path.abspath(self.default())) else f" --folder {folder}"
        return f"{self.command}{where} {does}"

    def build(self, folder: Path, make: Callable[[Path], None], why: str) -> None:
        """Make a new folder and put it in the place of an earlier one.

        Args:
            folder: absolute; absent, empty, or what an earlier build left.
            make: fills a new folder beside it.
            why: what is there is not used as it is, in a sentence; a warning where something is.

        Raises:
            UsageError: for a folder that holds something else.
            DependencyError: when nothing can be written there, and from ``make``.
        """
        if self._is_there(folder):
            log.warning("%s", why.replace("rebuilds it", "is doing so"))
        part = part_of(folder)
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            remove_parts(folder)
            part.mkdir()
        except OSError as error:
            raise cannot_write(folder, error) from None
        try:
            with unfinished(part):
                make(part)
            put_in_place(part, folder)
        except OSError as error:
            raise cannot_write(folder, error) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def _is_there(self, folder: Path) -> bool:
        """Whether something is there; nothing but parts of an earlier build may be.

        Raises:
            UsageError: for anything else.
        """
        try:
            names = sorted(os.listdir(folder))
        except FileNotFoundError:
            return False
        except NotADirectoryError:
            raise UsageError(f"{self.name} {folder} is a file or lies in one, expected a folder to make") from None
        except OSError as error:
            raise cannot_write(folder, error) from None
        if foreign := [name for name in names if name not in self.own]:
            raise UsageError(
                f"{self.name} {folder} holds {foreign[0]!r}, which is no part of one; {UNTOUCHED}: "
                "choose another folder"
            )
        return bool(names)

    def remove(self, folder: Path) -> bool:
        """Remove a folder that was built, damaged or not, and what killed builds left beside it.

        Returns:
            whether there was one.

        Raises:
            UsageError: for a folder that is none, or that holds something else too.
            ConversionError: when it cannot be removed.
        """
        folder = Path(os.path.abspath(folder))
        present = os.path.lexists(folder)
        try:
            if present:
                self._refuse_foreign(folder)
                aside = part_of(folder)  # so that what an interruption leaves is not taken for a root
                folder.rename(aside)
                shutil.rmtree(aside)
            if folder.parent.is_dir():
                remove_parts(folder)
        except OSError as error:
            raise ConversionError(f"cannot remove {self.name} {folder}: {error.strerror}") from None
        return present

    def _refuse_foreign(self, folder: Path) -> None:
        """Raises UsageError unless everything in a folder is what its record says was put there."""
        if folder.is_symlink() or not folder.is_dir():
            raise UsageError(f"{self.name} {folder}: expected a folder that {self.command} built; {UNTOUCHED}")
        try:
            record = self.read(folder)
        except FileNotFoundError:
            raise UsageError(
                f"{self.name} {folder} was not built by {self.command} (no {self.record} in it); {UNTOUCHED}"
            ) from None
        except DependencyError as error:
            raise UsageError(f"{error}; {UNTOUCHED}") from None
        ours = {self.record, *(name for name, _, _ in record.files), *(name for name, _ in record.links)}
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if name not in ours and (path.is_symlink() or not path.is_dir()):
                raise UsageError(
                    f"{self.name} {folder} holds {name!r}, which {self.command} did not put there; {UNTOUCHED}"
                )


def contents(folder: Path) -> tuple[list[tuple[str, int, str]], list[tuple[str, str]]]:
    """Files with their sizes and checksums, and links with what they say, as a record has them."""
    files, links = [], []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            links.append((name, os.readlink(path)))
        elif path.is_file():
            files.append((name, path.stat().st_size, sha256(path)))
    return files, links


def part_of(folder: Path) -> Path:
    """The folder beside another that this process builds or removes it in."""
    return folder.with_name(f".{folder.name}.{os.getpid()}.part")


def remove_parts(folder: Path) -> None:
    """Remove what killed processes left of building or removing a folder."""
    for name in os.listdir(folder.parent):
        left = re.fullmatch(rf"\.{re.escape(folder.name)}\.(\d+)\.part(\.old)?", name)
        if left and not _alive(int(left[1])):
            shutil.rmtree(folder.with_name(name), ignore_errors=True)


def _alive(process: int) -> bool:
    """Whether another process has this id."""
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return process != os.getpid()
