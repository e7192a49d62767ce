"""What a folder of ours says of itself in JSON: what manifests and indices of golden vectors have in common."""

import errno
import hashlib
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec, Preprocess
from converter.spec.tensors import LARGEST_SIZE
from converter.util.json_text import read_json
from converter.util.paths import read_bytes

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint

GENERATOR = "lighttrack-export"
SCHEMA_VERSION = 1
IN_MEMORY = "a network in memory"
LARGEST_LISTING, LARGEST_FILE = 64 << 20, 4 << 30  # bytes
MOST_SIZES = 100
LONGEST_NAME, LONGEST_PATH = 255, 1000  # bytes, characters


class Entry(BaseModel):
    """A JSON object; keys that a newer release writes are left out when it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class SetEntry(Entry):
    """One of which only the keys that were set are written."""

    @model_serializer(mode="wrap")
    def _only_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key in self.model_fields_set}


class GeneratorEntry(Entry):
    name: str
    version: str | None = None


def _inside(name: str) -> str:
    """A name that stays in its folder, as every system reads it."""
    parts = re.split(r"[/\\]", name)
    if not _can_be_a_path(name) or {"", ".", ".."} & {*parts} or ":" in parts[0]:
        raise ValueError(f"{name[:60]!r} is no name of a file in the folder")
    return name


def _relative(way: str) -> str:
    if not _can_be_a_path(way) or not way or way.startswith("/"):
        raise ValueError(f"{way[:60]!r} is no way from one folder to another")
    return way


def _can_be_a_path(name: str) -> bool:
    return name.isprintable() and len(name) <= LONGEST_PATH and max(map(len, name.encode().split(b"/"))) <= LONGEST_NAME


FileName = Annotated[str, AfterValidator(_inside)]
Way = Annotated[str, AfterValidator(_relative)]
Edge = Annotated[int, Field(ge=1, le=LARGEST_SIZE)]


class FileEntry(Entry):
    """A file; the name is relative to the folder, and names nothing outside of it."""

    name: FileName
    sha256: str
    bytes: Annotated[int, Field(ge=0, le=LARGEST_FILE)]


class CheckpointEntry(Entry):
    """The file with the trained weights."""

    file: str | None = None
    sha256: str | None = None
    epoch: JsonValue = None

    @property
    def called(self) -> str:
        return IN_MEMORY if self.file is None else self.file


class UnitEntry(Entry):
    """Mean and standard deviation on 0-1 pixels."""

    mean: list[float]
    std: list[float]


class PreprocessEntry(Entry):
    """The normalisation on bytes, as ncnn's ``substract_mean_normalize`` takes it, and on 0-1 pixels."""

    colour_order: str
    pixel_range: list[int]
    mean: list[float]
    std: list[float]
    norm: list[float]
    on_0_1: UnitEntry


class SizesEntry(SetEntry):
    """Of the crops, in pixels, and of the score map, in cells."""

    template_size: Edge
    search_size: Edge
    score_size: int | None = None

    @property
    def pair(self) -> tuple[int, int]:
        return self.template_size, self.search_size


