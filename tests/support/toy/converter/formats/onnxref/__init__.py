"""A toy format: ONNX under a suffix of its own, run by the reference evaluator in the package onnx."""

import re
from collections.abc import Sequence
from typing import Any

from converter.formats.format import Conversion, Format, Job, Shapes
from converter.proof.runner import Runner
from converter.spec.tensors import GraphSpec
from converter.util.content import File


def _start(job: Job) -> Conversion:
    from converter.formats.onnxref.convert import Export

    return Export(job)


def _load(files: Sequence[File], graph: GraphSpec, threads: int = 1, half: bool = False) -> Runner:
    from converter.formats.onnxref.runner import ReferenceRunner

    return ReferenceRunner(files[0], graph)


def _load_inner(files: Sequence[File], graph: GraphSpec) -> Any:
    from converter.formats.onnxref.runner import ReferenceRunner

    return ReferenceRunner(files[0], graph)


def _interface(files: Sequence[File]) -> tuple[Shapes, Shapes]:
    from converter.formats.onnxref.runner import interface

    return interface(files[0])


FORMAT = Format(
    name="onnxref",
    runtime="onnx's reference evaluator",
    packages=("onnx",),
    split="three",
    suffixes=(".onnxref",),
    legal=re.compile(r"\w+"),
    rule="letters, digits and underscores",
    background=False,
    start=_start,
    load=_load,
    load_inner=_load_inner,
    interface=_interface,
    precision=lambda files: "fp32",
    needed=lambda options: ("onnx",),
    described=lambda options, models: {"models": len(models)},
)
