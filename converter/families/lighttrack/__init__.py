"""LightTrack: one of many networks, named by its path; a template's features and a search crop give cls and reg."""

import logging
from typing import TYPE_CHECKING

from converter.errors import UsageError
from converter.families.calls import Calls
from converter.families.family import Family
from converter.families.lighttrack import path_name
from converter.families.lighttrack.space import SUPERNET
from converter.families.lighttrack.tracking import OUTPUTS, LightTrackProcedure
from converter.families.siamese import Constants
from converter.spec.dimensions import Dimensions

if TYPE_CHECKING:
    from converter.families.lighttrack.network import Subnet

log = logging.getLogger(__name__)

CALLS = Calls("features", ("cls", "reg"))


def _dimensions(name: str, template_size: int, search_size: int) -> Dimensions:
    """Shapes follow the convolutions (a size is halved, rounding up); the correlation layer's width follows
    the official ``round(template_size / stride) ** 2``, so a template where the two differ has no network."""
    architecture = path_name.parse_path_name(name)
    stride = architecture.stride
    template_cells, search_cells = -(-template_size // stride), -(-search_size // stride)
    if round(template_size / stride) != template_cells:
        raise UsageError(
            f"--template-size {template_size}: the features have {template_cells}x{template_cells} cells but the "
            f"official correlation layer is built for {round(template_size / stride)}x"
            f"{round(template_size / stride)} (stride {stride}); use a multiple of {stride}, or one less"
        )
    if round(search_size / stride) != search_cells:
        log.warning(
            "search size %d: the network answers with %dx%d cells, the official tracker counts round(%d / %d) = %d",
            *(search_size, search_cells, search_cells, search_size, stride, round(search_size / stride)),
        )
    return Dimensions(template_size, search_size, stride, architecture.channels, template_cells, search_cells)


def _build(name: str, template_size: int, search_size: int | None = None) -> "Subnet":
    from converter.families.lighttrack.network import build

    architecture = path_name.parse_path_name(name)
    return build(architecture, -(-template_size // architecture.stride))


FAMILY = Family(
    dimensions=_dimensions,
    build=_build,
    reference=CALLS.reference,
    template=CALLS.template,
    track=CALLS.track,
    recognise=path_name.recognise,
    sizes=path_name.sizes,
    procedure=LightTrackProcedure,
    constants=Constants,
    arch=lambda name: "LightTrackM_Subnet",
    root="LIGHTTRACK_ROOT",
    best=OUTPUTS.best,
    cpp=("lighttrack/tracking.hpp", "siamese.hpp"),
    supernet=SUPERNET,
)
