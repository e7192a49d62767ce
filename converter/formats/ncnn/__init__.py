"""ncnn: a graph as text and its weights beside it, made by pnnx."""

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from converter.errors import UsageError
from converter.formats.format import Conversion, Format, Job, Shapes, Sharing
from converter.formats.int8 import Quantiser
from converter.formats.moments import Fed
from converter.formats.ncnn.release import SHAPE_EXPRESSIONS, installed_release, oldest_release
from converter.proof.runner import Runner
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec
from converter.util.content import File

PACKAGES = ("pnnx", "ncnn")


def _start(job: Job) -> Conversion:
    from converter.formats.ncnn.convert import PnnxRun

    options = job.options
    return PnnxRun(
        *(job.traced.torchscript, job.source, job.folder, options.pnnx_timeout, job.process_group),
        half=options.precision == "half",
        release=options.oldest_ncnn,
    )


def _load(files: Sequence[File], graph: GraphSpec, threads: int = 1, half: bool = False) -> Runner:
    from converter.formats.ncnn.runner import NcnnRunner

    param, weights = files
    return NcnnRunner(param, weights, graph, threads=threads, half=half)


def _load_inner(files: Sequence[File], graph: GraphSpec) -> Any:
    from converter.formats.ncnn.runner import NcnnRunner

    param, weights = files
    return NcnnRunner(param, weights, graph, any_outputs=True)


def _interface(files: Sequence[File]) -> tuple[Shapes, Shapes]:
    from converter.formats.ncnn.param import load_param

    graph = load_param(files[0])
    return graph.input_shapes(), dict.fromkeys(graph.output_blobs())


def _precision(files: Sequence[File]) -> str | None:
    from converter.formats.ncnn.weights import load_model, stored_precision

    param, weights = files
    return stored_precision(load_model(param, weights)[1])


def _check(options: ExportOptions) -> None:
    installed = installed_release()
    if options.oldest_ncnn and installed and options.oldest_ncnn > installed:
        raise UsageError(
            f"--oldest-ncnn {options.oldest_ncnn}: later than the installed ncnn, {installed}, which cannot "
            f"check it; pass {installed} or earlier, or leave it out"
        )
    if options.dynamic_search and options.oldest_ncnn and options.oldest_ncnn < SHAPE_EXPRESSIONS:
        raise UsageError(
            f"--dynamic-search: ncnn {options.oldest_ncnn} is too old for it, expected {SHAPE_EXPRESSIONS} or "
            "later; give it a model for each --search-size, or pass --oldest-ncnn of the runtime it will have"
        )


def _described(options: ExportOptions, models: Sequence[Sequence[File]]) -> dict[str, JsonValue]:
    from converter.formats.ncnn.param import load_param

    releases = [oldest_release(load_param(param)) for param, _ in models]
    dated = [release for release in releases if release is not None]
    return {"oldest_ncnn": max(dated) if dated and len(dated) == len(releases) else None}


def _share(folder: Path, stems: Sequence[str], name: str) -> None:
    from converter.formats.ncnn.share import share

    share(folder, stems, name)


def _shrink(models: Sequence[Fed]) -> None:
    from converter.formats.ncnn.small import shrink

    shrink(models)


def _quantiser(models: Sequence[Fed], in_bytes: Collection[str]) -> Quantiser:
    from converter.formats.ncnn.int8.quantiser import NcnnQuantiser

    return NcnnQuantiser(models, in_bytes)


FORMAT = Format(
    name="ncnn",
    runtime="ncnn on the CPU, fp32",
    packages=PACKAGES,
    split="two",
    suffixes=(".param", ".bin"),
    legal=re.compile(r"[!#-<>-~]{1,255}"),  # read as a word of at most 255 bytes; pnnx quotes texts
    rule="1 to 255 characters of printable ASCII without blank, quote or =",
    background=True,
    start=_start,
    load=_load,
    load_inner=_load_inner,
    interface=_interface,
    needed=lambda options: PACKAGES,
    precision=_precision,
    described=_described,
    check=_check,
    half=True,
    part_of_graph=True,
    sharing=Sharing(".bin", True, _share),
    shrink=_shrink,
    quantiser=_quantiser,
)
