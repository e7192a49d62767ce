"""Models that somebody else converted: which blob means what, from names, from the user, or by trying."""

import itertools
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.errors import ConversionError, UsageError, VerificationError, did_you_mean
from converter.folder.mistaken import Sides, exchanged, image_sizes, option
from converter.formats.format import Shapes, format_names, format_of
from converter.formats.isolated import IsolatedRunner
from converter.spec.model import Model
from converter.spec.naming import with_graphs
from converter.spec.tensors import GraphSpec, TensorSpec
from converter.util.content import Content, Contents
from converter.util.paths import why_no_file

log = logging.getLogger(__name__)

TRIAL_SECONDS = 30.0

Files = tuple[Content, ...]


@dataclass(frozen=True)
class Rename:
    """``[graph:]blob=meaning`` from the command line."""

    graph: str | None
    blob: str
    meaning: str


def parse_rename(text: str, graphs: Iterable[str], meanings: Iterable[str]) -> Rename:
    """Read ``input1=zf`` or ``update:input1=zf``.

    Raises:
        UsageError: for another form, an unknown graph or an unknown meaning.
    """
    blob, equals, meaning = text.rpartition("=")
    if not (equals and blob and meaning):
        raise UsageError(f"--rename {text}: expected BLOB=MEANING, for example output.1=cls")
    if meaning not in meanings:
        nearest = did_you_mean(meaning, meanings)
        nearest = nearest or (f"; did you mean {meaning}={blob}?" if blob in meanings else "")
        raise UsageError(
            f"--rename {text}: unknown meaning {meaning!r}, expected one of {', '.join(meanings)}{nearest}"
        )
    graph, colon, rest = blob.partition(":")
    return Rename(graph, rest, meaning) if colon and graph in graphs else Rename(None, blob, meaning)


def model_files(option: str, path: Path) -> tuple[str, tuple[Path, ...]]:
    """The format and the files of a model from the one the user names.

    Raises:
        UsageError: when they are not there or of no known format.
    """
    formats = [format_of(name) for name in format_names()]
    fitting = [form for form in formats if path.suffix in form.suffixes]
    if not fitting:
        expected = " or ".join(form.suffixes[0] for form in formats)
        raise UsageError(f"{option} {path}: expected a file whose name ends in {expected}")
    form = fitting[0]
    files = (path.with_suffix(form.suffixes[0]), *(_beside(path, suffix) for suffix in form.suffixes[1:]))
    for file in files:
        if reason := why_no_file(file):
            beside = f"no {file.name} beside it" if not os.path.lexists(file) else f"{file.name} beside it: {reason}"
            raise UsageError(f"{option} {path}: {reason if file == path else beside}")
    return form.name, files


def _beside(path: Path, suffix: str) -> Path:
    """The weights of a model: of its name, or shared with others, ``a_b.bin`` or ``a.bin`` of ``a_b_c.param``."""
    own = path.with_suffix(suffix)
    words = path.stem.split("_")
    names = ("_".join(words[:count]) + suffix for count in range(len(words), 0, -1))
    return next((file for name in names if os.path.lexists(file := path.with_name(name))), own)


def loose_models(
    paths: Mapping[str, Path],
    specs_for: Callable[[int, int], Sequence[GraphSpec]],
    template_size: int,
    search_sizes: Sequence[int],
    renames: Sequence[Rename],
    contents: Contents,
) -> list[Model]:
    """The models behind files without a manifest.

    Names come from the user, from the files where they are the meanings themselves, or from running the graph with
    every assignment. A size that a file declares goes before those to try.

    Args:
        paths: graph name to file.
        specs_for: (template size, search size) -> the config's graphs.
        template_size: where no file declares another.
        search_sizes: to try, in this order.
        renames: what the user says of the blobs' names.
        contents: of the files; what is read stays in it.

    Raises:
        UsageError: when the files are not there or no assignment of names gives what the config declares.
        VerificationError: when a file cannot be read.
    """
    files = {name: _read(*model_files(option(name), path), contents) for name, path in paths.items()}
    if len({format for format, _ in files.values()}) > 1:
        raise UsageError("the models are of several formats; pass those of one, and the others in a run of their own")
    sides = {name: _interface(*model) for name, model in files.items()}
    _check_renames(renames, sides)
    if reason := exchanged(paths, sides, specs_for(template_size, search_sizes[0])):
        raise UsageError(reason)
    images = {name: set(image_sizes(side)) for name, side in sides.items()}
    template_size = min(images.get("init") or [template_size])
    declared = [size for name, sizes in images.items() if name != "init" for size in sizes]
    by_name: list[Model] = []
    reason = ""
    for size in dict.fromkeys([*declared, *search_sizes]):
        specs = [spec for spec in specs_for(template_size, size) if spec.name in files]
        try:
            return [_tried_model(spec, *files[spec.name], sides[spec.name], renames) for spec in specs]
        except _DoesNotFit as error:
            reason = reason or str(error)
        named = [_named_model(spec, *files[spec.name], sides[spec.name], renames) for spec in specs]
        by_name = by_name or [model for model in named if model]
    if len(by_name) == len(files):
        log.warning("%s: the names are known, so these are models of another network or size, or wrong", reason)
        return by_name
    raise UsageError(
        f"{reason}; of another network? pass its --arch, --path-name or --search-size, or name inputs and outputs with "
        "--rename BLOB=MEANING"
    )


