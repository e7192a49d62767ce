"""What the generated C++ knows of an export: namespace ``model`` of tracker.hpp."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

from converter.errors import UsageError
from converter.families.family import constants_of, family_of
from converter.folder.manifest import Manifest
from converter.formats.ncnn import FORMAT
from converter.proof.chain import SEARCH, TEMPLATE
from converter.spec.model import Model, TrackerModels
from converter.spec.naming import check_names
from converter.spec.network import NetworkSpec
from converter.track.cpp.literals import boolean, double, single, singles, text

FILE = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)
NEXT = "\n        "  # line of an entry
IDENTIFIER = re.compile(r"[a-z]\w*", re.ASCII)


@dataclass(frozen=True)
class Described:
    """An export's models in the order in which a device runs them, with names that C++ and a path can hold.

    Attributes:
        folder: of the export, absolute.
        manifest: of it; ``checksum`` is the sha256 of its file.
        tracker: ncnn models of one template and search size.
    """

    folder: Path
    manifest: Manifest
    checksum: str
    tracker: TrackerModels

    @property
    def network(self) -> NetworkSpec:
        return self.tracker.network

    @property
    def models(self) -> tuple[Model, ...]:
        return self.tracker.of(FORMAT.name)

    @property
    def once(self) -> tuple[bool, ...]:
        """Of every model, whether it runs with the template only."""
        return once_of(self.models)

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Meaning to shape of what the tracker reads."""
        return read_outputs(self.models)

    @property
    def nets(self) -> list[tuple[str, ...]]:
        """The files of every model, each pair once: a file may hold several graphs."""
        return list(dict.fromkeys(model.files for model in self.models))

    def check(self) -> None:
        """Raises:
        UsageError: for names that could not stand in C++, or files that could not stand in a path.
        """
        for model in self.models:
            check_names(FORMAT.name, FORMAT.legal, FORMAT.rule, [(model.files[0], model.graph)])
            for name in model.files:
                if not FILE.fullmatch(name):
                    raise UsageError(
                        f"manifest.json: {name[:60]!r} is no name for a model of lt-cpp, expected letters, digits and "
                        "._+-/; choose other file names for the export"
                    )
            for tensor in (*model.graph.inputs, *model.graph.outputs):
                if not IDENTIFIER.fullmatch(tensor.meaning):
                    raise UsageError(f"config: tensor {tensor.meaning[:60]!r} is no name in C++")


def once_of(models: Sequence[Model]) -> tuple[bool, ...]:
    """Of every model, whether it runs with the template only."""
    known, found = {TEMPLATE, f"{TEMPLATE}_mask"}, list[bool]()
    for model in models:
        found.append({tensor.meaning for tensor in model.graph.inputs} <= known)
        known |= {tensor.meaning for tensor in model.graph.outputs} if found[-1] else set()
    return tuple(found)


def read_outputs(models: Sequence[Model]) -> dict[str, tuple[int, ...]]:
    """Meaning to shape of what a tracker reads: what a graph of every frame gives and no other takes."""
    taken = {tensor.meaning for model in models for tensor in model.graph.inputs}
    given = [model.graph.outputs for model, once in zip(models, once_of(models), strict=True) if not once]
    return {tensor.meaning: tensor.shape for each in given for tensor in each if tensor.meaning not in taken}


def described(folder: Path, manifest: Manifest, checksum: str, tracker: TrackerModels) -> Described:
    """Raises UsageError for names that C++ does not take, and for a family without a procedure in C++."""
    found = Described(folder, manifest, checksum, tracker)
    found.check()
    return found


def namespace(about: Described) -> str:
    """The namespace, as C++."""
    lines = ["namespace model {", "", *_numbers(about), "", *_constants(about.network), "", *_graphs(about), ""]
    return "\n".join([*lines, "}  // namespace model"])


