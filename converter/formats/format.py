"""The formats an export can have: how a graph is converted to each, and what runs the result.

The only place that tells formats apart; nothing here imports a runtime before it is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from converter.errors import DependencyError
from converter.formats.source import Source
from converter.proof.runner import Runner
from converter.spec.network import GraphSpec
from converter.spec.options import ExportOptions

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

    traced: "Traced"
    source: Source
    folder: Path
    options: ExportOptions
    metadata: dict[str, str]
    process_group: int | None


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: as on the command line.
        runtime: what runs it, in words.
        packages: importable names it needs, the runtime last.
        suffixes: of a model's files.
        background: whether a conversion goes on by itself, in a process of its own.
        start: begin to convert.
        load: its files and graph to something that runs.
        load_inner: likewise, to what gives any of its blobs, also of a damaged graph.
        interface: its files to the inputs and the outputs found in them, name to shape (None where the file is silent).
    """

    name: str
    runtime: str
    packages: tuple[str, ...]
    suffixes: tuple[str, ...]
    background: bool
    start: Callable[[Job], Conversion]
    load: Callable[[tuple[Path, ...], GraphSpec], Runner]
    load_inner: Callable[[tuple[Path, ...], GraphSpec], Any]
    interface: Callable[[tuple[Path, ...]], tuple[Shapes, Shapes]]


def _start_ncnn(job):
    from converter.formats.ncnn.convert import PnnxRun

    options = job.options
    return PnnxRun(
        *(job.traced.torchscript, job.source, job.folder, options.pnnx_timeout, job.process_group),
        half=options.precision == "half",
        release=options.oldest_ncnn,
    )


def _load_ncnn(files, graph):
    from converter.formats.ncnn.runner import NcnnRunner

    return NcnnRunner(*files, graph)


def _load_inner_ncnn(files, graph):
    from converter.formats.ncnn.runner import NcnnRunner

    return NcnnRunner(*files, graph, any_outputs=True)


def _ncnn_interface(files):
    from converter.formats.ncnn.param import load_param

    graph = load_param(files[0])
    return graph.input_shapes(), dict.fromkeys(graph.output_blobs())


def _start_onnx(job):
    from converter.formats.onnx.convert import OnnxConversion

    options = job.options
    return OnnxConversion(
        *(job.traced.module, job.source, job.folder, options.opset, options.simplify, job.metadata),
        half=options.precision == "half",
    )


def _load_onnx(files, graph):
    from converter.formats.onnx.runner import OnnxRunner

    return OnnxRunner(*files, graph)


def _load_inner_onnx(files, graph):
    from converter.formats.onnx.runner import OnnxBlobs

    return OnnxBlobs(*files, graph)


def _onnx_interface(files):
    from converter.formats.onnx.runner import onnx_interface

    return onnx_interface(*files)


FORMATS = {
    format.name: format
    for format in (
        Format(
            "ncnn",
            "ncnn on the CPU, fp32",
            ("pnnx", "ncnn"),
            (".param", ".bin"),
            True,
            _start_ncnn,
            _load_ncnn,
            _load_inner_ncnn,
            _ncnn_interface,
        ),
        Format(
            "onnx",
            "onnxruntime on the CPU",
            ("onnx", "onnxsim", "onnxruntime"),
            (".onnx",),
            False,
            _start_onnx,
            _load_onnx,
            _load_inner_onnx,
            _onnx_interface,
        ),
    )
}


def check_dependencies(options: ExportOptions) -> None:
    """Look for the packages without importing them.

    Raises:
        DependencyError: naming what is missing and how to install it.
    """
    unused = () if options.simplify else ("onnxsim",)
    for format in (FORMATS[name] for name in options.formats):
        _check_packages(format.name, [name for name in ("torch", *format.packages) if name not in unused])


def check_runtime(format: str) -> None:
    """Look for what runs a format.

    Raises:
        DependencyError: as :func:`check_dependencies`.
    """
    _check_packages(format, [FORMATS[format].packages[-1]])


def _check_packages(format, needed):
    missing = [package for package in needed if not _installed(package)]
    if missing:
        names, command = " and ".join(missing), f"pip install {' '.join(missing)}"
        raise DependencyError(f"--format {format} needs {names}, not installed here: {command}")


def _installed(package):
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False
