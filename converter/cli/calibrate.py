"""``lt-calibrate``: parse, call converter.api.calibrate, print."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import checks, models, network
from converter.cli.options import output as outputs
from converter.cli.options.declare import option
from converter.cli.progress import StageLines
from converter.cli.terminal import put_json, summary_console

if TYPE_CHECKING:
    from converter.calibrate.read import CalibrationSet

ABOUT = (
    "Make a calibration set for quantisers: what a tracker's graphs are fed with on clips.\n\n"
    "Tracks with the network and writes the inputs of every graph, those of a graph with several in matching pairs, "
    "spread over time, sizes and scores: for RKNN-Toolkit, ncnn2table, onnxruntime, TensorRT and Horizon."
)
EPILOG = (
    "Exit codes: 0 written, or the set that --check names is of this network, 1 its files were changed, 2 wrong usage, "
    "or it is of another network or normalisation, 3 checkpoint, 4 something could not be run or written, 5 missing or "
    "unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to an error."
)

_option = partial(option, panel="What to calibrate on")
Clips = Annotated[
    list[Path] | None, _option("--clip FILE", "A video or a folder of pictures with one target; repeatable.")
]
Boxes = Annotated[
    list[str] | None,
    _option("--box X,Y,W,H", "The target in the first frame of a clip; the n-th is for the n-th --clip."),
]
Images = Annotated[
    list[Path] | None,
    _option("--image FILE", "A picture, or a crop that was cut already, beside the clips; repeatable."),
]
Samples = Annotated[int, _option("--samples N", "How many to choose of all clips together (default: 32).")]
Layouts = Annotated[
    list[str] | None,
    _option(
        "--layout NAME",
        "npy for RKNN-Toolkit and onnxruntime, ncnn for ncnn2table, raw for TensorRT and Horizon; repeatable "
        "(default: all).",
    ),
]
Check = Annotated[
    Path | None, _option("--check DIR", "Hold a set that is there already against the network, and make none.")
]
Folder = Annotated[
    Path | None,
    option("--output -o DIR", "Folder to write: a new one, or an earlier set with nothing else in it.", "Output"),
]

command = Command("lt-calibrate", ABOUT, EPILOG, {})


@command.entry
def calibrate_command(
    context: typer.Context,
    checkpoint: network.CheckpointFile = None,
    resume: network.Resume = None,
    output: Folder = None,
    clip: Clips = None,
    box: Boxes = None,
    image: Images = None,
    samples: Samples = 32,
    layout: Layouts = None,
    check: Check = None,
    seed: checks.Seed = None,
    arch: network.Arch = None,
    path_name: network.PathName = None,
    head_blocks: network.HeadBlocks = None,
    template_size: network.TemplateSize = None,
    search_size: network.SearchSize = None,
    masks: models.Masks = False,
    official: network.Official = None,
    config: network.Config = None,
    allow_pickle: network.AllowPickle = False,
    as_json: outputs.Json = False,
    verbose: outputs.Verbose = False,
    quiet: outputs.Quiet = False,
    version: outputs.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    weights = network.checkpoint_of(checkpoint, resume)
    from converter.api import calibrate

    work = partial(
        calibrate,
        weights,
        output,
        clip=clip or (),
        box=box or (),
        images=image or (),
        samples=samples,
        layout=layout or (),
        check=check,
        seed=seed or 0,
        arch=arch,
        path_name=path_name,
        head_blocks=head_blocks,
        template_size=template_size,
        search_size=search_size,
        masks=masks,
        official=official,
        config=config,
        allow_pickle=allow_pickle,
    )
    _run(work, context.obj, quiet, checked=check is not None)


def _run(work: "partial[CalibrationSet]", session: Session, quiet: bool, checked: bool) -> None:
    from rich.text import Text

    from converter.calibrate.api import LAST_STAGE

    with StageLines(session.interruption, quiet, last="check" if checked else LAST_STAGE) as progress:
        found = work(progress=progress)
    if session.as_json:
        put_json(found.as_dict())
    elif not quiet:
        console = summary_console(False)
        verdict = "of this network" if checked else "written"
        console.print(Text(verdict, "bold green"), Text(f"{found.folder}: {len(found)} samples"), soft_wrap=True)
        for graph in found.listing.graphs:
            names = ", ".join(f"{tensor.meaning} {'x'.join(map(str, tensor.shape))}" for tensor in graph.inputs)
            console.print(Text(f"{graph.name}: {names}", "dim"), soft_wrap=True)


call, main = command.call, command.main

if __name__ == "__main__":
    main()