class TrackerEntry(SizesEntry):
    """What a tracker needs besides the models; the family's own settings come as further keys."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    stride: int | None = None
    sizes: Annotated[tuple[SizesEntry, ...], Field(max_length=MOST_SIZES)] = ()

    @model_serializer(mode="wrap")
    def _sizes_last(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = {key: value for key, value in handler(self).items() if key in self.model_fields_set}
        first = {
            key: values.pop(key) for key in ("stride", "template_size", "search_size", "score_size") if key in values
        }
        last = {"sizes": values.pop("sizes")} if "sizes" in values else {}
        return {**first, **values, **last}


class Listing(Entry):
    """A file that says what the files beside it are."""

    schema_version: int
    generator: GeneratorEntry

    def checksums(self) -> dict[str, str]:
        """Name -> sha256 of every file."""
        raise NotImplementedError

    def text(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=2, allow_nan=False) + "\n"


def checkpoint_entry(checkpoint: "Checkpoint") -> CheckpointEntry:
    return CheckpointEntry(file=checkpoint.file, sha256=checkpoint.sha256, epoch=checkpoint.epoch)


def preprocess_entry(preprocess: Preprocess) -> PreprocessEntry:
    mean, std = preprocess.of_bytes()
    return PreprocessEntry(
        colour_order=preprocess.colour_order,
        pixel_range=[0, 255],
        mean=mean,
        std=std,
        norm=[round(1.0 / value, 10) for value in std],
        on_0_1=UnitEntry(mean=[round(value / 255, 6) for value in mean], std=[_shortest(value / 255) for value in std]),
    )


def _shortest(value: float) -> float:
    """A number in eight digits, which float32 holds no better."""
    return float(f"{value:.8g}")


def tracker_entry(network: NetworkSpec, dimensions: Dimensions, **more: tuple[SizesEntry, ...]) -> TrackerEntry:
    """What a tracker needs of a network.

    Args:
        more: ``sizes``, where it is to be written.
    """
    return TrackerEntry(
        stride=dimensions.stride,
        template_size=network.template_size,
        search_size=network.search_size,
        score_size=dimensions.score_size,
        **{**network.tracker, **dict.fromkeys(network.activations, "probability")},
        **more,
    )


@dataclass(frozen=True)
class Difference:
    """What an entry says, and what is expected of it; the key of an entry within one is dotted."""

    key: str
    found: object
    expected: object

    def under(self, place: str) -> "Difference":
        return replace(self, key=f"{place}.{self.key}")

    def __str__(self) -> str:
        return f"{self.key} is {self.found!r}, expected {self.expected!r}"


def differences(found: Entry, expected: Entry) -> list[Difference]:
    """What an entry says and another says otherwise.

    What one of them does not say, as another release may not, is no difference.
    """
    return list(_differing(found.model_dump(mode="json"), expected.model_dump(mode="json")))


def _differing(found: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Difference]:
    for key, own in found.items():
        other = expected.get(key, own)
        if isinstance(own, dict) and isinstance(other, dict):
            yield from (each.under(key) for each in _differing(own, other))
        elif own != other:
            yield Difference(key, own, other)


def tool_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of what made and checked the models."""
    versions = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "unknown"
    return versions


def read_listing(path: Path) -> tuple[bytes, JsonValue]:
    """The text of a manifest or an index, and the JSON in it.

    Raises:
        OSError: when it cannot be read.
        ValueError: saying what is wrong with it.
    """
    try:
        text = read_bytes(path, LARGEST_LISTING)
    except OSError as error:
        if error.errno == errno.EFBIG:
            raise ValueError(error.strerror) from None
        raise
    return text.removeprefix(b"\xef\xbb\xbf"), read_json(text)


def read_listed(folder: Path, entry: FileEntry) -> bytes:
    """A file in a folder, as it was written.

    Raises:
        ValueError: saying in a phrase what is wrong with it.
    """
    if link_out(folder, [entry.name]):
        raise ValueError("is a link that leads out of the folder")
    try:
        data = read_bytes(folder / entry.name, entry.bytes)
    except OSError as error:
        changed = "was changed since it was written: " if error.errno == errno.EFBIG else "cannot be read: "
        raise ValueError(f"{changed}{error.strerror}") from None
    if len(data) != entry.bytes:
        raise ValueError(f"was changed since it was written: {len(data)} bytes, not {entry.bytes}")
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise ValueError("was changed since it was written: its sha256 is another")
    return data


def link_out(folder: Path, names: Iterable[str]) -> str | None:
    """The first name in a folder that a link leads out of it; None where all stay inside."""
    root = folder.resolve()
    return next((name for name in names if not _resolved(folder / name).is_relative_to(root)), None)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link that leads to itself, which nothing can be read from
        return path.absolute()


def listed_files(data: Any) -> dict[str, str] | None:
    """Name to sha256 of every file that a manifest or an index of golden vectors lists; None for other JSON."""
    try:
        if (data["generator"]["name"], data["schema_version"]) != (GENERATOR, SCHEMA_VERSION):
            return None
        if "files" in data:
            files = data["files"]
        else:
            files = [*data["extra_files"], *(file for graph in data["graphs"] for file in graph["files"])]
        names = {file["name"]: file["sha256"] for file in files}
        return {_inside(name): checksum for name, checksum in names.items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
