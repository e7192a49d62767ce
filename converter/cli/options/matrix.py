"""Which cells a matrix has, and how they are worked off."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.options.declare import option

_cells = partial(option, panel="Which cells")
_run = partial(option, panel="How they are worked off")

Plan = Annotated[
    Path,
    typer.Argument(
        metavar="PLAN",
        help="A plan (.yaml) with lists of checkpoints, path_names, formats, sizes, presets and precisions; or a "
        "checkpoint.",
        show_default=False,
    ),
]
Paths = Annotated[
    Path | None,
    _cells(
        "--paths FILE",
        "A path name a line, as the official search writes them; AO is read from the file beside it whose name ends in "
        "_metric.",
    ),
]
Formats = Annotated[list[str] | None, _cells("--format NAME", "ncnn or onnx; repeatable.")]
Sizes = Annotated[list[str] | None, _cells("--sizes T/S", "Template and search crop in pixels, 127/288; repeatable.")]
Presets = Annotated[list[str] | None, _cells("--preset NAME", "As of lt-export; repeatable.")]
Precisions = Annotated[list[str] | None, _cells("--precision NAME", "fp32, half or w8; repeatable.")]
Folder = Annotated[
    Path | None, _run("--output -o DIR", "Folder for results, models and table (default: matrix/<name of the plan>).")
]
Workers = Annotated[int, _run("--workers N", "Cells at a time (default: 2).", min=1)]
Timeout = Annotated[float, _run("--timeout SECONDS", "What a cell may take (default: 600).", min=1)]
Memory = Annotated[int | None, _run("--memory MB", "What a cell may take beyond what all share.", min=1)]
Shard = Annotated[str | None, _run("--shard I/N", "Every N-th cell, from the I-th on; for the jobs of a CI service.")]
Keep = Annotated[str, _run("--keep WHICH", "Models that stay on the disk: all (default), none, or best:N by --sort.")]
Sort = Annotated[
    str | None, _run("--sort NAME", "latency, bytes, error or ao (default: latency with --bench, else error).")
]
Bench = Annotated[
    bool, _run("--bench", "Measure the models when all are exported: one after the other, alone on the cores.")
]
BenchSeconds = Annotated[float, _run("--bench-seconds X", "What measuring a cell may take (default: 10).", min=0.1)]
Again = Annotated[bool, _run("--again", "Do cells again that failed in a run before.")]
Executor = Annotated[
    str | None,
    _run(
        "--executor ADDRESS",
        "dask://host:port of a scheduler whose workers take the cells, instead of this machine.",
    ),
]
