"""LightTrack: forward modes, what a trace of them needs, and networks from an official checkout."""

from official_patches.lighttrack.checkout import MODELS, build_official
from official_patches.lighttrack.folding import folded_norms
from official_patches.lighttrack.modes import MODES, check_parts
from official_patches.lighttrack.supernet import build_supernet
from official_patches.patching import Patches

PATCHES = Patches(
    modes=MODES,
    check_parts=check_parts,
    reason="computes a training loss",
    also_for_trace=folded_norms,
    build=build_official,
    own_parts=lambda path_name: {},
    module=MODELS,
    repository="researchmm/LightTrack",
    supernet=build_supernet,
)
