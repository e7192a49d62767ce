"""Golden vectors: what goes into and comes out of every graph, as files that any device's code can read.

A folder of them holds ``index.json`` and, per case and graph, every tensor in four files: ``.npy`` and raw
little-endian float32 (``.bin``), as NCHW, and the same as NHWC (``.nhwc.npy``, ``.nhwc.bin``).
"""

import hashlib
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from converter.errors import UsageError, VerificationError
from converter.folder.golden_index import GOLDEN_INDEX as INDEX
from converter.folder.golden_index import HEADER, KIND, Case, GoldenIndex, GoldenTensor
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, preprocess_entry, tracker_entry
from converter.proof.feeds import Feed
from converter.spec.model import TrackerModels
from converter.spec.network import GraphSpec, Preprocess, TensorSpec, Tolerance
from converter.util.atomic import make_folder, write
from converter.util.version import version

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork


def about_network(arch: str, tracker: TrackerModels, network: "LoadedNetwork") -> dict[str, Any]:
    """Which network it is, how its inputs are made and what a tracker does with its outputs."""
    checkpoint = network.checkpoint
    return {
        "arch": arch,
        "path_name": network.path_name,
        "checkpoint": {"file": checkpoint.file, "sha256": checkpoint.sha256, "epoch": checkpoint.epoch},
        "preprocess": preprocess_entry(tracker.network.preprocess).model_dump(mode="json"),
        "tracker": tracker_entry(tracker.network, tracker.dimensions).model_dump(mode="json"),
    }


def golden_header(
    about: Mapping[str, Any], reference: str, precision: str, tolerances: Mapping[str, Tolerance]
) -> dict[str, Any]:
    """What the index says before its tensors.

    Args:
        about: :func:`about_network`.
        reference: who computed the vectors, in words.
    """
    table = {name: tolerance.model_dump() for name, tolerance in tolerances.items()}
    return {**about, "reference": reference, "precision": precision, "tolerances": table}


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


def write_golden(folder: Path, header: Mapping[str, Any], cases: Sequence[GoldenCase]) -> dict[str, Any]:
    """Write golden vectors into an existing empty folder.

    Args:
        header: the keys of ``HEADER``.

    Returns:
        the index; ``index["files"]`` lists every other file, named relative to the folder.

    Raises:
        ConversionError: when a file cannot be written.
    """
    names = _safe_names([case.feed.name for case in cases])
    tensors: list[dict[str, Any]] = []
    files: list[dict[str, Any]] = []
    for title, case in zip(names, cases, strict=True):
        known = {**case.answer, **case.feed.tensors}
        for graph in case.graphs:
            entries = _graph_tensors(graph, known, case.intermediates.get(graph.name, {}))
            stems = _safe_names([name for name, *_ in entries], keep=".-")
            for tensor, stem in zip(entries, stems, strict=True):
                place = f"{title}/{graph.name}/{stem}"
                written = _write_tensor(folder, place, tensor[-1])
                files += written.values()
                tensors.append(_tensor_entry(title, graph.name, tensor, written))
    index = GoldenIndex.model_validate(
        {
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": GENERATOR, "version": version()},
            "kind": KIND,
            **{key: header[key] for key in HEADER},
            "cases": [
                {"name": name, "title": case.feed.name, "about": _about(case.feed)}
                for name, case in zip(names, cases, strict=True)
            ],
            "graphs": [_graph_entry(graph, cases) for graph in _graphs(cases)],
            "tensors": tensors,
            "files": files,
        }
    ).model_dump()
    write(folder / INDEX, f"{json.dumps(index, indent=2, allow_nan=False)}\n".encode())
    return index


