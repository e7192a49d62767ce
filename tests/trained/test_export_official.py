"""Exports from official checkouts: the same models as from our own networks."""

import json
import os
import sys

import pytest
from stark import ARCH

from commands import lt_export
from conftest import MOBILE, TINY
from official_patches.lighttrack.checkout import build_official
from official_patches.patching import BuildRequest


def test_both_sources_give_the_same_models(official, seeded, exported, tmp_path):
    folder, _ = exported
    for arch in ("LightTrackM_Subnet", "LightTrackM_Speed"):
        done = lt_export(
            "--resume", seeded, "-o", tmp_path / arch, "--official", official, "--arch", arch, "-q", apart=True
        )
        assert done.code == 0, done.err
        for name in ("lighttrack_init.bin", "lighttrack_update.bin"):
            assert (tmp_path / arch / name).read_bytes() == (folder / name).read_bytes()


def test_the_official_tree_is_left_alone(official):
    before = {path: path.stat().st_mtime_ns for path in official.rglob("*")}
    build_official(BuildRequest(official, "LightTrackM_Speed", TINY, 127, 288, 8))
    assert {path: path.stat().st_mtime_ns for path in official.rglob("*")} == before
    assert not [name for name in sys.modules if name == "lib" or name.startswith("lib.")]
    assert os.fspath(official) not in sys.path


@pytest.mark.parametrize("template", [127, 128])
def test_sizes_against_the_official_code(official, seeded, tmp_path, template):
    """The unpatched official network is the reference at every size, dynamic and alone."""
    checkout = ("--resume", seeded, "--path-name", MOBILE, "--official", official, "--template-size", template)
    done = lt_export(*checkout, "-o", tmp_path / "dynamic", "--dynamic-search", "--json")
    assert done.code == 0, done.err
    manifest = json.loads(done.out)
    assert manifest["network"] == "official checkout"
    assert {each["search_size"] for each in manifest["tracker"]["sizes"]} == set(range(192, 321, 16))
    done = lt_export(*checkout, "-o", tmp_path / "one", "--split", "one", "--search-size", "255", "--json")
    assert done.code == 0, done.err
    assert {each["template_size"] for each in json.loads(done.out)["tracker"]["sizes"]} == {127, 128}


@pytest.mark.parametrize("head", ["rep_v2", "dsconv_v3_4"])
def test_an_official_checkout_gives_the_same_models(official_stark, stark_weights, tmp_path, head):
    sizes = ("--template-size", 64, "--search-size", 128)
    for name, more in (("ours", ()), ("theirs", ("--official", official_stark))):
        done = lt_export(
            *("--resume", stark_weights[head], "--arch", ARCH, "-o", tmp_path / name, "--json", *sizes, *more)
        )
        assert done.code == 0, done.err
        manifest = json.loads(done.out)  # and nothing of what the official code prints while it builds
    assert manifest["network"] == "official checkout" + (" with our corner head" if head != "rep_v2" else "")
    for file in ("stark_init.bin", "stark_update.bin"):
        assert (tmp_path / "ours" / file).read_bytes() == (tmp_path / "theirs" / file).read_bytes()
