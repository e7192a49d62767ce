"""A network's weights as a checkpoint of its own, with the keys that official code reads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import ConversionError, UsageError
from converter.util.atomic import obstacle_to_file, replacing
from converter.util.version import version

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork

MARK = "lighttrack-export checkpoint"  # begins a file of ours, which alone is replaced


def check_place(path: Path, export: Path) -> None:
    """Refuse a file that could not be written, or that would go with the next export.

    Raises:
        UsageError: saying why.
    """
    if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(export)):
        raise UsageError(f"--save-checkpoint {path}: lies in the export, which is replaced as a whole; expected a file")
    if reason := obstacle_to_file(path, MARK.encode()):
        raise UsageError(f"--save-checkpoint {path}: {reason}")


@contextmanager
def saving(path: Path, arch: str, network: "LoadedNetwork") -> Iterator[None]:
    """Write the weights beside the path, and put the file in place when the block has ended well.

    It holds tensors, texts and numbers only: epoch, arch and state_dict as official trainings write them, and the
    path name.

    Raises:
        ConversionError: when it cannot be written.
    """
    import torch

    checkpoint = network.checkpoint
    tensors = {key: value for key, value in checkpoint.state.items() if isinstance(value, torch.Tensor)}
    state = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    epoch = {} if checkpoint.epoch is None else {"epoch": checkpoint.epoch}
    about = {"generator": f"{MARK} {version()}", **epoch, "arch": arch, "path_name": network.path_name}
    with replacing(path) as draft:
        try:
            with draft.open("wb") as file:
                torch.save({**about, "state_dict": state}, file)
        except (OSError, RuntimeError) as error:  # torch says it either way
            reason = error.strerror if isinstance(error, OSError) else str(error).partition("\n")[0]
            raise ConversionError(f"cannot write {path}: {reason}") from None
        yield
