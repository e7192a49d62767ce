"""LightTrack's searched network from a path name, without an official checkout."""

# mypy: allow-subclassing-any
# torch is not followed, so nn.Module is Any

from torch import Tensor, nn

from converter.families.lighttrack.backbone import Backbone
from converter.families.lighttrack.head import FeatureFusor, Head, Neck
from converter.families.lighttrack.path_name import Architecture


class Subnet(nn.Module):
    """The tracker with the official state-dict keys, parts and calling convention.

    Equivalent of ``LightTrackM_Subnet`` and ``LightTrackM_Speed`` in ``lib/models/models.py`` of
    researchmm/LightTrack @ 39c426f.

    Args:
        architecture: the parsed path name.
        template_cells: height and width of the template's feature map.
    """

    def __init__(self, architecture: Architecture, template_cells: int) -> None:
        super().__init__()
        self.features = Backbone(architecture)
        self.neck = Neck(architecture.channels)
        self.feature_fusor = FeatureFusor(template_cells**2)
        self.head = Head(architecture.cls, architecture.reg)
        self.zf: Tensor | None = None

    def template(self, z: Tensor) -> None:
        """Remember the features of a template, (1, 3, T, T) float32, ImageNet-normalised RGB."""
        self.zf = self.features(z)

    def track(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Answer for a search crop, (1, 3, S, S) float32: (cls, reg) as of :class:`.head.Head`."""
        answer = self.head(self.feature_fusor(*self.neck(self.zf, self.features(x))))
        return answer["cls"], answer["reg"]
