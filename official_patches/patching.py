"""Patches as data, and one context manager that applies and undoes them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

_ABSENT = object()


@dataclass(frozen=True)
class PatchSpec:
    """One attribute to replace for a while.

    Attributes:
        owner: instance, class or module that has the attribute.
        attribute: its name.
        replacement: the value to put there.
        reason: why; for the reader and for error messages.
    """

    owner: Any
    attribute: str
    replacement: Any
    reason: str


@contextmanager
def patched(*specs: PatchSpec) -> Iterator[None]:
    """Apply the patches in order and undo them in reverse, also when one of them or the body fails.

    An attribute that the owner only inherits is deleted again, so nothing stays behind on it.
    """
    with ExitStack() as stack:
        for spec in specs:
            own = _own(spec.owner, spec.attribute)
            setattr(spec.owner, spec.attribute, spec.replacement)
            if own is _ABSENT:
                stack.callback(delattr, spec.owner, spec.attribute)
            else:
                stack.callback(setattr, spec.owner, spec.attribute, own)
        yield


def _own(owner, attribute):
    """What the owner itself holds: torch keeps submodules in a dict beside the instance's own."""
    for store in (vars(owner), vars(owner).get("_modules", {})):
        if attribute in store:
            return store[attribute]
    return _ABSENT
