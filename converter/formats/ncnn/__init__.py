"""ncnn: a graph as text and its weights beside it, made by pnnx."""

import re
from pathlib import Path
from typing import Any

from converter.formats.format import Conversion, Format, Job, Shapes
from converter.proof.runner import Runner
from converter.spec.network import GraphSpec

PACKAGES = ("pnnx", "ncnn")


def _start(job: Job) -> Conversion:
    from converter.formats.ncnn.convert import PnnxRun

    options = job.options
    return PnnxRun(
        *(job.traced.torchscript, job.source, job.folder, options.pnnx_timeout, job.process_group),
        half=options.precision == "half",
        release=options.oldest_ncnn,
    )


def _load(files: tuple[Path, ...], graph: GraphSpec) -> Runner:
    from converter.formats.ncnn.runner import NcnnRunner

    param, weights = files
    return NcnnRunner(param, weights, graph)


def _load_inner(files: tuple[Path, ...], graph: GraphSpec) -> Any:
    from converter.formats.ncnn.runner import NcnnRunner

    param, weights = files
    return NcnnRunner(param, weights, graph, any_outputs=True)


def _interface(files: tuple[Path, ...]) -> tuple[Shapes, Shapes]:
    from converter.formats.ncnn.param import load_param

    graph = load_param(files[0])
    return graph.input_shapes(), dict.fromkeys(graph.output_blobs())


FORMAT = Format(
    name="ncnn",
    runtime="ncnn on the CPU, fp32",
    packages=PACKAGES,
    suffixes=(".param", ".bin"),
    legal=re.compile(r"[!#-<>-~]{1,255}"),  # read as a word of at most 255 bytes; pnnx quotes texts
    rule="1 to 255 characters of printable ASCII without blank, quote or =",
    background=True,
    start=_start,
    load=_load,
    load_inner=_load_inner,
    interface=_interface,
    needed=lambda options: PACKAGES,
)
