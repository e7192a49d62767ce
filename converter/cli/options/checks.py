"""What to check, on what, and how closely."""

from functools import partial
from pathlib import Path
from typing import Annotated

from converter.cli.options.declare import option

_option = partial(option, panel="What to check")
_measure = partial(option, panel="How to measure")

Images = Annotated[list[Path] | None, _option("--image FILE", "Compare on crops of this picture too; repeatable.")]
Seed = Annotated[int | None, _option("--seed N", "Of the noise (default: 0; for lt-verify, the export's).", min=0)]
Atol = Annotated[
    float | None,
    _option("--atol X", "Absolute tolerance of every output, instead of the config's or the export's.", min=0),
]
Rtol = Annotated[
    float | None,
    _option(
        "--rtol X", "Tolerance as a share of the output's range, instead of the config's 1e-4 or the export's.", min=0
    ),
]
NoVerify = Annotated[bool, _option("--no-verify", "Publish without proof; the manifest then says so.")]
Runtimes = Annotated[
    list[str] | None,
    _option(
        "--runtime NAME",
        "ncnn-arm64: run the ncnn models on an emulated ARM cpu too, with its half kernels; lt-export does so before "
        "anything is published. For lt-verify also ncnn or onnxruntime: of an export with both, only this one's "
        "models, and ncnn-vulkan: the ncnn models on a Vulkan device too. Repeatable.",
    ),
]
Layers = Annotated[bool, _option("--layers", "Find the first wrong layer, and list every layer's error.")]
Clip = Annotated[Path | None, _option("--clip FILE", "Track a video or a folder of pictures with each model.")]
Box = Annotated[str | None, _option("--box X,Y,W,H", "The target in the clip's first frame, in pixels.")]
Cpp = Annotated[
    Path | None,
    _option(
        "--cpp DIR",
        "Build the C++ tracker that lt-cpp wrote there, compare it on the --clip with the procedure in Python and the "
        "same ncnn models, and name the first stage that differs. No other check is made.",
    ),
]
MinIou = Annotated[
    float | None,
    _option(
        "--min-iou X",
        "The mean overlap of the boxes that passes, in one step from the network's own (default: the config's).",
        min=0,
        max=1,
    ),
]
Dumps = Annotated[
    Path | None,
    _option(
        "--dumps DIR",
        "Compare what a device wrote (.npy, raw .bin, .txt; NCHW or NHWC) with the golden vectors, and say why it "
        "differs.",
    ),
]
Fp16Report = Annotated[
    bool, _option("--fp16-report", "Ranges of every ncnn layer in half precision, and the errors to expect.")
]

Threads = Annotated[list[int] | None, _measure("--threads N", "How many; repeatable (default: 1 and 2).")]
Precisions = Annotated[list[str] | None, _measure("--precision NAME", "fp32 or half; repeatable (default: both).")]
Rounds = Annotated[int | None, _measure("--rounds N", "In each, everybody has one turn (default: 20).")]
Runs = Annotated[int | None, _measure("--runs N", "Of init and of update that are timed in a turn (default: 3).")]
Seconds = Annotated[
    float | None,
    _measure("--seconds X", "How long the whole run may take, loading included (default: 120); one round is measured."),
]
OrderSeed = Annotated[int, _measure("--seed N", "Of the order of the turns, and the input (default: 0).", min=0)]
