"""Converted models damaged on purpose, and equal models as other converters write them."""

import copy
from dataclasses import replace

import numpy as np
import onnx
from onnx import numpy_helper

from converter.formats.ncnn.layer import Layer
from converter.formats.ncnn.param import NcnnGraph
from converter.formats.ncnn.weights import NcnnWeights, read_bin

TAG = 4
INSERTED = "inserted"


def with_params(layer, **changes):
    """The layer with parameters ``p0=...``, ``p9=...`` set."""
    keys = {key[1:]: value for key, value in changes.items()}
    kept = tuple(word for word in layer.params if word.partition("=")[0] not in keys)
    return replace(layer, params=(*kept, *(f"{key}={value}" for key, value in keys.items())))


class Ncnn:
    """An ncnn model that can be damaged; weights as one array per layer that has some (tag included, as raw words)."""

    def __init__(self, graph: NcnnGraph, data: bytes):
        self.layers = list(graph.layers)
        self.weights = {}
        for layer, arrays in zip(self.layers, read_bin(graph, data, "model.bin").arrays, strict=True):
            if stored := NcnnWeights((arrays,)).data():
                self.weights[layer.name] = np.frombuffer(stored, np.float32).copy()

    def find(self, type, nth=0, inputs=None):
        return [one for one in self.layers if one.type == type and inputs in (None, len(one.inputs))][nth]

    def put(self, old, new):
        self.layers[self.layers.index(old)] = new
        return new

    def set(self, layer, **changes):
        self.put(layer, with_params(layer, **changes))
        return layer.name

    def become(self, layer, type, *params):
        """The same name and blobs, but something else."""
        self.put(layer, replace(layer, type=type, params=params))
        if type not in ("BatchNorm", "Convolution"):
            self.weights.pop(layer.name, None)
        return layer.name

    def remove(self, layer, keep=0):
        """Take a layer out; what read it reads one of its inputs. Blobs that are read by nothing then are dropped."""
        self.layers.remove(layer)
        self.weights.pop(layer.name, None)
        source, (gone,) = layer.inputs[keep], layer.outputs
        swap = {source: gone} if gone in ("zf", "cls", "reg", "xf") else {gone: source}
        lost = set(layer.inputs) - {source}
        self.layers = [
            replace(
                one,
                inputs=tuple(swap.get(blob, blob) for blob in one.inputs),
                outputs=tuple(swap.get(blob, blob) for blob in one.outputs if one.type != "Split" or blob not in lost),
            )
            for one in self.layers
        ]
        return self.origin(swap.get(source, source))

    def origin(self, blob):
        """Name of the layer behind a blob, past Splits."""
        while (layer := next(one for one in self.layers if blob in one.outputs)).type == "Split":
            blob = layer.inputs[0]
        return layer.name

    def insert(self, layer, type, *params):
        """Something that is not in the network, behind a layer."""
        (blob,) = layer.outputs
        place = self.layers.index(self.put(layer, replace(layer, outputs=("between",))))
        self.layers.insert(place + 1, Layer(type, INSERTED, ("between",), (blob,), params))
        return INSERTED

    def write(self, folder):
        """The two files."""
        files = folder / "m.param", folder / "m.bin"
        files[0].write_text(NcnnGraph(tuple(self.layers)).text())
        files[1].write_bytes(
            b"".join(self.weights[one.name].tobytes() for one in self.layers if one.name in self.weights)
        )
        return files


def as_others_write_it(model: Ncnn, seed: int) -> Ncnn:
    """The same function: Swish and HardSigmoid in parts, activations apart, 1x1 convolutions for InnerProducts,
    no norm folded, 1/6 for a division, layers in another order, and no name as it was."""
    random = np.random.default_rng(seed)
    other = copy.deepcopy(model)
    other.layers, fresh = [], iter(f"n{index}" for index in range(10**6))
    for layer in model.layers:
        other.layers += _rewritten(layer, other.weights, fresh, random)
    ready, order = set(), []
    waiting = list(other.layers)
    while waiting:
        able = [one for one in waiting if ready.issuperset(one.inputs)]
        order.append(able[random.integers(len(able))])
        waiting.remove(order[-1])
        ready.update(order[-1].outputs)
    kept = {"z", "x", "zf", "xf", "cls", "reg"}
    blobs = {blob: f"{index + 500}" for index, blob in enumerate(sorted(ready - kept))}
    names = {one.name: f"l{number}" for one, number in zip(order, random.permutation(len(order)), strict=True)}
    other.weights = {names[name]: words for name, words in other.weights.items()}
    other.layers = [
        replace(
            one,
            name=names[one.name],
            inputs=tuple(blobs.get(blob, blob) for blob in one.inputs),
            outputs=tuple(blobs.get(blob, blob) for blob in one.outputs),
        )
        for one in order
    ]
    return other