def _numbers(about: Described) -> list[str]:
    dimensions, network = about.tracker.dimensions, about.network
    low, high = network.preprocess.pixel_range
    integers = {
        "template_size": dimensions.template_size,
        "search_size": dimensions.search_size,
        "stride": dimensions.stride,
        "score_size": dimensions.score_size,
    }
    floats = {"pixel_low": low, "pixel_range": high - low}
    return [
        "// Sizes of the crops in pixels, pixels per cell, and cells along a side of the score map.",
        *(f"inline constexpr int {name} = {value};" for name, value in integers.items()),
        "",
        "// What the network takes: three planes in this order of colours, (value - mean) / deviation, where value is",
        "// a byte divided by 255, times pixel_range, plus pixel_low.",
        f"inline constexpr bool rgb = {boolean(network.preprocess.colour_order == 'RGB')};",
        *(f"inline constexpr float {name} = {single(value)};" for name, value in floats.items()),
        f"inline constexpr std::array<float, 3> mean{singles(network.preprocess.mean)};",
        f"inline constexpr std::array<float, 3> deviation{singles(network.preprocess.std)};",
        "",
        "// Whether scores are logits, and whether the graphs take a mask of what lies outside the frame.",
        f"inline constexpr bool logits = {boolean('cls' not in network.activations)};",
        f"inline constexpr bool masks = {boolean(network.masks)};",
    ]


def _constants(network: NetworkSpec) -> list[str]:
    """What the family's procedure takes from the config's section ``tracker``."""
    kind = family_of(network.family).constants
    assert kind is not None  # of every family that has a procedure in C++
    values = constants_of(network, kind).model_dump()
    return [
        "// Constants of the official tracker, by the names that it has for them.",
        *(f"inline constexpr double {name} = {double(value)};" for name, value in values.items()),
    ]


def _graphs(about: Described) -> list[str]:
    outputs, models, nets = about.outputs, about.models, about.nets
    given = [tensor.meaning for model in models for tensor in (*model.graph.inputs, *model.graph.outputs)]
    images = [TEMPLATE, SEARCH, f"{TEMPLATE}_mask", f"{SEARCH}_mask"]
    others = list(dict.fromkeys(name for name in [*images, *given] if name not in outputs))
    files = {file.name: file for graph in about.manifest.graphs for file in graph.files}

    def file(name: str) -> str:
        return f"{{{text(name)}, {files[name].bytes}, {text(files[name].sha256)}}}"

    calls = [
        f"{{{index}, {text(tensor.name)}, {tensor.meaning}, {boolean(tensor in model.graph.inputs)}}}"
        for index, model in enumerate(models)
        for tensor in (*model.graph.inputs, *model.graph.outputs)
    ]
    graphs = [f"{{{nets.index(model.files)}, {boolean(once)}}}" for model, once in zip(models, about.once, strict=True)]
    return [
        "// Every tensor of the graphs; z is the template crop, x the search crop. Those that the tracker reads come",
        "// first, output_count of them.",
        "enum Tensor : std::size_t {",
        *_wrapped([*outputs, "output_count", f"{others[0]} = output_count", *others[1:], "tensor_count"]),
        "};",
        f"inline constexpr std::array<const char*, output_count> output_names{{{', '.join(map(text, outputs))}}};",
        "inline constexpr std::array<std::size_t, output_count> output_sizes{"
        f"{', '.join(str(prod(shape)) for shape in outputs.values())}}};",
        "",
        "/// A file of the export.",
        "struct File {",
        "  const char* name;",
        "  std::size_t bytes;",
        "  const char* sha256;",
        "};",
        "",
        "/// A model in two files; several graphs may be read from one.",
        "struct Net {",
        "  File param, weights;",
        "};",
        f"inline constexpr std::array<Net, {len(nets)}> nets{{",
        *_wrapped([f"Net{{{f',{NEXT}'.join(map(file, names))}}}" for names in nets]),
        "};",
        "",
        "/// A graph, run once for a template or for every frame; in the order in which they run.",
        "struct Graph {",
        "  std::size_t net;",
        "  bool once;",
        "};",
        f"inline constexpr std::array<Graph, {len(graphs)}> graphs{{",
        *_wrapped([f"Graph{each}" for each in graphs]),
        "};",
        "",
        "/// A tensor's name in a graph, which takes it or gives it.",
        "struct Blob {",
        "  std::size_t graph;",
        "  const char* name;",
        "  Tensor tensor;",
        "  bool input;",
        "};",
        f"inline constexpr std::array<Blob, {len(calls)}> blobs{{",
        *_wrapped([f"Blob{each}" for each in calls]),
        "};",
        "",
        "/// Where the export lay when this was generated.",
        f"inline constexpr const char* folder = {text(str(about.folder))};",
    ]


def _wrapped(items: Sequence[str] | Iterable[str]) -> list[str]:
    return [f"    {item}," for item in items]
