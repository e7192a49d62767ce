"""What to track, where to begin, and what to write of it."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.options.declare import option

_what = partial(option, panel="What to track")
_output = partial(option, panel="Output")

Source = Annotated[
    str,
    typer.Argument(
        metavar="VIDEO",
        help="A video, a folder of pictures or a pattern (img_%04d.png), a camera's number, or an address that OpenCV "
        "opens (rtsp://…).",
        show_default=False,
    ),
]
Box = Annotated[
    str | None,
    _what(
        "--box X,Y,W,H",
        "The target in the first frame, in pixels (default: the ground truth's; else a window opens to draw it in with "
        "the mouse).",
    ),
]
Start = Annotated[int, _what("--start N", "Number of the frame to begin with (default: 0).", min=0)]
Frames = Annotated[
    int | None, _what("--frames N", "How many frames at most, the first one included (default: all).", min=2)
]
Lost = Annotated[
    float | None,
    _what(
        "--lost X",
        "Score below which the target counts as lost (default: half of the score in the first frame that is tracked).",
        min=0,
        max=1,
    ),
]
GroundTruth = Annotated[
    Path | None,
    _what(
        "--groundtruth FILE",
        "x,y,w,h of the target, a line for every frame of the clip; NaN, or no sides, where there is none. Adds AO and "
        "success at 0.5 and 0.75 as GOT-10k defines them: without the first frame and without frames that have no "
        "target, boxes cut off at the frame's edges.",
    ),
]
Csv = Annotated[Path | None, _output("--csv FILE", "Box and score of every frame, as .csv.")]
Video = Annotated[Path | None, _output("--video FILE", "The clip with the box drawn, .mp4 or .avi.")]
Pictures = Annotated[Path | None, _output("--pictures DIR", "Likewise, a .png for every frame.")]
Show = Annotated[bool, _output("--show", "Show it in a window meanwhile; q or Escape ends it.")]
