"""Golden vectors: what goes into and comes out of every graph, as files that any device's code can read.

A folder of them holds ``index.json`` and, per case and graph, every tensor in four files: ``.npy`` and raw
little-endian float32 (``.bin``), as NCHW, and the same as NHWC (``.nhwc.npy``, ``.nhwc.bin``).
"""

import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from converter.folder.golden_index import (
    GOLDEN_INDEX,
    Case,
    GoldenGraph,
    GoldenHeader,
    GoldenIndex,
    GoldenTensor,
    TensorFiles,
)
from converter.folder.listing import (
    GENERATOR,
    SCHEMA_VERSION,
    FileEntry,
    GeneratorEntry,
    checkpoint_entry,
    preprocess_entry,
    tracker_entry,
)
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.spec.tensors import GraphSpec
from converter.util.atomic import make_folder, write
from converter.util.version import version

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork


def golden_header(
    arch: str, comparison: Comparison, network: "LoadedNetwork", reference: str, precision: str
) -> GoldenHeader:
    """What the index says before its tensors.

    Args:
        comparison: at the first of the sizes.
        reference: who computed the vectors, in words.
    """
    tracker = comparison.tracker
    return GoldenHeader(
        arch=arch,
        path_name=network.path_name,
        checkpoint=checkpoint_entry(network.checkpoint),
        reference=reference,
        preprocess=preprocess_entry(tracker.network.preprocess),
        tracker=tracker_entry(tracker.network, tracker.dimensions),
        precision=precision,
        tolerances=dict(comparison.tolerances),
    )


@dataclass(frozen=True)
class GoldenCase:
    """One input.

    Attributes:
        graphs: that run on it, in the order in which a device runs them.
        feed: the images.
        answer: the reference's tensors, by meaning.
        intermediates: graph name to tensor name to array.
    """

    graphs: Sequence[GraphSpec]
    feed: Feed
    answer: Mapping[str, np.ndarray]
    intermediates: Mapping[str, Mapping[str, np.ndarray]]


def write_golden(folder: Path, header: GoldenHeader, cases: Sequence[GoldenCase]) -> GoldenIndex:
    """Write golden vectors into an existing empty folder.

    Returns:
        the index; its ``files`` are every other file, named relative to the folder.

    Raises:
        ConversionError: when a file cannot be written.
    """
    names = _safe_names([case.feed.name for case in cases])
    tensors: list[GoldenTensor] = []
    files: list[FileEntry] = []
    for name, case in zip(names, cases, strict=True):
        for graph in case.graphs:
            arrays = _arrays(graph, case)
            stems = _safe_names([array.name for array in arrays], keep=".-")
            for array, stem in zip(arrays, stems, strict=True):
                written = _write_array(folder, f"{name}/{graph.name}/{stem}", array.values)
                tensors.append(array.entry(name, graph.name, written))
                files += written.values()
    index = GoldenIndex(
        schema_version=SCHEMA_VERSION,
        generator=GeneratorEntry(name=GENERATOR, version=version()),
        **dict(header),
        cases=[
            Case(name=name, title=case.feed.name, about=_about(case.feed))
            for name, case in zip(names, cases, strict=True)
        ],
        graphs=_graphs(cases),
        tensors=tensors,
        files=files,
    )
    write(folder / GOLDEN_INDEX, index.text().encode())
    return index


def nhwc(array: np.ndarray) -> np.ndarray:
    """NCHW to NHWC; an array of another rank is the same in both."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def _about(feed: Feed) -> str:
    drawn = re.fullmatch(r"noise, (fine|smooth|coarse)( \d+)?( at \d+/\d+)?", feed.name)
    shown = "seeded noise of 8-bit pixels" if drawn else f"crops of {feed.name}"
    return f"{shown}, normalised as preprocess says"


@dataclass(frozen=True)
class _Array:
    """A tensor of one graph on its way to the disk."""

    name: str
    role: Literal["input", "output", "intermediate"]
    meaning: str
    about: str
    values: np.ndarray

    def entry(self, case: str, graph: str, files: Mapping[str, FileEntry]) -> GoldenTensor:
        finite = bool(self.values.size and np.isfinite(self.values).all())
        return GoldenTensor(
            case=case,
            graph=graph,
            name=self.name,
            role=self.role,
            meaning=self.meaning,
            about=self.about,
            shape=list(self.values.shape),
            min=float(self.values.min()) if finite else None,
            max=float(self.values.max()) if finite else None,
            files=TensorFiles(**{key: file.name for key, file in files.items()}),
        )


def _arrays(graph: GraphSpec, case: GoldenCase) -> list[_Array]:
    """Everything of a graph, in the order in which it comes to be."""
    arrays = {**case.answer, **case.feed.tensors}
    inner = case.intermediates.get(graph.name, {})
    return [
        *(_Array(each.name, "input", each.meaning, each.about, arrays[each.meaning]) for each in graph.inputs),
        *(_Array(name, "intermediate", name, f"output of module {name}", values) for name, values in inner.items()),
        *(_Array(each.name, "output", each.meaning, each.about, arrays[each.meaning]) for each in graph.outputs),
    ]


def _graphs(cases: Sequence[GoldenCase]) -> list[GoldenGraph]:
    """Every graph once, by name."""
    graphs: dict[str, GraphSpec] = {}
    for graph in (graph for case in cases for graph in case.graphs):
        graphs.setdefault(graph.name, graph)
    return [
        GoldenGraph(
            name=name,
            inputs=[tensor.name for tensor in graph.inputs],
            outputs=[tensor.name for tensor in graph.outputs],
            intermediates=list(dict.fromkeys(inner for case in cases for inner in case.intermediates.get(name, {}))),
        )
        for name, graph in graphs.items()
    ]


def _write_array(folder: Path, place: str, array: np.ndarray) -> dict[str, FileEntry]:
    """The four files of a tensor, by their key in the index."""
    make_folder((folder / place).parent)
    array = np.ascontiguousarray(array, dtype="<f4")
    written = {}
    for layout, suffix, values in (("nchw", "", array), ("nhwc", ".nhwc", nhwc(array))):
        npy = io.BytesIO()
        np.save(npy, values, allow_pickle=False)
        for kind, data in (("npy", npy.getvalue()), ("bin", values.tobytes())):
            name = f"{place}{suffix}.{kind}"
            write(folder / name, data)
            sha256 = hashlib.sha256(data).hexdigest()
            written[f"{layout}_{kind}"] = FileEntry(name=name, sha256=sha256, bytes=len(data))
    return written


def _safe_names(titles: Iterable[str], keep: str = "") -> list[str]:
    """File names made from titles, different from each other also where case is ignored."""
    taken: set[str] = set()
    names = []
    for title in titles:
        base = re.sub(rf"[^A-Za-z0-9_{re.escape(keep)}]+", "_", title).strip("_." + keep)[:100] or "case"
        name, number = base, 1
        while name.lower() in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name.lower())
        names.append(name)
    return names
