"""Toy: a network of three convolutions, to show what a family consists of."""

from typing import Any

from converter.families.family import Family
from converter.families.toy.tracking import ToyProcedure
from converter.spec.dimensions import Dimensions

STRIDE, CHANNELS = 8, 8


def _dimensions(path_name: str, template_size: int, search_size: int) -> Dimensions:
    cells = (-(-size // STRIDE) for size in (template_size, search_size))
    return Dimensions(template_size, search_size, STRIDE, CHANNELS, *cells)


def _build(path_name: str, template_size: int, search_size: int) -> Any:
    import torch

    from converter.families.toy.network import ToyNet

    with torch.device("meta"):
        return ToyNet(CHANNELS, STRIDE)


def _template(network: Any, crop: dict[str, Any]) -> Any:
    network.template(crop["z"])
    return network.__dict__.pop("zf")


def _track(network: Any, zf: Any, crop: dict[str, Any]) -> dict[str, Any]:
    network.zf = zf
    cls, reg = network.track(crop["x"])
    del network.zf
    return {"cls": cls, "reg": reg}


def _reference(network: Any, feed: dict[str, Any]) -> dict[str, Any]:
    zf = _template(network, feed)
    return {"zf": zf, "xf": network.extract(feed["x"]), **_track(network, zf, feed)}


FAMILY = Family(
    dimensions=_dimensions,
    build=_build,
    reference=_reference,
    template=_template,
    track=_track,
    recognise=lambda shapes: "toy" if shapes.get("features.weight") == (CHANNELS, 3, 3, 3) else None,
    procedure=ToyProcedure,
    arch=lambda name: "ToyNet",
    root="TOY_ROOT",
)