def _check_renames(renames: Sequence[Rename], sides: Mapping[str, Sides]) -> None:
    blobs = {name: {*inputs, *outputs} for name, (inputs, outputs) in sides.items()}
    for rename in renames:
        if not any(rename.blob in names for graph, names in blobs.items() if rename.graph in (None, graph)):
            of_graph = f"{rename.graph}:" if rename.graph else ""
            have = f"{rename.graph} has" if rename.graph else "the files have"
            names = sorted(set().union(*(names for graph, names in blobs.items() if rename.graph in (None, graph))))
            raise UsageError(
                f"--rename {of_graph}{rename.blob}={rename.meaning}: no such input or output; {have} "
                f"{', '.join(names)}{did_you_mean(rename.blob, [] if rename.graph else with_graphs(blobs))}"
            )


class _DoesNotFit(Exception):
    """No assignment of names works at this size."""


def _read(format: str, paths: tuple[Path, ...], contents: Contents) -> tuple[str, Files]:
    """The format and the files of a model, with those that it keeps weights in beside them."""
    try:
        first = contents.of(paths)[0]
        beside = [first.path.parent / name for name in format_of(format).beside(first)]
        return format, contents.of((*paths, *beside))
    except ConversionError as error:
        raise VerificationError(str(error)) from None


def _interface(format: str, files: Files) -> Sides:
    """Names of the inputs and outputs in a model's files, with their shapes where the file says them."""
    try:
        return format_of(format).interface(files)
    except ConversionError as error:
        raise VerificationError(str(error)) from None


def _named_model(spec: GraphSpec, format: str, files: Files, sides: Sides, renames: Sequence[Rename]) -> Model | None:
    """The model where its names are known without a trial."""
    inputs, outputs, source = _known_names(spec, sides, renames)
    return Model(_with_names(spec, inputs, outputs), format, _names_of(files), source) if inputs and outputs else None


def _known_names(
    spec: GraphSpec, sides: Sides, renames: Sequence[Rename]
) -> tuple[dict[str, str] | None, dict[str, str] | None, str]:
    """Meaning to blob of the inputs and of the outputs, None where it is not known; and who says so."""
    given_inputs, given_outputs = (
        _given(names, tensors, spec.name, renames)
        for names, tensors in zip(sides, (spec.inputs, spec.outputs), strict=True)
    )
    source = "--rename" if given_inputs or given_outputs else "names"
    return _named(spec.inputs, sides[0], given_inputs), _named(spec.outputs, sides[1], given_outputs), source


def _tried_model(spec: GraphSpec, format: str, files: Files, sides: Sides, renames: Sequence[Rename]) -> Model:
    """The model with its names, tried out.

    Raises:
        _DoesNotFit: when no assignment of names gives what the config declares.
    """
    inputs, outputs = sides
    where = f"{format} {spec.name} ({files[0].name})"
    named_inputs, named_outputs, source = _known_names(spec, sides, renames)
    if len(inputs) != len(spec.inputs) or len(outputs) < len(spec.outputs):
        raise _DoesNotFit(
            f"{where} has inputs {', '.join(inputs) or 'none'} and outputs {', '.join(outputs) or 'none'}, expected "
            f"{len(spec.inputs)} and {len(spec.outputs)} in a network of {spec.family}: "
            f"{_names(spec.inputs)} -> {_names(spec.outputs)}"
        )
    given_inputs = _given(inputs, spec.inputs, spec.name, renames)
    given_outputs = named_outputs or _given(outputs, spec.outputs, spec.name, renames)
    for names in [named_inputs] if named_inputs else _assignments(inputs, spec.inputs, given_inputs):
        graph = _tried(spec, format, files, names, outputs, given_outputs)
        if graph is not None:
            certain = named_inputs and named_outputs
            return Model(graph, format, _names_of(files), source if certain else "trial")
    raise _DoesNotFit(
        f"{where}: fed with {_names(spec.inputs)} as {', '.join(inputs)}, in any order, {', '.join(outputs)} are not "
        f"{_names(spec.outputs)}"
    )


