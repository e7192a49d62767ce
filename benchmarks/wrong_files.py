"""The files of a model with a fault in one layer."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from benchmarks.wrong_faults import Fault
from benchmarks.wrong_graphs import Step, Steps
from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.weights import Stored, load_model
from converter.spec.model import Model

RIGHT = "right"  # the blob before the clamp
LARGEST = float(np.finfo(np.float32).max)


def write_wrong(folder: Path, models: Sequence[Model], steps: Steps, fault: Fault, target: Path) -> None:
    """All models, one of them with the fault."""
    step = steps.steps[fault.step]
    for model in models:
        for right in model.paths(folder):
            shutil.copy(right, target)
        if model.graph.name == step.graph:
            write = _write_ncnn if model.format == "ncnn" else _write_onnx
            write(model.paths(target), step, fault)


def _bounds(fault: Fault) -> tuple[float, float]:
    return max(fault.low, -LARGEST), min(fault.high, LARGEST)


def _write_ncnn(files: Sequence[Path], step: Step, fault: Fault) -> None:
    graph, stored = load_model(*files)
    place = next(index for index, layer in enumerate(graph.layers) if layer.name == step.layer)
    if fault.clamps:
        layers, (blob,) = list(graph.layers), graph.layers[place].outputs
        low, high = _bounds(fault)
        layers[place] = replace(layers[place], outputs=(RIGHT,))
        layers.insert(place + 1, Layer("Clip", "clamped", (RIGHT,), (blob,), (f"0={low:.9e}", f"1={high:.9e}")))
        files[0].write_text(NcnnGraph(tuple(layers)).text())
        return
    changed = fault.changed(step.weights)

    def change(index: int, array: Stored) -> Stored:
        return array.with_values(changed[array.role].numpy(), array.tag) if index == place else array

    files[1].write_bytes(stored.mapped(change).data())


def _write_onnx(files: Sequence[Path], step: Step, fault: Fault) -> None:
    model = onnx.load(files[0])
    graph = model.graph
    place, node = next((index, node) for index, node in enumerate(graph.node) if node.name == step.layer)
    if fault.clamps:
        blob = node.output[0]
        node.output[0] = RIGHT
        for name, bound in zip(("low", "high"), _bounds(fault), strict=True):
            graph.initializer.append(onnx.numpy_helper.from_array(np.float32(bound), f"clamped_{name}"))
        clip = onnx.helper.make_node("Clip", [RIGHT, "clamped_low", "clamped_high"], [blob], name="clamped")
        graph.node.insert(place + 1, clip)
    else:
        constants = {array.name for array in graph.initializer}
        names = [index for index, name in enumerate(node.input) if name in constants]
        for index, (role, array) in zip(names, fault.changed(step.weights).items(), strict=True):
            node.input[index] = f"changed_{role}"
            graph.initializer.append(onnx.numpy_helper.from_array(array.numpy(), f"changed_{role}"))
    onnx.save(model, files[0])
