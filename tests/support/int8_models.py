"""ncnn models of a few layers with seeded weights, and quantisers of them."""

import numpy as np

from converter.formats.moments import Fed
from converter.formats.ncnn.param import read_param
from converter.formats.ncnn.slots import slots_of
from converter.formats.ncnn.weights import RAW
from converter.spec.tensors import GraphSpec, TensorSpec


def tensor(name, shape):
    return TensorSpec(name=name, meaning=name, about=name, shape=(1, *shape))


def graph_of(inputs, outputs, name="update"):
    """Names to shapes without the batch axis."""
    tensors = [tuple(tensor(*each) for each in side.items()) for side in (inputs, outputs)]
    return GraphSpec(name=name, family="lighttrack", mode=name, inputs=tensors[0], outputs=tensors[1])


def write_model(folder, layers, name="a", seed=0):
    """Files of layers, a line each, with weights of the size that keeps a signal's."""
    blobs = sum(int(line.split()[3]) for line in layers)
    text = "\n".join(["7767517", f"{len(layers)} {blobs}", *layers, ""])
    generator, parts = np.random.default_rng(seed), []
    for layer in read_param(text, name).layers:
        for slot in slots_of(layer):
            spread = (slot.count / layer.param(0, 1)) ** -0.5 if slot.tagged else 0.1
            parts.append(RAW.to_bytes(4, "little") if slot.tagged else b"")
            parts.append((generator.standard_normal(slot.count) * spread).astype(np.float32).tobytes())
    (folder / f"{name}.param").write_text(text)
    (folder / f"{name}.bin").write_bytes(b"".join(parts))
    return folder / f"{name}.param", folder / f"{name}.bin"


def noise(shape, seed=0):
    return np.random.default_rng(seed).standard_normal((1, *shape)).astype(np.float32)


def fed_of(folder, layers, inputs, outputs, name="update", feeds=3):
    """A model in a folder with what it is shown."""
    files = write_model(folder, layers, name)
    shown = [{each: noise(shape, seed) for each, shape in inputs.items()} for seed in range(feeds)]
    return Fed(files, graph_of(inputs, outputs, name), shown)
