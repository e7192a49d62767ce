"""RKNN: one file a graph for the NPU of a Rockchip chip, and beside it the ONNX file that it was built from.

Rockchip's toolkit builds them and simulates them on this PC, in a Python of its own that ``lt-setup rknn`` makes.
"""

import re
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import JsonValue

from converter.errors import UsageError
from converter.formats.format import Conversion, Format, Job, Shapes
from converter.formats.int8 import Quantiser
from converter.formats.moments import Fed
from converter.formats.onnx import DISABLE_QDQ
from converter.formats.rknn.root import rknn_root
from converter.formats.rknn.targets import check_target, targets
from converter.proof.runner import Runner
from converter.spec.choices import INT8
from converter.spec.options import ExportOptions
from converter.spec.tensors import GraphSpec
from converter.util.content import File

PACKAGES = ("onnxsim", "onnx")


def _start(job: Job) -> Conversion:
    from converter.formats.rknn.convert import RknnConversion

    assert job.options.rknn is not None  # _check() saw to it
    return RknnConversion(job, job.options.rknn, rknn_root(), job.options.network.preprocess.of_bytes())


def _load(files: Sequence[File], graph: GraphSpec, threads: int = 1, half: bool = False) -> Runner:
    from converter.formats.rknn.runner import RknnRunner

    file, source = files
    return RknnRunner(file, source, graph)


def _load_inner(files: Sequence[File], graph: GraphSpec) -> Any:
    from converter.formats.rknn.runner import RknnBlobs

    return RknnBlobs(files[1], graph)


def _interface(files: Sequence[File]) -> tuple[Shapes, Shapes]:
    from converter.formats.rknn.recipe import interface

    return interface(files[1])


def _precision(files: Sequence[File]) -> str | None:
    from converter.formats.onnx.file import stored_precision
    from converter.formats.rknn.recipe import read_recipe

    read_recipe(files[1])
    return INT8 if stored_precision(files[1]) == INT8 else "half"


def _notes(files: Sequence[File]) -> list[str]:
    from converter.formats.rknn.recipe import read_recipe

    return read_recipe(files[1]).notes()


def _needed(options: ExportOptions) -> tuple[str, ...]:
    return PACKAGES if options.simplify else PACKAGES[1:]


def _described(options: ExportOptions, models: Sequence[Sequence[File]]) -> dict[str, JsonValue]:
    from converter.formats.rknn.recipe import about, read_recipe

    recipe = read_recipe(models[0][1])
    return {
        "opset": options.opset,
        "simplified": options.simplify,
        "target": recipe.target,
        "toolkit": recipe.toolkit,
        "normalise": "outside" if recipe.images is None else "inside",
        "graphs": [about(source) for _, source in models],
    }


def _check(options: ExportOptions) -> None:
    if options.rknn is None:
        raise UsageError(f"--format rknn: pass --target CHIP, one of {', '.join(targets()['half'])}")
    check_target(options.rknn.target)
    if len(options.formats) > 1:
        others = " and ".join(name for name in options.formats if name != "rknn")
        raise UsageError(
            f"--format rknn beside {others}: its models compute in half; export {others} in a run of its own"
        )
    if options.precision not in ("half", INT8):
        raise UsageError(f"--precision {options.precision}: an NPU computes in half; leave it out")
    if options.dynamic_search:
        raise UsageError("--dynamic-search: an .rknn has one size; pass --search-size, once for each")
    split = options.split_of("rknn")
    if split in options.network.read_from:
        others = " or ".join(name for name in options.network.splits if name not in options.network.read_from)
        raise UsageError(f"--split {split}: expected {others} for rknn, whose files have one size")


def _quantiser(models: Sequence[Fed], in_bytes: Collection[str]) -> Quantiser:
    from converter.formats.rknn.quantiser import RknnQuantiser

    return RknnQuantiser(models, in_bytes)


def _load_draft(files: Sequence[File], graph: GraphSpec) -> Runner:
    from converter.formats.onnx.runner import OnnxRunner

    # in integers, a processor without the instructions for it cuts off what an NPU does not
    return OnnxRunner(files[-1], graph, settings={DISABLE_QDQ: "1"})


FORMAT = Format(
    name="rknn",
    runtime="Rockchip's simulator, simulated on this PC: no NPU was run",
    packages=PACKAGES,
    split="three",
    suffixes=(".rknn", ".rknn.onnx"),
    legal=re.compile(r"[!#-<>-~]+"),
    rule="printable ASCII without blank, quote or =",
    background=True,
    start=_start,
    load=_load,
    load_inner=_load_inner,
    interface=_interface,
    needed=_needed,
    precision=_precision,
    described=_described,
    check=_check,
    ready=rknn_root,
    halves=True,
    judged_as="rknn",
    seconds=1800.0,
    simulated="simulated on this PC",
    notes=_notes,
    quantiser=_quantiser,
    sources=(".rknn.onnx",),
    load_draft=_load_draft,
)
