"""``lt-quantize``: parse, call converter.api.quantize, print."""

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
from converter.errors import VerificationError

if TYPE_CHECKING:
    from converter.quantize.result import QuantizeResult

ABOUT = (
    "Make int8 models of a tracker where int8 pays, and prove on clips that they still track.\n\n"
    "Calibrates on some clips and judges on the others, each in turn; searches for the blocks that may compute in int8 "
    "by the boxes that come of it, and publishes the smallest models that pass on every clip, or says what hurts. What "
    "was measured is kept beside the output: a search that was ended in whatever way goes on where it was."
)
EPILOG = (
    "Exit codes: 0 published and verified, 1 no int8 models track as the network does, 2 wrong usage, or fewer than "
    "two clips that the network itself survives, 3 checkpoint, 4 something could not be run or written, 5 missing or "
    "unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to an error."
)

_option = partial(option, panel="What to fit to")
Clips = Annotated[
    list[Path] | None,
    _option("--clip FILE", "A video or a folder of pictures with one target; two or more, each of which judges."),
]
Boxes = Annotated[
    list[str] | None,
    _option("--box X,Y,W,H", "The target in the first frame of a clip; the n-th is for the n-th --clip."),
]
Format = Annotated[str, _option("--format NAME", "Of the models: ncnn (default), onnx or rknn.")]
Samples = Annotated[int, _option("--samples N", "How many to calibrate on, of all clips together (default: 48).")]
Frames = Annotated[
    int,
    _option(
        "--frames N",
        "How many frames of each clip the search looks at (default: 24); what it finds is judged on all frames, RKNN "
        "models, which run in the simulator, on these.",
    ),
]
Folder = Annotated[
    Path | None,
    option(
        "--output -o DIR",
        "Folder to publish; beside it DIR.search keeps what was measured, and a page with the front.",
        "Output",
    ),
]

command = Command(
    "lt-quantize",
    ABOUT,
    EPILOG,
    undone="nothing was published; what was measured is kept, and the same call goes on from there",
)


@command.entry
def quantize_command(
    context: typer.Context,
    checkpoint: network.CheckpointFile = None,
    resume: network.Resume = None,
    output: Folder = None,
    clip: Clips = None,
    box: Boxes = None,
    format: Format = "ncnn",
    samples: Samples = 48,
    frames: Frames = 24,
    seed: checks.Seed = None,
    arch: network.Arch = None,
    path_name: network.PathName = None,
    head_blocks: network.HeadBlocks = None,
    template_size: network.TemplateSize = None,
    search_size: network.SearchSize = None,
    masks: models.Masks = False,
    target: models.Target = None,
    normalise: models.Normalise = None,
    official: network.Official = None,
    config: network.Config = None,
    allow_pickle: network.AllowPickle = False,
    plot: outputs.Plot = None,
    report: outputs.Reports = None,
    as_json: outputs.Json = False,
    verbose: outputs.Verbose = False,
    quiet: outputs.Quiet = False,
    version: outputs.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    weights = network.checkpoint_of(checkpoint, resume)
    from converter.api import quantize

    work = partial(
        quantize,
        weights,
        output,
        clip=clip or (),
        box=box or (),
        formats=format,
        samples=samples,
        frames=frames,
        seed=seed or 0,
        arch=arch,
        path_name=path_name,
        head_blocks=head_blocks,
        template_size=template_size,
        search_size=search_size,
        masks=masks,
        target=target,
        normalise=models.normalise_of(normalise),
        official=official,
        config=config,
        allow_pickle=allow_pickle,
        plot=plot,
        reports=report or (),
        command_line=context.obj.command_line,
    )
    _run(work, context.obj, verbose, quiet)


def _run(work: "partial[QuantizeResult]", session: Session, verbose: bool, quiet: bool) -> None:
    from converter.quantize.page import section_of
    from converter.report.terminal import print_section

    with StageLines(session.interruption, quiet) as progress:
        result = work(progress=progress)
    if not (quiet or session.as_json):
        print_section(summary_console(False), section_of(result), verbose)
    if not result:
        raise VerificationError(f"{result.refusal}; nothing was published", result=result)
    if session.as_json:
        put_json(result.as_dict())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
