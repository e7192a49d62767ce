"""What runs models as their consumers do: ncnn and onnxruntime, with no code of ours."""

import ncnn
import numpy as np
import onnxruntime
import torch

from commands import lt_export
from conftest import TINY
from converter.families.family import family_of


def export(checkpoint, target, *options, path_name=TINY):
    return lt_export("--resume", checkpoint, "--path-name", path_name, "-o", target, *options)


def load(folder, stem):
    net = ncnn.Net()
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage"):
        setattr(net.opt, f"use_{option}", False)  # ncnn uses halves on x86, too, where it can
    assert net.load_param(str(folder / f"{stem}.param")) == 0
    assert net.load_model(str(folder / f"{stem}.bin")) == 0
    return net


def extract(net, feed, names):
    """As a C++ consumer does it: a new extractor in light mode, feed, extract in this order."""
    with net.create_extractor() as extractor:
        for name, array in feed.items():
            array = np.ascontiguousarray(array[0])
            assert extractor.input(name, ncnn.Mat(array).clone()) == 0, name
        found = []
        for name in names:
            code, mat = extractor.extract(name)
            assert code == 0, name
            assert not mat.empty(), name
            found.append(np.array(mat)[np.newaxis].copy())
    return found


def images(template, search):
    generator = np.random.default_rng(5)
    return [generator.standard_normal((1, 3, size, size)).astype(np.float32) for size in (template, search)]


def answers(checkpoint, z, x, path_name=TINY):
    network = family_of("lighttrack").build(path_name, z.shape[-1])
    network.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"], assign=True)
    with torch.no_grad():
        network.eval().template(torch.from_numpy(z))
        cls, reg = network.track(torch.from_numpy(x))
        return network.zf.numpy(), cls.numpy(), reg.numpy()


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-4 * np.ptp(other)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def run(path, feed):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_inputs()] == list(feed)
    return dict(zip([value.name for value in session.get_outputs()], session.run(None, feed), strict=True))
