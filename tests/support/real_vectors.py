"""Golden vectors of a real network, and what dumps of it are found to be."""

import device
from default_inputs import noise_feed

from converter.checks.dumps.diagnose import diagnose_dumps
from converter.families.dimensions import dimensions_of
from converter.families.family import family_of
from converter.folder.golden import read_golden
from converter.folder.golden_index import GoldenHeader
from converter.folder.golden_writer import GoldenCase, write_golden
from converter.folder.listing import CheckpointEntry, preprocess_entry, tracker_entry
from converter.network.reference import TorchModel
from converter.network.trace import intermediates
from converter.proof.inputs import picture_feed
from converter.spec.config import network_for
from converter.spec.network import Preprocess
from converter.spec.options import ExportOptions

AS_PIXELS = Preprocess(colour_order="RGB", pixel_range=[0.0, 255.0], mean=[0.0] * 3, std=[1.0] * 3)


class Setup:
    """A network, its graphs, and golden vectors of pictures.

    Attributes:
        pictures: title to {"z", "x"}, the crops' pixels, (H, W, 3) RGB.
    """

    def __init__(self, folder, path_name, state, paths, arch=None, **sizes):
        arch, self.spec = network_for(arch, None, {"path_name": path_name, **sizes})
        family = family_of(self.spec.family)
        options = ExportOptions(arch=arch, checkpoint=folder, output=folder, network=self.spec)
        dimensions = dimensions_of(options.network)
        self.network = family.build(path_name, self.spec.template_size, self.spec.search_size)
        self.network.load_state_dict(state, assign=True)
        self.network.eval()
        self.graphs = self.spec.graph_specs("two", dimensions)
        images = (self.graphs[0].inputs[0], self.graphs[1].inputs[1])
        self.reference = TorchModel(self.network, family, images)
        preprocess = self.spec.preprocess
        self.feeds = [*(picture_feed(path, images, preprocess) for path in paths), noise_feed(0, images, preprocess)]
        self.pictures = {
            path.name: {
                name: image[0].transpose(1, 2, 0)
                for name, image in picture_feed(path, images, AS_PIXELS).tensors.items()
            }
            for path in paths
        }
        self.answers = [self.reference.infer(feed.tensors) for feed in self.feeds]
        self.tolerances = self.spec.tolerances["fp32"]
        header = GoldenHeader(
            arch=arch,
            path_name=path_name,
            checkpoint=CheckpointEntry(file="a.pth"),
            reference="torch",
            preprocess=preprocess_entry(self.spec.preprocess),
            tracker=tracker_entry(self.spec, dimensions),
            precision="fp32",
            tolerances=self.tolerances,
        )
        inner = intermediates(self.network, self.graphs, self.feeds, self.answers, self.spec.intermediates)
        (folder / "golden").mkdir()
        triples = zip(self.feeds, self.answers, inner, strict=True)
        cases = [GoldenCase(self.graphs, *triple) for triple in triples]
        self.index = write_golden(folder / "golden", header, cases)
        self.golden = read_golden(folder / "golden")

    def answer(self, title, mistake=device.right, only=None, right=device.right):
        given = self.reference.infer(device.fed(self.pictures[title], mistake, only, right))
        return {name: given[name] for graph in self.graphs for name in (tensor.name for tensor in graph.outputs)}

    def causes(self, folder):
        report = diagnose_dumps(folder, self.golden, self.tolerances, self.spec, self.reference.infer)
        return {tensor.name: {cause.cause for cause in tensor.causes} for tensor in report.tensors if not tensor}
