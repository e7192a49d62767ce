"""A real network whose models are walked layer by layer."""

from apart import Apart
from default_inputs import noise_feed

from converter.checks.layers.walk import walk_layers
from converter.families.family import family_of
from converter.network.checkpoint import load_strictly, read_checkpoint
from converter.network.load import one_thread
from converter.network.reference import TorchModel
from converter.spec.config import network_for
from converter.spec.tensors import Tolerance

FAMILY = family_of("lighttrack")
TOLERANCE = Tolerance(rtol=1e-4)


class Tracker:
    """A network, its graphs, and an input for each of them."""

    def __init__(self, checkpoint, path_name):
        _, spec = network_for(None, None, {"path_name": path_name})
        self.network = FAMILY.build(path_name, spec.template_size)
        load_strictly(self.network, read_checkpoint(checkpoint, False), "the network", lambda: "")
        self.network.eval()
        dimensions = FAMILY.dimensions(path_name, spec.template_size, spec.search_size)
        splits = [spec.graph_specs(split, dimensions) for split in ("two", "three")]
        self.graphs = {graph.name: graph for split in splits for graph in split}
        images = (self.graphs["init"].inputs[0], self.graphs["backbone"].inputs[0])
        feed = noise_feed(3, images, spec.preprocess)
        with one_thread():
            self.feed = feed.tensors | TorchModel(self.network, FAMILY, images).infer(feed.tensors)

    def walk(self, format, graph, files):
        with Apart(format, files, self.graphs[graph]) as runner, one_thread():
            return walk_layers(self.network, self.graphs[graph], format, files, runner, self.feed, TOLERANCE)


def matched(walk):
    return walk.matched / len(walk.rows)
