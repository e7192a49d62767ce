"""The smallest network and its export, as the tests of devices run them."""

import torch
from comparisons import models_of
from half_models import Model

from conftest import TINY
from converter.families.dimensions import dimensions_of
from converter.network.demo import CALM
from converter.proof.comparison import Comparison
from converter.proof.inputs import packaged_feeds
from converter.spec.config import network_for
from converter.spec.model import TrackerModels
from converter.spec.network import ModeTolerances
from converter.spec.tensors import Tolerance

SMALL = {"path_name": TINY, "search_size": 144}
SIZES = ("--path-name", TINY, "--search-size", "144")


def save_lively(tiny, path):
    """The smallest network with scores that differ more from cell to cell, which halves keep apart."""
    checkpoint = torch.load(tiny, weights_only=True)
    for key, value in checkpoint["state_dict"].items():
        if key.endswith("running_var"):
            value /= CALM
    torch.save(checkpoint, path)


def feeds_of(model: Model):
    """One of the packaged pictures."""
    images = [tensor for graph in model.graphs for tensor in graph.inputs if tensor.meaning in ("z", "x")]
    return packaged_feeds(0, images, network_for(None)[1].preprocess)[-1:]


def compared(model: Model, feeds, section, answers=None):
    """A model beside ncnn in float32 here, at tolerances of a device's section that fit a random network."""
    _, network = network_for(None, None, SMALL)
    wide = ModeTolerances(tolerances=dict.fromkeys(network.tensors, Tolerance(rtol=0.4)), box_pixels=2.0, score=0.1)
    network = network.model_copy(update={section: dict.fromkeys(network.arm, wide)})
    tracker = TrackerModels(network, dimensions_of(network), models_of(model.graphs, named="lighttrack_{}"))
    answers = answers or [model.answers(feed) for feed in feeds]
    return Comparison(tracker, tuple(feeds), tuple(answers), {}, 1e-5)
