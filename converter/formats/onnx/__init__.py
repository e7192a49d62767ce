"""ONNX: one file a graph, run by onnxruntime."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from converter.formats.format import Conversion, Format, Job, Shapes, Sharing
from converter.formats.int8 import Quantiser
from converter.formats.moments import Fed
from converter.proof.runner import Runner
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec
from converter.util.content import File

PACKAGES = ("onnx", "onnxsim", "onnxruntime")
DISABLE_QDQ = "session.disable_quant_qdq"


def _start(job: Job) -> Conversion:
    from converter.formats.onnx.convert import OnnxConversion

    options = job.options
    return OnnxConversion(
        *(job.traced.module, job.source, job.folder, options.opset, options.simplify, job.metadata),
        half=options.precision == "half",
    )


def _load(files: Sequence[File], graph: GraphSpec, threads: int = 1, half: bool = False) -> Runner:
    from converter.formats.onnx.runner import OnnxRunner

    file, *beside = files
    return OnnxRunner(file, graph, threads, beside)


def _configured(files: Sequence[File], graph: GraphSpec, threads: int, settings: Mapping[str, str]) -> Runner:
    from converter.formats.onnx.runner import OnnxRunner

    file, *beside = files
    return OnnxRunner(file, graph, threads, beside, settings)


def _load_inner(files: Sequence[File], graph: GraphSpec) -> Any:
    from converter.formats.onnx.runner import OnnxBlobs

    file, *beside = files
    return OnnxBlobs(file, graph, beside)


def _interface(files: Sequence[File]) -> tuple[Shapes, Shapes]:
    from converter.formats.onnx.runner import onnx_interface

    file, *beside = files
    return onnx_interface(file, beside)


def _precision(files: Sequence[File]) -> str | None:
    from converter.formats.onnx.file import stored_precision

    return stored_precision(files[0])


def _beside(file: File) -> tuple[str, ...]:
    from converter.formats.onnx.file import files_beside

    return files_beside(file)


def _needed(options: ExportOptions) -> tuple[str, ...]:
    return PACKAGES if options.simplify else tuple(name for name in PACKAGES if name != "onnxsim")


def _share(folder: Path, stems: Sequence[str], name: str) -> None:
    from converter.formats.onnx.share import share

    share(folder, stems, name)


def _described(options: ExportOptions, models: Sequence[Sequence[File]]) -> dict[str, JsonValue]:
    said: dict[str, JsonValue] = {"opset": options.opset, "simplified": options.simplify}
    return {**said, "session_options": {DISABLE_QDQ: "1"}} if options.precision == "w8" else said


def _notes(files: Sequence[File]) -> Sequence[str]:
    if _precision(files) != "w8":
        return ()
    return (
        f'by default onnxruntime widens its int8 weights in every run; with the session option {DISABLE_QDQ} = "1" '
        "it does so once, when it loads the model",
    )


def _shrink(models: Sequence[Fed]) -> None:
    from converter.formats.onnx.small import shrink

    shrink(models)


def _quantiser(models: Sequence[Fed], in_bytes: Collection[str]) -> Quantiser:
    from converter.formats.onnx.quantiser import OnnxQuantiser

    return OnnxQuantiser(models, in_bytes)


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
    settings=frozenset({DISABLE_QDQ}),  # others read and write files
    configured=_configured,
    interface=_interface,
    needed=_needed,
    precision=_precision,
    beside=_beside,
    described=_described,
    notes=_notes,
    sharing=Sharing(".onnx.data", False, _share),
    shrink=_shrink,
    quantiser=_quantiser,
)
