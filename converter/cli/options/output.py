"""What is written and printed, and where."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.ci import junit_obstacle
from converter.cli.options.declare import option
from converter.util.version import version

_option = partial(option, panel="Output")


def _print_version(context: typer.Context, asked: bool) -> None:
    if asked:
        print(f"{context.info_name} {version()}")
        raise typer.Exit


def _note_json(context: typer.Context, asked: bool) -> bool:
    """A command that fails while its other options are read knows already whether JSON was asked for."""
    context.obj.as_json = asked
    return asked


def _note_junit(context: typer.Context, path: Path | None) -> Path | None:
    """Likewise; a file that could not be written is refused first."""
    if path is not None:
        if reason := junit_obstacle(path):
            raise typer.BadParameter(reason)
        context.obj.ci.junit = path
    return path


Output = Annotated[
    Path | None,
    _option(
        "--output -o DIR",
        "Folder to publish (default: exports/<arch>, and behind it whatever was asked for that makes other models).",
    ),
]
KeepTorchscript = Annotated[bool, _option("--keep-torchscript", "Publish the traced .pt files too.")]
Golden = Annotated[
    Path | None,
    _option(
        "--golden DIR",
        "Golden vectors: inputs, outputs and inner tensors of every graph, also for tests on a device. lt-export "
        "writes them there; inside the output folder they belong to the export. lt-verify compares with them where no "
        "checkpoint is given, or writes them with --write-golden (default: the export's, its folder golden).",
    ),
]
SaveCheckpoint = Annotated[
    Path | None,
    _option(
        "--save-checkpoint FILE",
        "Write the weights as a checkpoint of their own too, as official code does: of a supernet the subnet's.",
    ),
]
WriteGolden = Annotated[bool, _option("--write-golden", "Write golden vectors into the folder that --golden names.")]
GoldenFrom = Annotated[
    str,
    _option(
        "--golden-from NAME",
        "Who computes what --write-golden writes: torch (default), or ncnn-arm64 or ncnn-vulkan in the one --arm-mode "
        "or --vulkan-mode, for a device with the same kernels.",
    ),
]
Annotate = Annotated[Path | None, _option("--annotate OUT", "The clip with both boxes drawn: .mp4, .avi or a folder.")]
Tracks = Annotated[Path | None, _option("--tracks FILE", "The boxes and scores of every frame, as .csv.")]
Reports = Annotated[
    list[Path] | None, _option("--report FILE", "A page to sign off, .html, or .md for a pull request; repeatable.")
]
Pages = Annotated[
    list[Path] | None,
    _option("--report FILE", "The table and its drawings as a page, .html, or as .md; repeatable."),
]
Junit = Annotated[
    Path | None,
    _option(
        "--junit FILE.xml",
        "A test case for every check as JUnit's XML, for a CI service; written when the run fails, too.",
        callback=_note_junit,
        is_eager=True,
    ),
]
Plot = Annotated[Path | None, _option("--plot FILE", "Draw the figures, as .png or .svg.")]
PerGraph = Annotated[bool, _option("--per-graph", "List the times of single graphs too.")]
Json = Annotated[
    bool,
    _option(
        "--json",
        "Print the result to stdout as JSON, that of lt-export being the manifest, and nothing else.",
        callback=_note_json,
        is_eager=True,
    ),
]
Verbose = Annotated[
    bool, _option("--verbose -v", "Figures for every input, layer and graph, where the time went, and debug messages.")
]
Quiet = Annotated[bool, _option("--quiet -q", "Print nothing on success, and one line on failure.")]
Version = Annotated[bool, _option("--version", "Print the version and exit.", callback=_print_version, is_eager=True)]
