"""Which network, and where its weights are."""

import os
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.options.declare import option
from converter.cli.parsing import REPEATED, pixels
from converter.errors import CheckpointError, UsageError

_option = partial(option, panel="Which network")
_SEARCH_SIZE = _option(
    "--search-size PIXELS",
    "Search crop (default: the config's, 288 for LightTrack, 255 for NanoTrack, or the export's). For lt-export "
    "repeatable: a model for each size, init for all; for lt-verify, the one size of an export to look at.",
    parser=pixels("--search-size"),
)

CheckpointFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="CHECKPOINT", help="File with the trained weights, of torch.save or .safetensors.", show_default=False
    ),
]
Resume = Annotated[
    Path | None,
    _option(
        "--resume -r FILE",
        "Checkpoint with the trained weights; for lt-export the same as CHECKPOINT. Without it, golden vectors are "
        "lt-verify's reference, and lt-bench leaves torch out.",
    ),
]
Arch = Annotated[
    str | None,
    _option(
        "--arch NAME",
        "LightTrackM_Subnet or LightTrackM_Speed, the same network; NanoTrackV1, NanoTrackV2, NanoTrackV3; "
        "STARK_Lightning (default: as the weights say). An export says it itself.",
    ),
]
Official = Annotated[
    Path | None,
    _option(
        "--official DIR",
        "Build the network from this official checkout instead of our own definition (default: what LIGHTTRACK_ROOT "
        "names; for NanoTrack NANOTRACK_ROOT, for STARK-Lightning STARK_ROOT).",
    ),
]
PathName = Annotated[
    str | None,
    _option(
        "--path-name --path_name NAME",
        "Which network of its family (default: LightTrack-Mobile, or as the weights or the export say); which "
        "subnet of a supernet's checkpoint.",
    ),
]
HeadBlocks = Annotated[
    int | None,
    _option(
        "--head-blocks N", "Depthwise-separable blocks of STARK-Lightning's head, 2 to 6 (default: the checkpoint's)."
    ),
]
TemplateSize = Annotated[
    int | None,
    _option(
        "--template-size PIXELS",
        "Template crop (default: the config's, 127 for LightTrack and NanoTrack, or the export's).",
        parser=pixels("--template-size"),
    ),
]
SearchSize = Annotated[int | None, _SEARCH_SIZE]
SearchSizes = Annotated[list[int] | None, _SEARCH_SIZE]
Stride = Annotated[int | None, _option("--stride PIXELS", "Checked against the network (default: the network's).")]
Config = Annotated[Path | None, _option("--config FILE", "YAML whose keys replace those of the arch's own config.")]
AllowPickle = Annotated[bool, _option("--allow-pickle", "Read checkpoints that run code while they load.")]


def checkpoint_of(argument: Path | None, resume: Path | None) -> Path:
    """The checkpoint, which lt-export takes with or without an option before it.

    Raises:
        UsageError: for none, and for two.
        CheckpointError: as :func:`check_checkpoint`.
    """
    if argument and resume and argument != resume:
        more = "" if os.path.isfile(argument) else f"; {REPEATED}"
        raise UsageError(f"two checkpoints, {argument} and --resume {resume}: expected one of them{more}")
    checkpoint = argument or resume
    if checkpoint is None:
        raise UsageError("no checkpoint: pass the file that training wrote, lt-export CHECKPOINT")
    check_checkpoint(checkpoint)
    return checkpoint


def check_checkpoint(path: Path | None) -> None:
    """Raises:
    CheckpointError: for one that is not there, and for an export or a model in its place.
    """
    from converter.folder.mistaken import in_place_of_checkpoint

    if path and (reason := in_place_of_checkpoint(path)):
        raise CheckpointError(reason)
