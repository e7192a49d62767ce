"""How LightTrack's own methods are called: the reference of every comparison."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def _as_before(network: Any) -> Iterator[None]:
    """Nothing of the calls in the block stays on the network."""
    before = dict(network.__dict__)
    try:
        yield
    finally:
        network.__dict__.clear()
        network.__dict__.update(before)


def reference(network: Any, feed: dict[str, Any]) -> dict[str, Any]:
    """``template()`` and ``track()`` as they stand."""
    features = []
    hook = network.features.register_forward_hook(lambda module, inputs, output: features.append(output))
    try:
        zf = template(network, feed)
        return {"zf": zf, **track(network, zf, feed), "xf": features[-1]}
    finally:
        hook.remove()


def template(network: Any, crop: dict[str, Any]) -> Any:
    """What the network remembers of a template."""
    with _as_before(network):
        network.template(crop["z"])
        return network.zf


def track(network: Any, zf: Any, crop: dict[str, Any]) -> dict[str, Any]:
    """The answer for a search crop, by meaning."""
    with _as_before(network):
        network.zf = zf
        cls, reg = network.track(crop["x"])
        return {"cls": cls, "reg": reg}
