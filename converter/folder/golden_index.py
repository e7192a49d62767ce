"""The index of golden vectors, ``index.json``: what each file in their folder is."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field, model_validator

from converter.folder.listing import CheckpointEntry, Entry, FileEntry, Listing, PreprocessEntry, TrackerEntry
from converter.spec.network import LARGEST_TENSOR
from converter.spec.tensors import Frozen, Tolerance

GOLDEN_INDEX = "index.json"
KIND: Final = "golden"


class Case(Frozen):
    """One input of the tracker. ``name`` is the folder, ``title`` what reports call it."""

    name: str
    title: str
    about: str


class GoldenGraph(Frozen):
    """Tensor names of one graph, each list in the graph's order."""

    name: str
    inputs: list[str]
    outputs: list[str]
    intermediates: list[str]


class TensorFiles(Frozen):
    nchw_npy: str
    nchw_bin: str
    nhwc_npy: str
    nhwc_bin: str


class GoldenTensor(Frozen):
    """A tensor of one case and graph; ``shape`` is NCHW, ``min`` and ``max`` are None when it is not finite."""

    case: str
    graph: str
    name: str
    role: Literal["input", "output", "intermediate"]
    meaning: str
    about: str
    shape: Annotated[list[Annotated[int, Field(ge=0, le=LARGEST_TENSOR)]], Field(max_length=8)]
    dtype: Literal["float32"] = "float32"
    min: float | None
    max: float | None
    files: TensorFiles


class GoldenHeader(Entry):
    """Which network it is, who computed its outputs, and how closely others have to agree.

    Attributes:
        reference: who computed the vectors, in words.
    """

    kind: Literal["golden"] = KIND
    arch: str
    path_name: str
    checkpoint: CheckpointEntry
    reference: str
    preprocess: PreprocessEntry
    tracker: TrackerEntry
    precision: str
    tolerances: dict[str, Tolerance]


class GoldenIndex(GoldenHeader, Listing):
    """``index.json``. ``tensors`` are in the order in which a device computes them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    cases: list[Case]
    graphs: list[GoldenGraph]
    tensors: list[GoldenTensor]
    files: list[FileEntry]

    @model_validator(mode="after")
    def _cases_differ(self) -> "GoldenIndex":
        for what, items in (("case", self.cases), ("graph", self.graphs)):
            names = [item.name for item in items]
            if len(set(names)) < len(names):
                raise ValueError(f"two {what}s have one name")
        return self

    def checksums(self) -> dict[str, str]:
        return {file.name: file.sha256 for file in self.files}
