"""ONNX: one file a graph, run by onnxruntime."""

import re
from pathlib import Path
from typing import Any

from converter.formats.format import Conversion, Format, Job, Shapes
from converter.proof.runner import Runner
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec

PACKAGES = ("onnx", "onnxsim", "onnxruntime")


def _start(job: Job) -> Conversion:
    from converter.formats.onnx.convert import OnnxConversion

    options = job.options
    return OnnxConversion(
        *(job.traced.module, job.source, job.folder, options.opset, options.simplify, job.metadata),
        half=options.precision == "half",
    )


def _load(files: tuple[Path, ...], graph: GraphSpec, threads: int = 1, half: bool = False) -> Runner:
    from converter.formats.onnx.runner import OnnxRunner

    (path,) = files
    return OnnxRunner(path, graph, threads=threads)


def _load_inner(files: tuple[Path, ...], graph: GraphSpec) -> Any:
    from converter.formats.onnx.runner import OnnxBlobs

    (path,) = files
    return OnnxBlobs(path, graph)


def _interface(files: tuple[Path, ...]) -> tuple[Shapes, Shapes]:
    from converter.formats.onnx.runner import onnx_interface

    return onnx_interface(*files)


def _needed(options: ExportOptions) -> tuple[str, ...]:
    return PACKAGES if options.simplify else tuple(name for name in PACKAGES if name != "onnxsim")


FORMAT = Format(
    name="onnx",
    runtime="onnxruntime on the CPU",
    packages=PACKAGES,
    split="three",
    suffixes=(".onnx",),
    legal=re.compile(r"[!#-<>-~]+"),  # as ncnn, without a limit
    rule="printable ASCII without blank, quote or =",
    background=False,
    start=_start,
    load=_load,
    load_inner=_load_inner,
    interface=_interface,
    needed=_needed,
    described=lambda options, models: {"opset": options.opset, "simplified": options.simplify},
)
