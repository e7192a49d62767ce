"""The formats an export can have, found by name: how a graph is converted to each, and what runs the result.

Importing one does not import its runtime; converting to it and loading it does.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from pydantic import JsonValue

from converter import formats
from converter.errors import UsageError, did_you_mean
from converter.formats.int8 import Quantiser
from converter.formats.moments import Fed
from converter.formats.source import Source
from converter.proof.runner import Runner
from converter.spec.arguments import names_of
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.model import Model
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec
from converter.util.content import File
from converter.util.folders import packages_in
from converter.util.packages import check_installed

Shapes = dict[str, tuple[int, ...] | None]


class Conversion(Protocol):
    """A graph on its way to a format."""

    def result(self) -> tuple[Path, ...]:
        """The finished files, in the folder of the job, proved to be there."""

    def stop(self) -> None:
        """End what still runs for it."""


@dataclass(frozen=True)
class Traced:
    """A graph as TorchScript, from :func:`converter.network.trace.trace`."""

    module: Any

    @cached_property
    def torchscript(self) -> bytes:
        """As a file, written once for all who want it."""
        from converter.network.trace import saved

        return saved(self.module)


@dataclass(frozen=True)
class Job:
    """One traced graph to convert.

    Attributes:
        traced: the graph as TorchScript, from :func:`converter.network.trace.trace`.
        source: what is to become of it.
        folder: for its files.
        options: of the export.
        metadata: what a file that can say something about itself should say.
        process_group: for child processes.
    """

    traced: Traced
    source: Source
    folder: Path
    options: ExportOptions
    metadata: dict[str, str]
    process_group: int | None


@dataclass(frozen=True)
class Sharing:
    """How several models of a format read one weights file.

    Attributes:
        suffix: of the file.
        from_start: whether a runtime reads it from its first byte on, so that it serves models only one of whose
            weights begin with the other's.
        write: (folder, the models' names without suffix, name of the file) -> None: write it, and the models anew where
            that takes it. Raises ConversionError for models that cannot read one file.
    """

    suffix: str
    from_start: bool
    write: Callable[[Path, Sequence[str], str], None]


class Load(Protocol):
    """A model's files and its graph to something that runs."""

    def __call__(self, files: Sequence[File], graph: GraphSpec, threads: int = 1, half: bool = False) -> Runner: ...


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: as on the command line.
        runtime: what runs it, in words.
        packages: importable names it needs, the runtime last.
        split: into which graphs, where neither the user nor the config says.
        suffixes: of a model's files, that of the one to name first.
        legal: pattern of the names that tensors can have in its files.
        rule: the same in words.
        background: whether a conversion goes on by itself, in a process of its own.
        start: begin to convert.
        load: with so many threads; in half precision only where ``half`` says that the runtime computes in it.
        load_inner: likewise, to what gives any of its blobs, also of a damaged graph.
        needed: (options) -> which of the packages an export takes.
        interface: its files to the inputs and the outputs found in them, name to shape (None where the file is silent).
        precision: (files) -> how their weights are stored, "fp32" or "half" where all of them are; None where there is
            nothing to store so or so. Raises ConversionError for files that cannot be read.
        beside: (a model's first file) -> names of further files that it reads, from its folder.
        described: (options, every model's files) -> what the manifest says of the format's models besides.
        check: raises UsageError for options that it cannot serve.
        half: whether its runtime can compute in half precision.
        part_of_graph: whether its runtime computes only the outputs that are asked for, so that one file can hold
            several graphs.
        ready: raises DependencyError where what it needs beyond Python packages is not set up; None where that is
            nothing, and its runtime is the last of the packages.
        halves: whether its files have half weights where nobody asks for others.
        judged_as: key of the tolerances of configs for the precision that its runtime computes in; empty for float32,
            where the precision of the weights is the key.
        settings: names of what a manifest may set of its runtime besides; what is not named here is not done.
        configured: (files, graph, threads, settings) -> as load, with some of these; None where there are none.
        seconds: that one call of its runtime may take.
        simulated: where its runtime is no device's own, in a phrase; empty where what runs here runs there.
        notes: (a model's files) -> what is to be known of it on its device and cannot be told here, a line each.
        sharing: how several of its models read one weights file; None where each holds its own.
        shrink: (models with what they are shown) -> None: write them anew with a byte for each weight; None where its
            files cannot hold such weights. Raises ConversionError.
        quantiser: (models with what they are shown, names of graphs whose weights only become bytes) -> what makes
            them int8; None where nothing does. Raises ConversionError.
        sources: ends of those of a model's files that say what it was built from, and that no device takes.
        load_draft: as ``load``, what a quantiser drafts, which answers nearly as the model does, and much sooner; None
            where drafts are models.
    """

    name: str
    runtime: str
    packages: tuple[str, ...]
    split: str
    suffixes: tuple[str, ...]
    legal: re.Pattern[str]
    rule: str
    background: bool
    start: Callable[[Job], Conversion]
    load: Load
    load_inner: Callable[[Sequence[File], GraphSpec], Any]
    interface: Callable[[Sequence[File]], tuple[Shapes, Shapes]]
    needed: Callable[[ExportOptions], tuple[str, ...]]
    precision: Callable[[Sequence[File]], str | None]
    beside: Callable[[File], tuple[str, ...]] = lambda file: ()
    described: Callable[[ExportOptions, Sequence[Sequence[File]]], dict[str, JsonValue]] = lambda options, files: {}
    check: Callable[[ExportOptions], None] = lambda options: None
    half: bool = False
    part_of_graph: bool = False
    ready: Callable[[], object] | None = None
    halves: bool = False
    judged_as: str = ""
    settings: frozenset[str] = frozenset()
    configured: Callable[[Sequence[File], GraphSpec, int, Mapping[str, str]], Runner] | None = None
    seconds: float = 60.0
    simulated: str = ""
    notes: Callable[[Sequence[File]], Sequence[str]] = lambda files: ()
    sharing: Sharing | None = None
    shrink: Callable[[Sequence[Fed]], None] | None = None
    quantiser: Callable[[Sequence[Fed], Collection[str]], Quantiser] | None = None
    sources: tuple[str, ...] = ()
    load_draft: Callable[[Sequence[File], GraphSpec], Runner] | None = None


def format_names() -> list[str]:
    """The folders beside this file."""
    return list(packages_in(formats.__name__))


def format_of(name: str) -> Format:
    """The format ``FORMAT`` of the folder with that name.

    Raises:
        UsageError: when there is none.
    """
    names = format_names()
    if name not in names:
        raise UsageError(f"--format {name}: expected one of {', '.join(names)}{did_you_mean(name, names)}")
    form: Format = import_module(f"{formats.__name__}.{name}").FORMAT
    return form


def checked_formats(given: str | Sequence[str] | None) -> tuple[str, ...]:
    """Formats that were asked for, each once; empty where none was.

    Raises:
        UsageError: for an unknown one, and for several in one word.
    """
    names = format_names()
    for name in names_of(given):
        if (several := name.split(","))[1:] and {*several} <= {*names}:
            raise UsageError(f"--format {name}: pass {' '.join(f'--format {each}' for each in several)}")
    return tuple(format_of(name).name for name in names_of(given))


def default_splits() -> dict[str, str]:
    """Format to its split."""
    return {name: format_of(name).split for name in format_names()}


def host_runtimes() -> dict[str, str]:
    """What runs models on this machine, by its package, and the format that each runs."""
    return {form.packages[-1]: form.name for form in map(format_of, format_names()) if form.ready is None}


def formats_of_halves() -> tuple[str, ...]:
    """Formats whose models have half weights unless somebody asks for others."""
    return tuple(form.name for form in map(format_of, format_names()) if form.halves)


def simulated(formats: Sequence[str]) -> str:
    """What is to be said of models of these formats that were verified here; empty where that is all."""
    return next((form.simulated for form in map(format_of, formats) if form.simulated), "")


def notes_on(models: Mapping[Model, Sequence[File]]) -> tuple[str, ...]:
    """What is to be known of models on their device, a line each.

    Args:
        models: with their files, which are sound.
    """
    return tuple(f"{model}: {line}" for model, files in models.items() for line in format_of(model.format).notes(files))


def judged_as(formats: Sequence[str], precision: str) -> str:
    """The key of configs' tolerances for models of these formats.

    Args:
        precision: of their weights. Those that are judged by their boxes are so in every format.
    """
    if precision in JUDGED_BY_BOXES:
        return precision
    return next((form.judged_as for form in map(format_of, formats) if form.judged_as), precision)


def check_dependencies(options: ExportOptions) -> None:
    """Look for the packages without importing them.

    Raises:
        DependencyError: naming what is missing and how to install it.
    """
    for name in options.formats:
        check_installed(["torch", *format_of(name).needed(options)], f"--format {name}")
        if ready := format_of(name).ready:
            ready()


def check_runtime(format: str) -> None:
    """Look for what runs a format.

    Raises:
        DependencyError: as :func:`check_dependencies`.
    """
    form = format_of(format)
    check_installed([form.packages[-1]], f"--format {format}")
    if form.ready:
        form.ready()
