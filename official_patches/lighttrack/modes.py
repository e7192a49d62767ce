"""Forward modes of LightTrack as plain functions, and the patch that puts one in place.

They act on anything that has the parts of the official ``Super_model_DP_retrain``
(``lib/models/super_model_DP.py``): ``features``, ``neck``, ``feature_fusor`` and ``head``. Its own
``template()`` keeps the features on the instance and its ``forward()`` computes a training loss;
a deployed graph needs them as inputs and outputs instead.
"""

from collections.abc import Sequence

from torch import nn

from official_patches.lighttrack.folding import folded_norms
from official_patches.patching import PatchSpec, UnknownNetworkError, answering, without

PARTS = ("features", "neck", "feature_fusor", "head")
METHODS = ("template", "track")


def template(self, z):
    """z (1, 3, T, T) -> zf (1, C, h, w)."""
    return self.features(z)


def backbone(self, x):
    """x (1, 3, S, S) -> xf (1, C, H, W)."""
    return self.features(x)


def neck_head(self, zf, xf):
    """zf, xf -> cls (1, 1, H, W) logits, reg (1, 4, H, W) in search-crop pixels."""
    answer = self.head(self.feature_fusor(*self.neck(zf, xf)))
    return answer["cls"], answer["reg"]


def update(self, zf, x):
    """zf, x -> cls, reg."""
    return neck_head(self, zf, self.features(x))


def single(self, zf, x):
    """zf, x -> cls, reg, xf: a graph that the template's features can be read from, too."""
    xf = self.features(x)
    return *neck_head(self, zf, xf), xf


MODES = {mode.__name__: mode for mode in (template, backbone, update, neck_head, single)}
# the parts that a mode does without
UNUSED = {"template": PARTS[1:], "backbone": PARTS[1:], "update": (), "neck_head": PARTS[:1], "single": ()}


def forward_mode(network: nn.Module, mode: str, activations: Sequence[str | None] = ()) -> PatchSpec:
    """The patch that makes ``network`` answer as ``mode`` when it is called; for :func:`patching.patched`.

    Args:
        activations: of the mode's outputs, in their order.

    Raises:
        UnknownNetworkError: for an unknown mode or a network without the official parts.
    """
    if mode not in MODES:
        raise UnknownNetworkError(f"unknown forward mode {mode!r}, known are {', '.join(MODES)}")
    kind = type(network).__name__
    missing = [name for name in PARTS + METHODS if not callable(getattr(network, name, None))]
    if missing:
        raise UnknownNetworkError(
            f"{kind} has no {missing[0]!r}, expected the parts of Super_model_DP_retrain: {', '.join(PARTS + METHODS)}"
        )
    reason = f"trace {kind} as {mode}: its own forward computes a training loss"
    return answering(network, MODES[mode], activations, reason)


def for_trace(network: nn.Module, mode: str) -> tuple[PatchSpec, ...]:
    """What else to put in place for a trace: two batch norms as one, and parts out of it that it never calls."""
    return (*folded_norms(network, mode), *without(network, UNUSED[mode], mode))
