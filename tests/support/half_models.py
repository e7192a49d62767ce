"""An export whose numbers in half are looked at, and made to overflow."""

from pathlib import Path

from comparisons import comparison_of

from converter.checks.half.analysis import fp16_report
from converter.families.dimensions import dimensions_of
from converter.formats.ncnn.param import load_param
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.weights import load_model
from converter.spec.config import network_for
from converter.spec.options import ExportOptions


def specs(**overrides):
    """The graphs that an export with these keys of the config has."""
    arch, network = network_for(None, None, overrides)
    options = ExportOptions(arch=arch, checkpoint=Path("a"), output=Path("b"), network=network)
    return network.graph_specs("two", dimensions_of(options.network))


class Model:
    """An export's two graphs in a folder of their own."""

    def __init__(self, folder, graphs):
        self.folder, self.graphs = folder, graphs

    def files(self, graph):
        return tuple(self.folder / f"lighttrack_{graph}.{end}" for end in ("param", "bin"))

    def runners(self):
        return {graph.name: NcnnRunner(*self.files(graph.name), graph) for graph in self.graphs}

    def report(self, feeds, answers=None):
        comparison = comparison_of(self.graphs, feeds, answers or [{}] * len(feeds), named="lighttrack_{}")
        runners = self.runners()
        models = comparison.tracker.models
        files = {model: model.paths(self.folder) for model in models}
        return fp16_report(files, comparison, {model: runners[model.graph.name] for model in models})

    def answers(self, feed):
        """What both graphs give in float32, chained."""
        known, runners = dict(feed.tensors), self.runners()
        for graph in self.graphs:
            known |= runners[graph.name].infer({tensor.name: known[tensor.name] for tensor in graph.inputs})
        return known

    def scale(self, graph, first, second, factor):
        """Multiply a layer's weights and bias by a factor, and divide the weights of the one behind it by it.

        This changes only the blob between them, where no activation or a ReLU is; a power of two does so exactly.
        """
        param, path = self.files(graph)
        table, weights = load_model(param, path)

        def change(index, array):
            name = table.layers[index].name
            if name == first:
                return array.with_values(factor * array.values(), array.tag)
            if name == second and array.tag is not None:
                return array.with_values(array.values() / factor, array.tag)
            return array

        path.write_bytes(weights.mapped(change).data())


def reported(report, graph, name):
    return next(layer for layer in report.layers if (layer.graph, layer.layer) == (graph, name))


def scalable_pair(model, report, kernel=1):
    """The pair for :meth:`Model.scale` in the update graph whose sums are largest beside its blob."""
    layers, pairs, wanted = load_param(model.files("update")[0]).layers, [], [("Convolution", kernel)]
    for first in layers:
        users = [layer for layer in layers if first.outputs and first.outputs[0] in layer.inputs]
        if (
            "Convolution" in first.type
            and first.param(9) < 2
            and [(user.type, user.param(1)) for user in users] == wanted
        ):
            found = reported(report, "update", first.name)
            pairs.append((found.sum_bound / found.largest, first.name, users[0].name))
    return max(pairs)[1:]
