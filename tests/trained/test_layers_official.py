"""The walk with the official network as the reference."""

import pytest
from layer_walks import Tracker, matched

from conftest import TINY
from converter.network.checkpoint import load_strictly, read_checkpoint
from official_patches.lighttrack.checkout import build_official
from official_patches.patching import BuildRequest


@pytest.fixture(scope="module")
def tracker(tiny):
    return Tracker(tiny, TINY)


def test_own_network_and_official_one_are_walked_alike(tracker, official, tiny, tiny_export):
    network = build_official(BuildRequest(official, "LightTrackM_Subnet", TINY, 127, 288, 8))
    load_strictly(network, read_checkpoint(tiny, False), "the official network", lambda: "")
    before, tracker.network = tracker.network, network.eval()
    try:
        stem = tiny_export / "lighttrack_update"
        walk = tracker.walk("ncnn", "update", (stem.with_suffix(".param"), stem.with_suffix(".bin")))
    finally:
        tracker.network = before
    assert walk
    assert matched(walk) == 1.0
