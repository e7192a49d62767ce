"""Golden vectors in a folder, read back: every file is held against its checksum."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from converter.errors import UsageError, VerificationError
from converter.folder.golden_index import GOLDEN_INDEX as INDEX
from converter.folder.golden_index import KIND, Case, GoldenIndex, GoldenTensor
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, FileEntry, read_listed, read_listing
from converter.proof.feeds import Feed
from converter.spec.tensors import TensorSpec
from converter.util.paths import reason, why_no_folder


@dataclass(frozen=True)
class Golden:
    """Golden vectors in a folder; every file is checked against its checksum when it is read.

    Attributes:
        folder: where they are.
        index: what it holds.
    """

    folder: Path
    index: GoldenIndex

    @property
    def cases(self) -> list[Case]:
        return self.index.cases

    def read(self, entry: GoldenTensor) -> np.ndarray:
        """The array of an entry of the index, NCHW float32.

        Raises:
            VerificationError: when its file is not as it was written.
        """
        data = self._bytes(entry.files.nchw_bin)
        if len(data) != 4 * prod(entry.shape):
            raise self._changed(entry.files.nchw_bin, f"holds {len(data)} bytes, the shape is {entry.shape}")
        return np.frombuffer(data, "<f4").astype(np.float32).reshape(entry.shape)

    def feeds(self) -> list[Feed]:
        """For each case what no graph computes: z and x."""
        computed = {entry.meaning for entry in self.index.tensors if entry.role == "output"}
        return [
            Feed(
                case.title,
                self._by_meaning(case, lambda entry: entry.role == "input" and entry.meaning not in computed),
            )
            for case in self.cases
        ]

    def answers(self) -> list[dict[str, np.ndarray]]:
        """For each case what the graphs answer, by meaning: zf, cls, reg and, with three graphs, xf."""
        return [self._by_meaning(case, lambda entry: entry.role == "output") for case in self.cases]

    def of_size(self, images: Sequence[TensorSpec]) -> "Golden":
        """The same vectors without the cases whose images have other shapes than these."""
        shapes = {tensor.meaning: list(tensor.shape) for tensor in images}
        others = {
            entry.case
            for entry in self.index.tensors
            if entry.role == "input" and entry.shape != shapes.get(entry.meaning, entry.shape)
        }
        kept = {
            "cases": [case for case in self.cases if case.name not in others],
            "tensors": [entry for entry in self.index.tensors if entry.case not in others],
        }
        return replace(self, index=self.index.model_copy(update=kept))

    def check_files(self) -> None:
        """Raises:
        VerificationError: naming the first file that is missing or changed.
        """
        for file in self.index.files:
            self._bytes(file.name)

    @cached_property
    def _files(self) -> dict[str, FileEntry]:
        return {file.name: file for file in self.index.files}

    def _by_meaning(self, case: Case, wanted: Callable[[GoldenTensor], bool]) -> dict[str, np.ndarray]:
        entries: dict[str, GoldenTensor] = {}
        for entry in self.index.tensors:
            if entry.case == case.name and wanted(entry):
                entries.setdefault(entry.meaning, entry)
        return {meaning: self.read(entry) for meaning, entry in entries.items()}

    def _bytes(self, name: str) -> bytes:
        entry = self._files.get(name)
        if entry is None:
            raise self._changed(INDEX, f"names {name!r}, which is no file of these vectors")
        try:
            return read_listed(self.folder, entry)
        except ValueError as error:
            raise self._changed(name, str(error)) from None

    def _changed(self, name: str, problem: str) -> VerificationError:
        return VerificationError(f"golden vectors: {self.folder / name} {problem}; write them anew with --golden")


def read_golden(folder: Path) -> Golden:
    """The golden vectors in a folder.

    Raises:
        UsageError: when it holds none.
        VerificationError: when its index was changed since it was written.
    """
    path = folder / INDEX
    advice = "expected a folder that --golden or --write-golden wrote"
    try:
        text, data = read_listing(path)
    except OSError as error:
        missing = f"no {INDEX} in it" if isinstance(error, FileNotFoundError) else f"{INDEX}: {reason(error)}"
        if os.path.isfile(folder / KIND / INDEX):
            advice = f"pass {folder / KIND}"
        raise UsageError(f"golden vectors {folder}: {why_no_folder(folder) or missing}; {advice}") from None
    except ValueError as error:
        raise UsageError(f"golden vectors {folder}: {INDEX} is not of golden vectors: {error}; {advice}") from None
    generator = data.get("generator") if isinstance(data, dict) and data.get("kind") == KIND else None
    if not isinstance(data, dict) or not isinstance(generator, dict) or generator.get("name") != GENERATOR:
        raise UsageError(f"golden vectors {folder}: {INDEX} is not of golden vectors; {advice}")
    if (version := data.get("schema_version")) != SCHEMA_VERSION:
        raise UsageError(
            f"golden vectors {folder}: schema_version is {version!r}, this program reads {SCHEMA_VERSION}; "
            "write them anew with --golden"
        )
    try:
        return Golden(folder, GoldenIndex.model_validate_json(text))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise VerificationError(
            f"golden vectors: {path} was changed since it was written: {where}: {first['msg'].lower()}; "
            "write them anew with --golden"
        ) from None
