"""Forward modes of NanoTrack as plain functions.

They act on anything that has the parts of the official ``ModelBuilder`` (``nanotrack/models/model_builder.py``):
``backbone`` and ``ban_head``. Its own ``template()`` keeps the features on the instance and its ``forward()`` computes
a training loss; a deployed graph needs them as inputs and outputs instead. Its ``neck`` is in no graph.
"""

from torch import Tensor, nn

from official_patches.patching import Mode, PatchSpec, UnknownNetworkError

PARTS = ("backbone", "ban_head")
METHODS = ("template", "track")
NECK = "neck"
MIDDLE = slice(2, 6)


def backbone(self: nn.Module, image: Tensor) -> Tensor:
    """z (1, 3, T, T) -> zf (1, C, 8, 8), x (1, 3, S, S) -> xf (1, C, H, W)."""
    return self.backbone(image)


def neck_head(self: nn.Module, zf: Tensor, xf: Tensor) -> tuple[Tensor, Tensor]:
    """zf, xf -> cls (1, 2, H, W) logits, loc (1, 4, H, W) in search-crop pixels; V3 has a row and a column less."""
    cls, loc = self.ban_head(zf, xf)
    return cls, loc


def update(self: nn.Module, zf: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """zf, x -> cls, loc."""
    return neck_head(self, zf, self.backbone(x))


MODES = {
    "template": Mode(backbone, unused=("ban_head", NECK)),
    "backbone": Mode(backbone, unused=("ban_head", NECK)),
    "update": Mode(update, unused=(NECK,)),
    "neck_head": Mode(neck_head, unused=("backbone", NECK)),
}


def unasked_crop(network: nn.Module, mode: str) -> tuple[PatchSpec, ...]:
    """A patch for V3's official head: it asks whether a template has more than 4 cells, and each has 8.

    A trace warns of a question whose answer it cannot keep.
    """
    if not hasattr(network.ban_head, "crop"):
        return ()
    reason = "every template has 8x8 cells"
    return (PatchSpec(network.ban_head, "crop", lambda zf: zf[:, :, MIDDLE, MIDDLE], reason),)


def check_parts(network: nn.Module) -> None:
    """Raises:
    UnknownNetworkError: for a network without the official parts and methods.
    """
    missing = [name for name in PARTS + METHODS if not callable(getattr(network, name, None))]
    if missing:
        raise UnknownNetworkError(
            f"{type(network).__name__} has no {missing[0]!r}, expected the parts of NanoTrack's ModelBuilder: "
            f"{', '.join(PARTS + METHODS)}"
        )
