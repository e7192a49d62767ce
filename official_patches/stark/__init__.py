"""STARK-Lightning: forward modes, what a trace of them needs, and the network from an official checkout."""

from official_patches.patching import Patches
from official_patches.stark.checkout import MODELS, OFFICIAL_HEAD, build_official_stark
from official_patches.stark.modes import MODES, check_parts, for_trace

PATCHES = Patches(
    modes=MODES,
    check_parts=check_parts,
    reason="converts to ncnn and answers wrongly",
    also_for_trace=for_trace,
    build=build_official_stark,
    own_parts=lambda path_name: {} if path_name == OFFICIAL_HEAD else {"box_head": "corner head"},
    module=MODELS,
    repository="researchmm/Stark",
)
