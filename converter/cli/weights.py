"""Which network is meant where nobody says it: the one that the weights are of."""

from pathlib import Path
from typing import TYPE_CHECKING

from converter.cli.progress import StageLines

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint


def settled(
    arch: str | None, config: Path | None, file: Path | None, allow_pickle: bool, stages: StageLines
) -> "tuple[str | None, Checkpoint | None]":
    """The arch that was given, or that of the weights; and what the checkpoint holds, where it was read for that.

    Returns:
        (None, ...) where neither says it: the config's first is meant.

    Raises:
        UsageError: for a config that cannot be read.
        CheckpointError: for a checkpoint that cannot be read.
    """
    from converter.spec.config import read_yaml
    from converter.spec.options import check_checkpoint
    from converter.util.stages import Stages

    if arch is not None or file is None or (config and "archs" in read_yaml(config)):
        return arch, None
    check_checkpoint(file)
    with stages, Stages(stages)("import") as notes:
        from converter.network.checkpoint import read_checkpoint
        from converter.network.recognise import arch_of

        checkpoint = read_checkpoint(file, allow_pickle)
        notes.append("torch, the checkpoint")
    return arch_of(checkpoint.state), checkpoint
