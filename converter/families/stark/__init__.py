"""STARK-Lightning: one transformer layer, and a corner head of several kinds."""

from typing import TYPE_CHECKING

from converter.families.family import Family
from converter.families.stark import calls, variant
from converter.families.stark.tracking import Constants, StarkProcedure

if TYPE_CHECKING:
    from converter.families.stark.network import StarkLightning


def _build(name: str, template_size: int, search_size: int) -> "StarkLightning":
    from converter.families.stark.network import build

    return build(variant.parse_variant(name), template_size, search_size)


FAMILY = Family(
    dimensions=variant.dimensions,
    build=_build,
    reference=calls.reference,
    template=calls.template,
    track=calls.track,
    recognise=variant.recognise,
    procedure=StarkProcedure,
    constants=Constants,
    arch=lambda name: "STARK_Lightning",
    root="STARK_ROOT",
    settle=variant.settle,
    ignores=variant.ignores,
    covers=variant.covers,
    sizes=lambda shapes, asked: variant.sizes(shapes) or asked,
    words=variant.words,
    with_blocks=variant.with_blocks,
    called="corner head",
    methods="forward_backbone() and forward_transformer()",
    cpp=("stark/tracking.hpp",),
)
