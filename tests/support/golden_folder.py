"""Golden vectors for tests: a made-up tracker that is quick, and colourful enough for every cause to show."""

import numpy as np
from comparisons import Drawn

from converter.folder.golden import read_golden
from converter.folder.golden_index import GoldenHeader
from converter.folder.golden_writer import GoldenCase, write_golden
from converter.folder.listing import CheckpointEntry, TrackerEntry, preprocess_entry
from converter.proof.feeds import Feed
from converter.spec.config import network_for
from converter.spec.tensors import Tolerance

SHAPES = {
    "z": (1, 3, 10, 10),
    "x": (1, 3, 20, 20),
    "zf": (1, 8, 5, 5),
    "xf": (1, 8, 10, 10),
    "cls": (1, 1, 10, 10),
    "reg": (1, 4, 10, 10),
}
_, NETWORK = network_for("LightTrackM_Subnet")
PREPROCESS = NETWORK.preprocess
TOLERANCES = dict.fromkeys(("zf", "xf", "cls", "reg"), Tolerance(rtol=1e-4))
HEADER = GoldenHeader(
    arch="A",
    path_name="p",
    checkpoint=CheckpointEntry(file="a.pth", sha256="00", epoch=1),
    reference="a made-up tracker",
    preprocess=preprocess_entry(PREPROCESS),
    tracker=TrackerEntry(stride=16, template_size=10, search_size=20, cls="logit"),
    precision="fp32",
    tolerances=TOLERANCES,
)


_drawn = Drawn(SHAPES)
tensor, graph = _drawn.tensor, _drawn.graph
INIT, UPDATE = graph("init", ["z"], ["zf"]), graph("update", ["zf", "x"], ["cls", "reg"])
BACKBONE, NECK_HEAD = graph("backbone", ["x"], ["xf"]), graph("neck_head", ["zf", "xf"], ["cls", "reg"])
TWO, THREE = (INIT, UPDATE), (INIT, BACKBONE, NECK_HEAD)

_weights = np.random.default_rng(7)
_MIX, _TURN = _weights.standard_normal((8, 3)), _weights.standard_normal((8, 8)) / 3
_REG = _weights.standard_normal((4, 8)) / 2


def features(image):
    """A projection per pixel with a curve and a place in it, every second pixel: no two mistakes look alike."""
    mixed = np.einsum("oc,nchw->nohw", _MIX, image[:, :, ::2, ::2].astype(np.float64))
    rows, columns = np.mgrid[0 : mixed.shape[2], 0 : mixed.shape[3]]
    place = 1 + 0.3 * np.sin(1.3 * rows + 0.4 * columns)
    return (np.einsum("oc,nchw->nohw", _TURN, mixed + np.abs(mixed) ** 1.2) * place).astype(np.float32)


def run(feed):
    """{"z", "x"} to every tensor, as the PyTorch network would."""
    zf, xf = features(feed["z"]), features(feed["x"])
    weight = np.cbrt((zf * np.linspace(0.5, 1.5, 25).reshape(5, 5)).mean(axis=(0, 2, 3)).astype(np.float64))
    cls = np.einsum("c,nchw->nhw", weight, xf.astype(np.float64))[:, None]
    cls = 2 * np.arcsinh(cls / 3) + 0.02 * xf[:, :1]
    distances = np.einsum("oc,nchw->nohw", _REG, xf * (1 + 0.1 * np.tanh(weight))[None, :, None, None])
    reg = 16 * np.log1p(np.maximum(distances + 1, 0))
    return {name: value.astype(np.float32) for name, value in (("zf", zf), ("xf", xf), ("cls", cls), ("reg", reg))}


def pixels(seed, size):
    """(H, W, 3) uint8 RGB: smooth, and with a colour of its own in every channel."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:size, 0:size] / size
    waves = [
        127 + 90 * np.sin(random.uniform(2, 9) * rows + random.uniform(2, 9) * columns + phase) for phase in range(3)
    ]
    tinted = np.stack(waves, axis=-1) * [0.6, 0.9, 1.1] + random.uniform(-20, 20, (size, size, 3))
    return np.clip(tinted, 0, 255).astype(np.uint8)


def normalised(image):
    values = (image.astype(np.float64) / 255 - PREPROCESS.mean) / PREPROCESS.std
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None]).astype(np.float32)


def picture(seed):
    """The pixels of a case: template and search crop."""
    return {"z": pixels(seed, 10), "x": pixels(seed + 100, 20)}


def picture_feed(title, seed):
    return Feed(title, {name: normalised(image) for name, image in picture(seed).items()})


def inner(answer):
    return {
        "init": {"features.blocks.1": answer["zf"] * 2},
        "update": {"features.blocks.1": answer["xf"] * 2, "head.cls_tower.0": answer["xf"] + 1},
    }


def tensor_of(golden, case, graph, name):
    """One tensor of golden vectors."""
    (entry,) = (each for each in golden.index.tensors if (each.case, each.graph, each.name) == (case, graph, name))
    return golden.read(entry)


def make_golden(folder, feeds, graphs=TWO):
    """Golden vectors of the made-up tracker."""
    folder.mkdir(parents=True, exist_ok=True)
    answers = [run(feed.tensors) for feed in feeds]
    cases = [GoldenCase(graphs, feed, answer, inner(answer)) for feed, answer in zip(feeds, answers, strict=True)]
    write_golden(folder, HEADER, cases)
    return read_golden(folder)
