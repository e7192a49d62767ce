"""Which network is meant where nobody says it: the one that the weights are of."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import ConverterError
from converter.families.choice import known_archs
from converter.spec.options import NetworkInMemory, check_checkpoint
from converter.spec.yaml_file import read_yaml
from converter.util.stages import Listener, Stages

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint


def settled(
    arch: str | None,
    config: Path | None,
    weights: Path | NetworkInMemory | None,
    allow_pickle: bool,
    progress: Listener | None,
    refuse: Callable[[str], object] | None = None,
) -> "tuple[str | None, Checkpoint | None]":
    """The arch that was given, or that of the weights; and what the checkpoint holds, where it was read for that.

    Args:
        refuse: raises what stands against an arch before its weights are known. The file is not read where every
            arch is refused for the same option.

    Returns:
        (None, ...) where neither says it: the config's first is meant.

    Raises:
        ConverterError: what ``refuse`` raises.
        UsageError: for a config that cannot be read.
        CheckpointError: for a checkpoint that cannot be read.
    """
    if (
        arch is not None
        or not isinstance(weights, Path)
        or (config and {"archs", "extends"} & read_yaml(config).keys())
    ):
        return arch, None
    check_checkpoint(weights)
    if refuse and (error := _of_all(refuse)):
        raise error
    with Stages(progress)("import") as notes:
        from converter.network.checkpoint import read_checkpoint
        from converter.network.recognise import arch_of

        checkpoint = read_checkpoint(weights, allow_pickle)
        notes.append("torch, the checkpoint")
    return arch_of(checkpoint.state), checkpoint


def _of_all(refuse: Callable[[str], object]) -> ConverterError | None:
    """What is said against the first arch, where the same option is refused of all."""
    errors = []
    for arch in known_archs():
        try:
            refuse(arch)
        except ConverterError as error:
            errors.append(error)
        else:
            return None
    return errors[0] if len({str(error).partition(": ")[0] for error in errors}) == 1 else None
