"""NanoTrack without an official checkout: the same state-dict keys, parts and calling convention.

Source: ``nanotrack/models/model_builder.py`` of HonglinChu/SiamTrackers @ 248663f, folder NanoTrack. Its neck, which
is trained along and never called, is left out.
"""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

import torch
from torch import Tensor, nn

from converter.families.nanotrack.backbone import Backbone
from converter.families.nanotrack.head import Head
from converter.families.nanotrack.version import Version


class NanoTrack(nn.Module):
    """The tracker; equivalent of ``ModelBuilder`` with the settings and the head of a version."""

    def __init__(self, version: Version) -> None:
        super().__init__()
        self.backbone = Backbone(version.blocks)
        self.ban_head = Head(version)
        self.zf: Tensor | None = None

    def template(self, z: Tensor) -> None:
        """Remember the features of a template, (1, 3, T, T) float32, BGR 0 to 255."""
        self.zf = self.backbone(z)

    def track(self, x: Tensor) -> dict[str, Tensor]:
        """Answer for a search crop, (1, 3, S, S) float32: "cls" and "loc" as of :class:`Head`."""
        cls, loc = self.ban_head(self.zf, self.backbone(x))
        return {"cls": cls, "loc": loc}


def build(version: Version) -> NanoTrack:
    """The network without weights, its parameters on the meta device; of any search size."""
    with torch.device("meta"):
        return NanoTrack(version)
