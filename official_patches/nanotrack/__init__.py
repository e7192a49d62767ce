"""NanoTrack: forward modes, and networks from an official checkout."""

from official_patches.nanotrack.checkout import BUILDER, build_official_nanotrack
from official_patches.nanotrack.modes import MODES, check_parts, unasked_crop
from official_patches.patching import Patches

PATCHES = Patches(
    modes=MODES,
    check_parts=check_parts,
    reason="computes a training loss",
    also_for_trace=unasked_crop,
    build=build_official_nanotrack,
    own_parts=lambda path_name: {},
    module=BUILDER,
    repository="HonglinChu/SiamTrackers, folder NanoTrack",
)
