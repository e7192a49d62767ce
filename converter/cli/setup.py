"""``lt-setup``: say what is there and what is missing, set something up, take it away."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import output
from converter.cli.options.declare import option
from converter.cli.progress import StageLines
from converter.cli.terminal import put, put_json, summary_console
from converter.errors import DependencyError, UsageError

ABOUT = (
    "Say what is installed here and what is missing, what each is for and how to get it.\n\n"
    "With a NAME, set up what one check or format needs beyond Python packages, in your cache; nothing is installed. "
    "arm: the emulated ARM cpu of --runtime ncnn-arm64, and vulkan: llvmpipe, a Vulkan device on the CPU, for "
    "--runtime ncnn-vulkan, both from the packages of this Debian or Ubuntu; cpp: ncnn's C++ library for what lt-cpp "
    "writes, built of its source; rknn: Rockchip's rknn-toolkit2 (proprietary, some 450 MB to fetch, 1.5 GB on the "
    "disk) with a Python 3.11 of its own, for --format rknn."
)
EPILOG = (
    "Exit codes: 0 done, and lt-export can run, 2 wrong usage, 4 something could not be removed, 5 missing or unusable "
    "dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to an error."
)
LAST_STAGE = "setup"  # none is called so: all of it can be interrupted
PANEL = "What to set up"

Name = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="What to set up: arm, cpp, rknn, vulkan.", show_default=False)
]
Remove = Annotated[
    str | None, option("--remove NAME", "Take away what lt-setup NAME built, and nothing else.", panel=PANEL)
]
Folder = Annotated[
    Path | None,
    option(
        "--folder DIR",
        "Where it is or is to be (default: LT_ARM_ROOT, LT_CPP_ROOT, LT_RKNN_ROOT, LT_VULKAN_ROOT or a folder in your "
        "cache).",
        PANEL,
    ),
]

command = Command("lt-setup", ABOUT, EPILOG, undone="nothing was set up")


@command.entry
def setup_command(
    context: typer.Context,
    name: Name = None,
    remove: Remove = None,
    folder: Folder = None,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    if name and remove:
        raise UsageError(f"lt-setup {name} --remove {remove}: pass one of the two")
    if folder and not (name or remove):
        raise UsageError(f"--folder {folder}: pass the NAME of what is in it or is to be, as lt-setup arm --folder DIR")
    if name:
        set_up(name, folder, context.obj, quiet)
    elif remove:
        _remove(remove, folder, context.obj, quiet)
    else:
        _look(context.obj, verbose, quiet)


def set_up(name: str, folder: Path | None, session: Session, quiet: bool) -> None:
    """What a check needs is there afterwards.

    Args:
        folder: None for the default one.
    """
    from rich.text import Text

    from converter.installation.look import setup_named
    from converter.util.stages import Stages

    setup = setup_named(name)
    session.interruption.undone = "nothing was set up"  # whichever command does it
    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        tool, built = setup.build(folder or setup.folder(), Stages(progress))
    if session.as_json:
        put_json({"folder": str(tool.folder), "built": built, **tool.figures})
    elif not quiet:
        console = summary_console(False)
        state = Text("ready" if built else "is there already", "bold green")
        console.print(state, Text(str(tool.folder)), soft_wrap=True)
        console.print(Text(tool.summary, "dim"), soft_wrap=True)


def _remove(name: str, folder: Path | None, session: Session, quiet: bool) -> None:
    from converter.installation.look import setup_named

    setup = setup_named(name)
    place = Path(os.path.abspath(folder or setup.folder()))
    session.interruption.undone = f"lt-setup --remove {name} removes what is left"
    removed = setup.remove(place)
    if session.as_json:
        put_json({"folder": str(place), "removed": removed})
    elif not quiet:
        put(f"removed {place}" if removed else f"nothing to remove: {place} does not exist", sys.stdout)


def _look(session: Session, verbose: bool, quiet: bool) -> None:
    from converter.installation.look import look
    from converter.report.terminal import print_section

    with StageLines(session.interruption, quiet, last=LAST_STAGE) as progress:
        installation = look(progress)
    if not quiet and not session.as_json:
        print_section(summary_console(False), installation.section(), verbose)
    if not installation:
        raise DependencyError(installation.failure(), installation)
    if session.as_json:
        put_json(installation.as_dict())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
