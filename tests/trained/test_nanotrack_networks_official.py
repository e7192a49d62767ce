"""Our own NanoTrack and the official one: the same keys, shapes and numbers."""

import importlib
import json
import shutil
import sys

import nanotracks
import numpy as np
import pytest
import torch
from lighttrack import share

from converter.network.checkpoint import read_checkpoint
from official_patches.checkout import CheckoutError
from official_patches.nanotrack import PATCHES
from official_patches.patching import BuildRequest


@pytest.fixture(scope="module")
def listed(shared):
    return {
        f"v{each['version']}": each for each in json.loads((shared / "golden/nanotrack.json").read_text())["versions"]
    }


def published(shared, version):
    return read_checkpoint(shared / f"checkpoints/nanotrack{version}.pth").state


def official(root, version):
    return PATCHES.build(BuildRequest(root, nanotracks.ARCHS[version], version, 127, 255, 16))


def count(shapes):
    """Of what is trained, as the official code counts."""
    counted = ("running_mean", "running_var", "num_batches_tracked")
    return sum(int(np.prod(shape)) for key, shape in shapes.items() if not key.endswith(counted))


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_keys_shapes_and_parameters(listed, version):
    golden = listed[version]
    state = nanotracks.network(version).state_dict()
    beside = {key: list(value.shape) for key, value in nanotracks.neck(version).items()}
    shapes = {key: list(value.shape) for key, value in state.items()}
    assert shapes | beside == golden["state_dict"]
    assert count(shapes) == nanotracks.PARAMETERS[version]
    assert count(shapes) + count(beside) == golden["params"]


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_trained_weights_answer_as_the_official_network(shared, listed, version):
    expected = listed[version]
    golden = np.load(shared / f"golden/nanotrack_{version}.npz")
    built = nanotracks.network(version, published(shared, version))
    found = nanotracks.answers(built, expected["template_seed"], expected["search_seed"])
    for name in ("zf", "cls", "loc"):
        assert list(found[name].shape) == expected[f"{name}_shape"]
        assert share(found[name].numpy(), golden[name]) < 1e-5
    assert list(found["xf"].shape) == expected["xf_shape"]
    assert share(found["xf"].mean((2, 3)).numpy(), golden["xf_mean"]) < 1e-5


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_the_checkout_builds_the_version_asked_for_and_both_answer_alike(shared, official_nanotrack, version):
    """To the last bit, for the operations are the same."""
    before = set(sys.modules)
    theirs = official(official_nanotrack, version)
    assert not [name for name in set(sys.modules) - before if name.partition(".")[0] in ("nanotrack", "yacs", "cv2")]
    ours = nanotracks.network(version, published(shared, version))
    state = ours.state_dict()
    assert theirs.state_dict().keys() == state.keys()
    theirs.load_state_dict(state)
    for seed in range(3):
        for size in (255, 287):
            expected = nanotracks.answers(theirs.eval(), seed, seed + 10, size)
            for name, value in nanotracks.answers(ours, seed, seed + 10, size).items():
                assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_the_notes_are_true(official_nanotrack, version):
    nanotracks.assert_noted(nanotracks.sampled(official(official_nanotrack, version).requires_grad_(False)), version)


def test_another_package_of_that_name_is_put_aside(official_nanotrack, tmp_path, monkeypatch):
    (tmp_path / "nanotrack").mkdir()
    (tmp_path / "nanotrack/__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    other = importlib.import_module("nanotrack")
    monkeypatch.delitem(sys.modules, "nanotrack")
    monkeypatch.setitem(sys.modules, "nanotrack", other)
    assert official(official_nanotrack, "v1").ban_head.corr_pw
    assert sys.modules["nanotrack"] is other


def test_a_checkout_without_the_head_is_refused(official_nanotrack, tmp_path):
    root = tmp_path / "NanoTrack"
    shutil.copytree(official_nanotrack / "nanotrack", root / "nanotrack")
    (root / "nanotrack/models/head/ban_v2.py").unlink()
    with pytest.raises(CheckoutError, match=r"cannot import nanotrack.models.head.ban_v2 from .*NanoTrack"):
        official(root, "v2")
    assert official(root, "v1").ban_head.corr_pw
