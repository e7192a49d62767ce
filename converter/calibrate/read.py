"""A calibration set read back: every file held against its checksum, and its network against the one at hand."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy
from pydantic import ValidationError

from converter.calibrate.listing import MARKER, CalibrationGraph, CalibrationListing
from converter.errors import UsageError, VerificationError
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, FileEntry, read_listed, read_listing
from converter.util.paths import reason, why_no_folder

BAD_HEADER = (ValueError, SyntaxError, TokenError, RecursionError, MemoryError)  # numpy reads it as Python's words
READABLE = {"npy", "raw"}
EXPECTED = "expected a folder that lt-calibrate wrote"


@dataclass(frozen=True)
class CalibrationSet:
    """A calibration set.

    Attributes:
        folder: where it is.
        listing: what it says of itself.
    """

    folder: Path
    listing: CalibrationListing

    def __len__(self) -> int:
        return len(self.listing.samples)

    def graph(self, name: str) -> CalibrationGraph:
        """Raises UsageError for a graph that it is not for."""
        for graph in self.listing.graphs:
            if graph.name == name:
                return graph
        names = ", ".join(graph.name for graph in self.listing.graphs)
        raise UsageError(f"calibration set {self.folder}: no graph {name!r} in it, expected one of {names}")

    def feeds(self, graph: str) -> Iterator[dict[str, np.ndarray]]:
        """Sample by sample what a graph takes, by meaning: float32 arrays with a batch of one.

        Raises:
            UsageError: for an unknown graph, and for a set without arrays that this could read.
            VerificationError: for a file that is not as it was written.
        """
        inputs, layouts = self.graph(graph).inputs, self.listing.layouts
        if not READABLE & {*layouts}:
            raise UsageError(f"calibration set {self.folder}: has the layout {', '.join(layouts)} only, expected npy")
        for number in range(len(self)):
            yield {tensor.meaning: self._array(tensor.meaning, number, tensor.shape) for tensor in inputs}

    def check_files(self) -> None:
        """Raises:
        VerificationError: naming the first file that is missing, changed, or not what a graph takes.
        """
        for file in self.listing.files:
            self._bytes(file.name)
        if READABLE & {*self.listing.layouts}:
            for graph in self.listing.graphs:
                for _ in self.feeds(graph.name):
                    pass

    def as_dict(self) -> dict[str, Any]:
        """As ``lt-calibrate --json`` prints it."""
        return {"folder": str(self.folder), **self.listing.model_dump(mode="json")}

    @cached_property
    def _files(self) -> dict[str, FileEntry]:
        return {file.name: file for file in self.listing.files}

    def _array(self, name: str, number: int, shape: tuple[int, ...]) -> np.ndarray:
        if "npy" in self.listing.layouts:
            place = f"npy/{name}/{number:03}.npy"
            data = BytesIO(self._bytes(place))
            try:
                npy.read_magic(data)
                found, in_columns, kind = npy.read_array_header_1_0(data)
            except BAD_HEADER as error:
                raise self._changed(place, f"has no header of an array ({str(error)[:100]})") from None
            if in_columns:
                raise self._changed(place, "holds an array in Fortran's order, expected C's")
            if found != shape or kind != np.dtype(np.float32):
                raise self._changed(place, f"holds {kind} {found}, expected float32 {shape}")
            numbers = data.read()
        else:
            place = f"raw/{name}/{number:03}.bin"
            numbers = self._bytes(place)
        if len(numbers) != 4 * prod(shape):
            raise self._changed(place, f"holds {len(numbers)} bytes of numbers, expected {4 * prod(shape)}")
        return np.frombuffer(numbers, "<f4").reshape(shape)

    def _bytes(self, name: str) -> bytes:
        entry = self._files.get(name)
        if entry is None:
            raise self._changed(name, "is not listed")
        try:
            return read_listed(self.folder, entry)
        except ValueError as error:
            raise self._changed(name, str(error)) from None

    def _changed(self, name: str, problem: str) -> VerificationError:
        return VerificationError(f"calibration set: {self.folder / name} {problem}; make it anew with lt-calibrate")


def read_calibration(folder: Path) -> CalibrationSet:
    """The calibration set in a folder; its files are read when they are asked for.

    Raises:
        UsageError: when it holds none.
        VerificationError: when its listing is damaged.
    """
    try:
        text, data = read_listing(folder / MARKER)
    except OSError as error:
        missing = f"no {MARKER} in it" if isinstance(error, FileNotFoundError) else f"{MARKER}: {reason(error)}"
        raise UsageError(f"calibration set {folder}: {why_no_folder(folder) or missing}; {EXPECTED}") from None
    except ValueError as error:
        raise UsageError(f"calibration set {folder}: {MARKER} is damaged: {error}; {EXPECTED}") from None
    generator = data.get("generator") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(generator, dict) or generator.get("name") != GENERATOR:
        raise UsageError(f"calibration set {folder}: {MARKER} is not of lt-calibrate; {EXPECTED}")
    if data.get("schema_version") != SCHEMA_VERSION:
        found = str(data.get("schema_version"))[:20]
        raise UsageError(f"calibration set {folder}: schema_version is {found}, this program reads {SCHEMA_VERSION}")
    try:
        listing = CalibrationListing.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise VerificationError(
            f"calibration set: {os.path.join(folder, MARKER)} is damaged: {where}: {first['msg']}"
        ) from None
    return CalibrationSet(folder, listing)