def _rewritten(layer, weights, fresh, random):
    name = layer.name
    if layer.type == "Swish":
        a, b, c = next(fresh), next(fresh), next(fresh)
        both = (a, c) if random.random() < 0.5 else (c, a)
        return [
            Layer("Split", f"{name}_split", layer.inputs, (a, b), ()),
            Layer("Sigmoid", f"{name}_sigmoid", (b,), (c,), ()),
            Layer("BinaryOp", name, both, layer.outputs, ("0=2",)),
        ]
    if layer.type == "HardSigmoid":
        a, b = next(fresh), next(fresh)
        return [
            Layer("BinaryOp", f"{name}_add", layer.inputs, (a,), ("0=0", "1=1", "2=3.0")),
            Layer("Clip", f"{name}_clip", (a,), (b,), ("0=0.0", "1=6.0")),
            Layer("BinaryOp", name, (b,), layer.outputs, ("0=2", "1=1", "2=0.16666667")),
        ]
    if layer.type not in ("Convolution", "ConvolutionDepthWise", "InnerProduct"):
        return [layer]
    rest = []
    if fused := layer.param(9):
        blob = next(fresh)
        rest = [Layer({1: "ReLU", 4: "Sigmoid"}[fused], f"{name}_act", (blob,), layer.outputs, ())]
        layer = with_params(replace(layer, outputs=(blob,)), p9=0)
    if layer.type == "InnerProduct":
        outputs, bias, size = layer.param(0), layer.param(1), layer.param(2)
        params = (f"0={outputs}", "1=1", f"5={bias}", f"6={size}")
        return [replace(layer, type="Convolution", params=params), *rest]
    if layer.param(5):
        layer, norm = _unfolded(layer, weights, next(fresh), random)
        rest = [norm, *rest]
    return [layer, *rest]


def _unfolded(layer, weights, blob, random):
    """A convolution with bias as one without and a batch norm with made-up statistics."""
    outputs, words = layer.param(0), weights[layer.name]
    kernel, bias = words[1 : 1 + layer.param(6)].reshape(outputs, -1), words[1 + layer.param(6) :]
    slope, var = (random.uniform(0.5, 1.5, outputs).astype(np.float32) for _ in range(2))
    mean = random.standard_normal(outputs).astype(np.float32)
    factor = slope / np.sqrt(var + np.float32(1e-5))
    weights[layer.name] = np.concatenate([words[:1], (kernel / factor[:, None]).ravel()])
    weights[f"{layer.name}_norm"] = np.concatenate([slope, mean, var, bias + mean * factor])
    norm = Layer("BatchNorm", f"{layer.name}_norm", (blob,), layer.outputs, (f"0={outputs}", "1=1e-5"))
    return with_params(replace(layer, outputs=(blob,)), p5=0), norm


class Onnx:
    """An ONNX model that can be damaged."""

    def __init__(self, model: onnx.ModelProto):
        self.model = copy.deepcopy(model)
        self.graph = self.model.graph

    @property
    def weights(self):
        return {one.name: one for one in self.graph.initializer}

    def find(self, type, nth=0, constants=None):
        """A node by type, or by type and number of constants it reads."""
        known = self.weights
        found = [one for one in self.graph.node if one.op_type == type]
        if constants is not None:
            found = [one for one in found if sum(name in known for name in one.input) == constants]
        return found[nth]

    def weight(self, node, position, change):
        """Another array for one of the node's constants; other nodes keep the old one."""
        array = numpy_helper.to_array(self.weights[node.input[position]])
        changed = np.array(change(array.copy()), dtype=array.dtype)
        node.input[position] += "_changed"
        self.graph.initializer.append(numpy_helper.from_array(changed, node.input[position]))
        return node.name

    def attribute(self, node, name, *values):
        one = next(one for one in node.attribute if one.name == name)
        del one.ints[:]
        one.ints.extend(values)
        return node.name

    def become(self, node, type):
        """The same name and output, but something else that reads one tensor."""
        read = next(name for name in node.input if name not in self.weights)
        node.op_type = type
        for field in (node.input, node.attribute):
            del field[:]
        node.input.append(read)
        return node.name

    def remove(self, node, keep=0):
        """Take a node out; what read it reads one of its inputs."""
        read = [name for name in node.input if name not in self.weights][keep]
        (gone,) = node.output
        self.graph.node.remove(node)
        given = {one.name for one in self.graph.output}
        old, new = (read, gone) if gone in given else (gone, read)
        for one in self.graph.node:
            for field in (one.input, one.output):
                field[:] = [new if name == old else name for name in field]
        return next(one.name for one in self.graph.node if new in one.output)

    def insert(self, node, type):
        (blob,) = node.output
        node.output[0] = "between"
        place = list(self.graph.node).index(node)
        self.graph.node.insert(place + 1, onnx.helper.make_node(type, ["between"], [blob], name=INSERTED))
        return INSERTED

    def without_names(self):
        """The exporter's names lost: nodes have none, tensors have numbers."""
        kept = {one.name for one in (*self.graph.input, *self.graph.output)}
        names = {}
        for one in self.graph.initializer:
            one.name = names.setdefault(one.name, f"w{len(names)}")
        for node in self.graph.node:
            node.name = ""
            for field in (node.input, node.output):
                field[:] = [
                    name if name in kept or not name else names.setdefault(name, f"t{len(names)}") for name in field
                ]
        del self.graph.value_info[:]

    def write(self, folder):
        path = folder / "m.onnx"
        onnx.save(self.model, path)
        return (path,)