def _names_of(files: Files) -> tuple[str, ...]:
    """As the user gave them, from the working folder."""
    return tuple(str(file.path) for file in files)


def _given(
    names: Iterable[str], tensors: Iterable[TensorSpec], graph: str, renames: Iterable[Rename]
) -> dict[str, str]:
    """Meaning to blob, as far as the user has said it of blobs on this side of this graph."""
    meanings = {tensor.meaning for tensor in tensors}
    return {
        rename.meaning: rename.blob
        for rename in renames
        if rename.graph in (None, graph) and rename.blob in names and rename.meaning in meanings
    }


def _named(tensors: Iterable[TensorSpec], names: Iterable[str], asked: Mapping[str, str]) -> dict[str, str] | None:
    """Meaning to blob when all of it follows from what the user said or from names that are the meaning itself."""
    blobs = {tensor.meaning: asked.get(tensor.meaning, tensor.meaning) for tensor in tensors}
    complete = len(set(blobs.values())) == len(blobs) and all(blob in names for blob in blobs.values())
    return blobs if complete else None


def _assignments(inputs: Shapes, tensors: Sequence[TensorSpec], asked: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Every way to give the inputs to the tensors that fits what the user and the file's shapes say."""
    for blobs in itertools.permutations(inputs):
        names = dict(zip((tensor.meaning for tensor in tensors), blobs, strict=True))
        shapes_fit = all(inputs[names[tensor.meaning]] in (None, tensor.shape, tensor.shape[1:]) for tensor in tensors)
        if shapes_fit and all(names[meaning] == blob for meaning, blob in asked.items()):
            yield names


def _tried(
    spec: GraphSpec,
    format: str,
    files: Files,
    names: Mapping[str, str],
    outputs: Iterable[str],
    asked: Mapping[str, str],
) -> GraphSpec | None:
    """Run the graph so; its outputs are told apart by their shapes."""
    inputs = _renamed(spec.inputs, names)
    unknown = tuple(TensorSpec(name=blob, meaning=blob, about="", shape=(1,)) for blob in outputs)
    generator = np.random.default_rng(0)
    feed = {tensor.name: generator.standard_normal(tensor.shape).astype(np.float32) for tensor in inputs}
    runner = IsolatedRunner(
        format, files, spec.model_copy(update={"inputs": inputs, "outputs": unknown}), TRIAL_SECONDS
    )
    try:
        arrays = runner.infer(feed)
    except ConversionError as error:
        log.debug("%s with %s: %s", spec.name, names, error)
        return None
    finally:
        runner.stop()
    blobs = {}
    for tensor in spec.outputs:
        free = [blob for blob in arrays if blob not in asked.values()]
        among = [asked[tensor.meaning]] if tensor.meaning in asked else free
        fitting = [blob for blob in among if arrays[blob].shape == tensor.shape]
        fitting = [tensor.meaning] if tensor.meaning in fitting else fitting
        if len(fitting) != 1:
            return None
        blobs[tensor.meaning] = fitting[0]
    return _with_names(spec, names, blobs)


def _with_names(spec: GraphSpec, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> GraphSpec:
    return spec.model_copy(update={"inputs": _renamed(spec.inputs, inputs), "outputs": _renamed(spec.outputs, outputs)})


def _renamed(tensors: Iterable[TensorSpec], names: Mapping[str, str]) -> tuple[TensorSpec, ...]:
    return tuple(tensor.model_copy(update={"name": names[tensor.meaning]}) for tensor in tensors)


def _names(tensors: Iterable[TensorSpec]) -> str:
    return ", ".join(f"{tensor.meaning} {'x'.join(map(str, tensor.shape))}" for tensor in tensors)
