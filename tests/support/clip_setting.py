"""A real network and models of it, tracked over a clip."""

from pathlib import Path

from converter.checks.clip.run import Judgement, run_clip
from converter.families.dimensions import dimensions_of
from converter.families.family import family_of
from converter.formats.format import format_of
from converter.proof.chain import GraphModel, TrackedModel
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model
from converter.spec.network import NetworkSpec
from converter.spec.options import ExportOptions
from converter.track.frames import open_clip

SUFFIXES = {"ncnn": (".param", ".bin"), "onnx": (".onnx",)}


class Setting:
    """A network, its dimensions, and models of it.

    Args:
        checkpoint, path_name, search_size: of the network; the template has 127 pixels.
    """

    def __init__(self, checkpoint: Path, path_name: str, search_size: int):
        arch, self.spec = network_for(None, overrides={"path_name": path_name, "search_size": search_size})
        self.options = ExportOptions(arch=arch, checkpoint=checkpoint, output=Path("none"), network=self.spec)
        self.dimensions = dimensions_of(self.options.network)

    def reference(self):
        from converter.network.load import load_network
        from converter.network.reference import TorchModel

        network = load_network(self.options, self.dimensions.stride).module
        init, update = self.spec.graph_specs("two", self.dimensions)
        return TorchModel(network, family_of(self.spec.family), (init.inputs[0], update.inputs[1]))

    def candidate(self, folder: Path, format: str, split: str) -> GraphModel:
        graphs = self.spec.graph_specs(split, self.dimensions)
        models = [
            Model(graph, format, tuple(f"lighttrack_{graph.name}{suffix}" for suffix in SUFFIXES[format]))
            for graph in graphs
        ]
        return GraphModel(models, {model: format_of(format).load(model.paths(folder), model.graph) for model in models})

    def run(self, clip, box, candidates, **options):
        from converter.network.load import one_thread

        with one_thread():
            return run_clip(
                *(open_clip(clip), box, self.reference(), candidates, self.spec, self.dimensions),
                options.pop("judgement", None) or Judgement.of(self.spec),
                **options,
            )


def nanotrack_model(checkpoint: Path, version: int) -> tuple[TrackedModel, NetworkSpec, Dimensions]:
    """A version of NanoTrack in PyTorch, with its config and dimensions."""
    from converter.network.load import load_network
    from converter.network.reference import TorchModel

    arch, spec = network_for(f"NanoTrackV{version}")
    dimensions = dimensions_of(spec)
    options = ExportOptions(arch=arch, checkpoint=checkpoint, output=Path("none"), network=spec)
    init, update = spec.graph_specs("two", dimensions)
    images = (init.inputs[0], update.inputs[1])
    return TorchModel(load_network(options, dimensions.stride).module, family_of(spec.family), images), spec, dimensions