def nhwc(array: np.ndarray) -> np.ndarray:
    """NCHW to NHWC; an array of another rank is the same in both."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)) if array.ndim == 4 else array


def _about(feed: Feed) -> str:
    drawn = re.fullmatch(r"noise \d+( at \d+/\d+)?", feed.name)
    return "seeded standard normal noise" if drawn else f"crops of {feed.name}, normalised as preprocess says"


def _graph_tensors(
    graph: GraphSpec, known: Mapping[str, np.ndarray], inner: Mapping[str, np.ndarray]
) -> list[tuple[str, str, str, str, np.ndarray]]:
    """(name, role, meaning, about, array) of a graph, in the order in which they come to be."""
    return [
        *((tensor.name, "input", tensor.meaning, tensor.about, known[tensor.meaning]) for tensor in graph.inputs),
        *((name, "intermediate", name, f"output of module {name}", array) for name, array in inner.items()),
        *((tensor.name, "output", tensor.meaning, tensor.about, known[tensor.meaning]) for tensor in graph.outputs),
    ]


def _graphs(cases: Sequence[GoldenCase]) -> Iterable[GraphSpec]:
    """Every graph once, by name."""
    found: dict[str, GraphSpec] = {}
    for case in cases:
        for graph in case.graphs:
            found.setdefault(graph.name, graph)
    return found.values()


def _graph_entry(graph: GraphSpec, cases: Sequence[GoldenCase]) -> dict[str, Any]:
    inner = dict.fromkeys(name for case in cases for name in case.intermediates.get(graph.name, {}))
    return {
        "name": graph.name,
        "inputs": [tensor.name for tensor in graph.inputs],
        "outputs": [tensor.name for tensor in graph.outputs],
        "intermediates": list(inner),
    }


def _write_tensor(folder: Path, place: str, array: np.ndarray) -> dict[str, dict[str, Any]]:
    """The four files of a tensor; their key in the index to their entry in its list of files."""
    make_folder((folder / place).parent)
    array = np.ascontiguousarray(array, dtype="<f4")
    written = {}
    for layout, suffix, values in (("nchw", "", array), ("nhwc", ".nhwc", nhwc(array))):
        npy = io.BytesIO()
        np.save(npy, values, allow_pickle=False)
        for kind, data in (("npy", npy.getvalue()), ("bin", values.tobytes())):
            name = f"{place}{suffix}.{kind}"
            write(folder / name, data)
            written[f"{layout}_{kind}"] = {
                "name": name,
                "sha256": hashlib.sha256(data).hexdigest(),
                "bytes": len(data),
            }
    return written


def _tensor_entry(
    case: str,
    graph: str,
    tensor: tuple[str, str, str, str, np.ndarray],
    written: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    name, role, meaning, about, array = tensor
    finite = bool(array.size and np.isfinite(array).all())
    return {
        "case": case,
        "graph": graph,
        "name": name,
        "role": role,
        "meaning": meaning,
        "about": about,
        "shape": list(array.shape),
        "dtype": "float32",
        "min": float(array.min()) if finite else None,
        "max": float(array.max()) if finite else None,
        "files": {key: file["name"] for key, file in written.items()},
    }


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

    @property
    def preprocess(self) -> Preprocess:
        """How the images became z and x, in the form of the configs."""
        stored = self.index.preprocess
        try:
            on_0_1 = stored["on_0_1"]
            return Preprocess(
                colour_order=stored["colour_order"], pixel_range=[0.0, 1.0], mean=on_0_1["mean"], std=on_0_1["std"]
            )
        except (KeyError, TypeError, ValidationError):
            raise VerificationError(f"{self.folder / INDEX}: preprocess was changed; write the vectors anew") from None

    def tensor(self, case: str, graph: str, name: str) -> np.ndarray:
        """One tensor, NCHW float32.

        Raises:
            UsageError: when there is no such tensor.
            VerificationError: when its file is not as it was written.
        """
        for entry in self.index.tensors:
            if (entry.case, entry.graph, entry.name) == (case, graph, name):
                return self.read(entry)
        raise UsageError(f"golden vectors in {self.folder}: no tensor {name!r} of graph {graph!r} in case {case!r}")

    def read(self, entry: GoldenTensor) -> np.ndarray:
        """The array of an entry of the index, as :meth:`tensor`."""
        data = self._bytes(entry.files.nchw_bin)
        if len(data) != 4 * int(np.prod(entry.shape)):
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

    def _by_meaning(self, case: Case, wanted: Callable[[GoldenTensor], bool]) -> dict[str, np.ndarray]:
        entries: dict[str, GoldenTensor] = {}
        for entry in self.index.tensors:
            if entry.case == case.name and wanted(entry):
                entries.setdefault(entry.meaning, entry)
        return {meaning: self.read(entry) for meaning, entry in entries.items()}

    def _bytes(self, name: str) -> bytes:
        listed = next((file for file in self.index.files if file.name == name), None)
        if listed is None or ".." in Path(name).parts or Path(name).is_absolute():
            raise self._changed(INDEX, f"names {name!r}, which is no file of these vectors")
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise self._changed(name, f"cannot be read: {error.strerror}") from None
        if hashlib.sha256(data).hexdigest() != listed.sha256:
            raise self._changed(name, "was changed since it was written: its sha256 is another")
        return data

    def _changed(self, name: str, what: str) -> VerificationError:
        return VerificationError(f"golden vectors: {self.folder / name} {what}; write them anew with --golden")


def read_golden(folder: Path) -> Golden:
    """The golden vectors in a folder.

    Raises:
        UsageError: when it holds none.
        VerificationError: when its index was changed since it was written.
    """
    path = folder / INDEX
    advice = "expected a folder that --golden or --write-golden wrote"
    try:
        text = path.read_bytes()
    except OSError as error:
        found = f"no {INDEX} in it" if folder.is_dir() else "no such folder"
        reason = found if isinstance(error, FileNotFoundError | NotADirectoryError) else error.strerror
        raise UsageError(f"golden vectors {folder}: {reason}; {advice}") from None
    try:
        data = json.loads(text)
        ours = data["kind"] == KIND and data["generator"]["name"] == GENERATOR
        version = data["schema_version"]
    except (ValueError, RecursionError, KeyError, TypeError):
        ours, version = False, None
    if not ours:
        raise UsageError(f"golden vectors {folder}: {INDEX} is not of golden vectors; {advice}")
    if version != SCHEMA_VERSION:
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
