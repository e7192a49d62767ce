"""NanoTrack: three versions of a small siamese network; a template's features and a search crop give cls and loc."""

from functools import cache
from typing import TYPE_CHECKING

from converter.families.calls import Calls
from converter.families.family import Family, Shapes
from converter.families.nanotrack import version
from converter.families.nanotrack.tracking import OUTPUTS, NanoTrackProcedure
from converter.families.siamese import Constants

if TYPE_CHECKING:
    from converter.families.nanotrack.network import NanoTrack

CALLS = Calls("backbone", ("cls", "loc"))


def _build(name: str, template_size: int | None = None, search_size: int | None = None) -> "NanoTrack":
    from converter.families.nanotrack.network import build

    return build(version.version_of(name))


@cache
def _shapes(name: str) -> Shapes:
    return {key: tuple(value.shape) for key, value in _build(name).state_dict().items()}


def _recognise(shapes: Shapes) -> str | None:
    if not any(key.startswith(version.HEAD) for key in shapes):
        return None
    return version.closest(shapes, {each.name: _shapes(each.name) for each in version.VERSIONS})


FAMILY = Family(
    dimensions=version.dimensions,
    build=_build,
    reference=CALLS.reference,
    template=CALLS.template,
    track=CALLS.track,
    recognise=_recognise,
    procedure=NanoTrackProcedure,
    constants=Constants,
    arch=lambda name: version.version_of(name).arch,
    root="NANOTRACK_ROOT",
    ignores=version.ignores,
    called="version",
    best=OUTPUTS.best,
    score_maps=OUTPUTS.ranks,
    cpp=("nanotrack/tracking.hpp", "siamese.hpp"),
)
