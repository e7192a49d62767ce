"""``manifest.json``: what an export folder says of itself, written and read by the same class."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from converter.errors import UsageError, VerificationError, did_you_mean
from converter.folder.listing import (
    MOST_SIZES,
    CheckpointEntry,
    FileEntry,
    Listing,
    PreprocessEntry,
    SetEntry,
    SizesEntry,
    TrackerEntry,
    Way,
    link_out,
    listed_files,
    read_listing,
)
from converter.spec.tensors import TensorSpec, Tolerance
from converter.util.paths import reason, why_no_folder

MANIFEST = "manifest.json"
MOST_GRAPHS = 1000


class ExportedCheckpoint(CheckpointEntry):
    """``file`` is None where the network was in memory; ``sha256`` is then that of its state dict.

    ``unused`` names the weights that it has besides, and ``subnet_of`` the supernet that it is; each is written where
    there is something to say.
    """

    file: str | None
    sha256: str
    unused: tuple[str, ...] = ()
    subnet_of: str | None = None

    @model_serializer(mode="wrap")
    def _what_there_is(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if key not in ("unused", "subnet_of") or value}


class GraphEntry(SetEntry):
    """One graph in one format; ``sizes`` begins with that of its shapes."""

    name: str
    mode: str | None = None
    format: str
    files: Annotated[tuple[FileEntry, ...], Field(min_length=1)]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sizes: Annotated[tuple[SizesEntry, ...], Field(max_length=MOST_SIZES)] = ()


class ClipEntry(SetEntry):
    """A clip, and the target in its first frame: x, y, w, h."""

    name: str
    sha256: str
    box: list[float]
    frames: int


class Int8Entry(SetEntry):
    """What computes in int8, and what that was fitted to.

    ``corrected``: biases make up for the mean of what int8 is off by; ``share``: of the multiply-adds of a frame;
    ``judged``: what of the clips the figures are about.
    """

    layers: tuple[str, ...]
    corrected: bool
    share: float
    seed: int
    samples: int
    clips: tuple[ClipEntry, ...]
    judged: str = ""


class FormatEntry(SetEntry):
    """How the models of a format were made; the later keys are of one format only, and others may have further ones."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)

    split: str | None = None
    opset: int | None = None
    simplified: bool | None = None
    dynamic_search: bool | None = None
    oldest_ncnn: str | None = None
    target: str | None = None
    toolkit: str | None = None
    normalise: str | None = None
    session_options: dict[str, str] = Field(default_factory=dict)
    shared_weights: tuple[str, ...] = ()
    int8: Int8Entry | None = None


class VerificationEntry(SetEntry):
    """The figures of the proof, or why there are none."""

    status: str
    reason: str | None = None
    reference: str | None = None
    candidates: dict[str, str] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0)] = 0
    feeds: tuple[str, ...] = ()
    left_out: str | None = None
    tolerances: dict[str, Tolerance] = Field(default_factory=dict)
    checks: tuple[dict[str, Any], ...] = ()
    pictures: tuple[dict[str, Any], ...] = ()
    clips: tuple[dict[str, Any], ...] = ()


class Manifest(Listing):
    """An export.

    What earlier releases did not write has a default.
    """

    arch: str
    path_name: str
    network: str | None = None
    checkpoint: ExportedCheckpoint
    parameters: int | None = None
    multiply_adds: dict[str, int] = Field(default_factory=dict)
    formats: dict[str, FormatEntry] = Field(default_factory=dict)
    preset: str | None = None
    precision: str
    protected_from_half: dict[str, tuple[str, ...]] | None = None
    graphs: Annotated[tuple[GraphEntry, ...], Field(min_length=1, max_length=MOST_GRAPHS)]
    extra_files: tuple[FileEntry, ...] = ()
    golden: Way | None = None
    preprocess: PreprocessEntry | None = None
    tracker: TrackerEntry
    tools: dict[str, str] = Field(default_factory=dict)
    verification: VerificationEntry
    arm: dict[str, Any] | None = None

    def checksums(self) -> dict[str, str]:
        files = [*self.extra_files, *(file for graph in self.graphs for file in graph.files)]
        return {file.name: file.sha256 for file in files}

    def config(self) -> dict[str, Any]:
        """What it says of its network, as keys of a config; the first of its sizes."""
        inputs = [tensor for graph in self.graphs for tensor in graph.inputs]
        outputs = [tensor for graph in self.graphs for tensor in graph.outputs]
        return {
            "path_name": self.path_name,
            "template_size": self.tracker.template_size,
            "search_size": self.tracker.search_size,
            "masks": any(tensor.mask_of for tensor in inputs),
            "activations": {tensor.meaning: tensor.activation for tensor in outputs if tensor.activation},
        }

    def sizes(self) -> list[tuple[int, int]]:
        """Template and search sizes that its models are said to serve, the tracker's first."""
        served = (each for graph in self.graphs for each in graph.sizes)
        return list(dict.fromkeys([self.tracker.pair, *(each.pair for each in (*self.tracker.sizes, *served))]))


def read_manifest(folder: Path, without: str = "for models without one pass --init and --update") -> Manifest:
    """The manifest of an export folder.

    Args:
        without: what to do with a folder that has none.

    Raises:
        UsageError: when the folder is none of ours.
        VerificationError: when the manifest is damaged.
    """
    path = folder / MANIFEST
    try:
        text, data = read_listing(path)
    except OSError as error:
        if problem := why_no_folder(folder):
            nearest = did_you_mean(folder.name, _names_in(folder.parent))
            raise UsageError(f"export {folder}: {problem}, expected a folder that lt-export wrote{nearest}") from None
        inside = [name for name in _names_in(folder) if os.path.isfile(folder / name / MANIFEST)]
        advice = f"pass {' or '.join(str(folder / name) for name in inside)}" if inside else without
        raise UsageError(f"export {folder}: {MANIFEST}: {reason(error)}; {advice}") from None
    except ValueError as error:
        raise VerificationError(f"{path} is damaged: {error}") from None
    if listed_files(data) is None:
        raise UsageError(f"export {folder}: {MANIFEST} is none of lt-export's, or of a version unknown here")
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise VerificationError(f"{path} is damaged: {where}: {first['msg']}") from None
    if name := link_out(folder, manifest.checksums()):
        raise VerificationError(
            f"export {folder}: {name} is a link that leads out of the folder; copy the file into it"
        )
    return manifest


def _names_in(folder: Path) -> list[str]:
    """Of the folders in a folder; none where it cannot be looked at."""
    return [] if why_no_folder(folder) else sorted(path.name for path in folder.iterdir() if os.path.isdir(path))
