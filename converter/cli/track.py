"""``lt-track``: parse, call converter.api.track, print."""

import logging
from functools import partial
from typing import TYPE_CHECKING

import typer

from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import models, network, output
from converter.cli.options import track as options
from converter.cli.progress import Interruption, StageLines
from converter.cli.terminal import put_json, summary_console
from converter.errors import ConverterError

if TYPE_CHECKING:
    from converter.track.result import TrackResult
    from converter.track.run import Tracking

log = logging.getLogger(__name__)

ABOUT = (
    "Track a target with the models of an export.\n\n"
    "The official procedure of the network's family around ncnn or onnxruntime: no checkpoint and no torch. Files that "
    "are not those of the manifest are refused. What was tracked is kept, whatever ends it."
)
EPILOG = (
    "Exit codes: 0 tracked to the end, 1 files or manifest were changed, or an answer cannot be used, 2 wrong usage, "
    "4 something could not be run or written, 5 missing or unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the "
    "traceback to an error."
)
ADVICE = {
    "EXPORT": "lt-track tracks with folders that lt-export wrote; lt-export CHECKPOINT makes one",
    "VIDEO": "pass a video, a folder of pictures, a camera's number or an address: lt-track EXPORT VIDEO --box x,y,w,h",
}

command = Command("lt-track", ABOUT, EPILOG, ADVICE, undone="nothing was tracked")


@command.entry
def track_command(
    context: typer.Context,
    export: models.Export,
    source: options.Source,
    box: options.Box = None,
    format: models.Formats = None,
    search_size: network.SearchSize = None,
    config: network.Config = None,
    start: options.Start = 0,
    frames: options.Frames = None,
    lost: options.Lost = None,
    groundtruth: options.GroundTruth = None,
    csv: options.Csv = None,
    video: options.Video = None,
    pictures: options.Pictures = None,
    show: options.Show = False,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.api import track

    work = partial(
        track,
        export,
        source,
        box,
        formats=format or (),
        search_size=search_size,
        config=config,
        start=start,
        frames=frames,
        lost=lost,
        groundtruth=groundtruth,
        csv=csv,
        video=video,
        pictures=pictures,
        show=show,
    )
    _run(work, context.obj, verbose, quiet)


def _run(work: "partial[Tracking]", session: Session, verbose: bool, quiet: bool) -> None:
    from converter.report.terminal import print_section
    from converter.track.run import LAST_STAGE

    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        tracking = work(progress=progress)
        try:
            result = _tracked(tracking, session.interruption)
        except Interruption.Interrupted:  # a camera's usual end
            if tracking.result.rows and not (session.as_json or quiet):
                print_section(summary_console(False), tracking.result.section(), verbose)
            raise
    if session.as_json:
        put_json(result.as_dict())
    elif not quiet:
        print_section(summary_console(False), result.section(), verbose)


def _tracked(tracking: "Tracking", interruption: Interruption) -> "TrackResult":
    """All of it; of a track that ends early, what there is is kept and told."""
    interruption.saves, interruption.rescue = True, tracking.rescue
    try:
        for _ in tracking:
            pass
    except BaseException as error:
        tracking.close()
        kept = interruption.undone = tracking.result.kept()
        if tracking.result.rows:
            if isinstance(error, ConverterError):
                log.warning("ended early: %s", kept)
            error.result = tracking.result  # type: ignore[attr-defined]
        raise
    interruption.rescue = None
    return tracking.result


call, main = command.call, command.main

if __name__ == "__main__":
    main()
