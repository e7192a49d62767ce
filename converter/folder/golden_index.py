"""The index of golden vectors, ``index.json``: what each file in their folder is."""

from typing import Any, Literal

from converter.spec.network import Frozen, Tolerance

GOLDEN_INDEX = "index.json"
KIND = "golden"
HEADER = ("arch", "path_name", "checkpoint", "reference", "preprocess", "tracker", "precision", "tolerances")


class Generator(Frozen):
    name: Literal["lighttrack-export"]
    version: str


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
    shape: list[int]
    dtype: Literal["float32"]
    min: float | None
    max: float | None
    files: TensorFiles


class GoldenFile(Frozen):
    name: str
    sha256: str
    bytes: int


class GoldenIndex(Frozen):
    """``index.json``. ``tensors`` are in the order in which a device computes them."""

    schema_version: Literal[1]
    generator: Generator
    kind: Literal["golden"]
    arch: str
    path_name: str
    checkpoint: dict[str, Any]
    reference: str
    preprocess: dict[str, Any]
    tracker: dict[str, Any]
    precision: str
    tolerances: dict[str, Tolerance]
    cases: list[Case]
    graphs: list[GoldenGraph]
    tensors: list[GoldenTensor]
    files: list[GoldenFile]
