"""``--runtime``, and the options that are about one of them."""

from collections.abc import Sequence

from converter.checks.device.runtime import Runtime
from converter.errors import UsageError, did_you_mean


def refuse_without(runtime: Runtime, wanted: object) -> None:
    """Raises UsageError for an option of a runtime that was not asked for.

    Args:
        wanted: an object whose attributes are the options.
    """
    for name, value in vars(wanted).items():
        if value is not None and value is not False:
            raise UsageError(f"{runtime.option(name)} is about --runtime {runtime.name}; pass that too")


def runtimes_of(names: Sequence[str] | None, accepted: Sequence[str], otherwise: str = "") -> tuple[str, ...]:
    """What ``--runtime`` was given.

    Args:
        accepted: those that the command takes.
        otherwise: more to say of another one.

    Raises:
        UsageError: for an unknown one.
    """
    for name in names or ():
        if name not in accepted:
            expected = accepted[0] if len(accepted) == 1 else f"one of {', '.join(accepted)}"
            raise UsageError(f"--runtime {name}: expected {expected}{otherwise}{did_you_mean(name, accepted)}")
    return tuple(names or ())
