"""Subnets of a supernet against the official supernet's own template() and track()."""

import json

import numpy as np
import pytest
import torch
from lighttrack import FAMILY, answers, noise, own, share
from test_networks_official import load

from commands import lt_export
from converter.errors import VerificationError
from converter.families import supernet
from converter.families.supernet import renamed

SUPERNET = FAMILY.supernet


@pytest.fixture(scope="module")
def listed(shared):
    return json.loads((shared / "golden/supernet.json").read_text())


@pytest.fixture(scope="module")
def state(shared, listed):
    tensors = {
        key: torch.empty(shape, dtype=torch.int64 if key.endswith("num_batches_tracked") else torch.float32)
        for key, shape in listed["state_dict"].items()
    }
    return load(shared / "tools/fill_weights.py").fill(tensors, listed["weights_seed"])


@pytest.fixture(scope="module")
def super_file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("supernet") / "super.pth"
    torch.save({"epoch": 3, "arch": SUPERNET.arch, "state_dict": state}, path)
    return path


def test_our_definition_has_the_official_keys(listed):
    network = SUPERNET.build(SUPERNET.example, {})
    assert {key: list(value.shape) for key, value in network.state_dict().items()} == listed["state_dict"]
    assert sum(parameter.numel() for parameter in network.parameters()) == listed["parameters"]


@pytest.mark.parametrize("index", range(6))
def test_subnets_answer_as_the_official_supernet_did(shared, listed, state, index):
    path, golden = listed["paths"][index], np.load(shared / "golden/supernet.npz")
    network = own(path["path_name"], listed["template_size"])
    keys = renamed(SUPERNET.renames(path["path_name"]), state)
    network.load_state_dict({key: state[source] for key, source in keys.items()})
    found = answers(
        network,
        noise(listed["template_size"], path["template_seed"]),
        noise(listed["search_size"], path["search_seed"]),
    )
    for name in ("cls", "reg"):
        assert share(found[name], golden[f"{name}_{index}"]) < 2e-6
    assert share(found["zf"].mean((2, 3)), golden[f"zf_mean_{index}"]) < 2e-6


def test_an_export_is_held_against_the_official_supernet(official, super_file, listed, tmp_path, monkeypatch):
    words = (super_file, "--path-name", listed["paths"][2]["path_name"], "--official", official, "-o", tmp_path / "out")
    assert lt_export(*words).code == 0
    from converter.network import supernet as network_side

    def wrong(renames, keys):
        parts = [(part, source.replace("cls", "reg") if "reg_tower" in part else source) for part, source in renames]
        return supernet.renamed(parts, keys)

    monkeypatch.setattr(network_side, "renamed", wrong)
    done = lt_export(*words)
    assert done.code == VerificationError.exit_code
    assert "does not answer as LightTrackM_Supernet does on that path: reg is off by" in done.error_line
