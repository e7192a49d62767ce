"""Forward modes of LightTrack as plain functions, and the patch that puts one in place.

They act on anything that has the parts of the official ``Super_model_DP_retrain``
(``lib/models/super_model_DP.py``): ``features``, ``neck``, ``feature_fusor`` and ``head``. Its own
``template()`` keeps the features on the instance and its ``forward()`` computes a training loss;
a deployed graph needs them as inputs and outputs instead.
"""

from torch import Tensor, nn

from official_patches.patching import Mode, UnknownNetworkError

PARTS = ("features", "neck", "feature_fusor", "head")
METHODS = ("template", "track")


def template(self: nn.Module, z: Tensor) -> Tensor:
    """z (1, 3, T, T) -> zf (1, C, h, w)."""
    return self.features(z)


def backbone(self: nn.Module, x: Tensor) -> Tensor:
    """x (1, 3, S, S) -> xf (1, C, H, W)."""
    return self.features(x)


def neck_head(self: nn.Module, zf: Tensor, xf: Tensor) -> tuple[Tensor, Tensor]:
    """zf, xf -> cls (1, 1, H, W) logits, reg (1, 4, H, W) in search-crop pixels."""
    answer = self.head(self.feature_fusor(*self.neck(zf, xf)))
    return answer["cls"], answer["reg"]


def update(self: nn.Module, zf: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """zf, x -> cls, reg."""
    return neck_head(self, zf, self.features(x))


def single(self: nn.Module, zf: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """zf, x -> cls, reg, xf: a graph that the template's features can be read from, too."""
    xf = self.features(x)
    return *neck_head(self, zf, xf), xf


MODES = {
    "template": Mode(template, unused=PARTS[1:]),
    "backbone": Mode(backbone, unused=PARTS[1:]),
    "update": Mode(update),
    "neck_head": Mode(neck_head, unused=PARTS[:1]),
    "single": Mode(single),
}


def check_parts(network: nn.Module) -> None:
    """Raises:
    UnknownNetworkError: for a network without the official parts and methods.
    """
    missing = [name for name in PARTS + METHODS if not callable(getattr(network, name, None))]
    if missing:
        raise UnknownNetworkError(
            f"{type(network).__name__} has no {missing[0]!r}, expected the parts of Super_model_DP_retrain: "
            f"{', '.join(PARTS + METHODS)}"
        )
