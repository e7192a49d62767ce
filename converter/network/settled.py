"""Which network is meant where nobody says it: the one that the weights are of."""

from pathlib import Path
from typing import TYPE_CHECKING

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
) -> "tuple[str | None, Checkpoint | None]":
    """The arch that was given, or that of the weights; and what the checkpoint holds, where it was read for that.

    Returns:
        (None, ...) where neither says it: the config's first is meant.

    Raises:
        UsageError: for a config that cannot be read.
        CheckpointError: for a checkpoint that cannot be read.
    """
    if arch is not None or not isinstance(weights, Path) or (config and "archs" in read_yaml(config)):
        return arch, None
    check_checkpoint(weights)
    with Stages(progress)("import") as notes:
        from converter.network.checkpoint import read_checkpoint
        from converter.network.recognise import arch_of

        checkpoint = read_checkpoint(weights, allow_pickle)
        notes.append("torch, the checkpoint")
    return arch_of(checkpoint.state), checkpoint
