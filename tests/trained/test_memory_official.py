"""Networks of the official definitions in memory, in train mode, give the models of a checkpoint."""

import pytest
import torch
from stark import ARCH, FAMILY, SMALL

from commands import lt_export
from conftest import MOBILE
from converter.api import export
from official_patches.patching import BuildRequest, patches_of


def same(prefix, ours, theirs):
    for name in (f"{prefix}_init.bin", f"{prefix}_update.bin"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def test_lighttrack(official, seeded, exported, tmp_path):
    network = patches_of("lighttrack").build(BuildRequest(official, "LightTrackM_Subnet", MOBILE, 127, 288, 16))
    network.load_state_dict(torch.load(seeded)["state_dict"])
    network.train()
    result = export(network, tmp_path / "memory")
    assert result
    assert all(module.training for module in network.modules())
    assert result.manifest.checkpoint.file is None
    same("lighttrack", tmp_path / "memory", exported[0])


@pytest.mark.parametrize("head", ["rep_v2", "dsconv_v3_4"])
def test_stark(official_stark, stark_weights, tmp_path, head):
    """The official corner head; of the other heads the official definition has none, so that ours is put in."""
    sizes = {"template_size": SMALL["template_size"], "search_size": SMALL["search_size"]}
    patches = patches_of("stark")
    network = patches.build(BuildRequest(official_stark, ARCH, head, *sizes.values(), 16))
    checkpoint = torch.load(stark_weights[head], weights_only=False)
    if parts := patches.own_parts(head):
        own = FAMILY.build(head, *sizes.values()).to_empty(device="cpu")
        for part in parts:
            setattr(network, part, getattr(own, part))
    network.load_state_dict(checkpoint["net"])
    network.train()
    assert export(network, tmp_path / "memory", arch=ARCH, path_name=head, **sizes)
    assert all(module.training for module in network.modules())
    words = ("--resume", stark_weights[head], "--arch", ARCH, "-o", tmp_path / "file", "-q")
    done = lt_export(*words, "--template-size", sizes["template_size"], "--search-size", sizes["search_size"])
    assert done.code == 0, done.err
    same("stark", tmp_path / "memory", tmp_path / "file")
