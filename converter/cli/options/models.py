"""What models to make, and what models are there."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from converter.cli.options import complete
from converter.cli.options.declare import option
from converter.errors import UsageError
from converter.spec import choices

_option = partial(option, panel="Which models")
EXPORT_HELP = "Folder that lt-export wrote."


def _list_presets(asked: bool) -> None:
    if asked:
        from converter.spec.presets import load_preset, preset_names

        for name in preset_names():
            print(f"{name:<19} {load_preset(name).line()}")
        raise typer.Exit


Export = Annotated[Path, typer.Argument(metavar="EXPORT", help=EXPORT_HELP, show_default=False)]
Exports = Annotated[list[Path] | None, typer.Argument(metavar="[EXPORT]", help=EXPORT_HELP, show_default=False)]
ExportsOfOne = Annotated[
    list[Path],
    typer.Argument(
        metavar="EXPORT",
        help="Folder that lt-export wrote; or several, of one network, to compare their times, bytes and overlaps.",
        show_default=False,
    ),
]
Init = Annotated[Path | None, _option("--init FILE", ".param, .onnx or .rknn of the template's graph.")]
Update = Annotated[Path | None, _option("--update FILE", "The graph of every frame; or these two:")]
Backbone = Annotated[Path | None, _option("--backbone FILE", "Its first half.")]
NeckHead = Annotated[Path | None, _option("--neck-head FILE", "Its second half.")]
Formats = Annotated[
    list[str] | None,
    _option(
        "--format NAME",
        "ncnn or onnx; repeatable; or rknn. What lt-export makes (default: ncnn), or what alone is looked at of an "
        "export with several.",
        autocompletion=complete.formats,
    ),
]
Split = Annotated[
    str | None,
    _option(
        "--split NAME",
        "two: init and update (default for ncnn); three: init, backbone and neck_head (default for onnx, rknn); one, "
        "of LightTrack: a single ncnn model that the template goes through too; shared, of NanoTrack: backbone and "
        "neck_head, with one backbone for both crops.",
    ),
]
PresetName = Annotated[
    str | None,
    _option(
        "--preset NAME",
        "The names, sizes, split and files of a known consumer; options beside it win. See --list-presets.",
        autocompletion=complete.presets,
    ),
]
ListPresets = Annotated[
    bool, _option("--list-presets", "List the presets and exit.", callback=_list_presets, is_eager=True)
]
OldestNcnn = Annotated[
    str | None,
    _option(
        "--oldest-ncnn DATE",
        "Release of the oldest ncnn that is to read the models, for example 20210720 (default: the preset's, or any).",
    ),
]
NewNames = Annotated[
    list[str] | None,
    _option(
        "--rename OLD=NEW",
        "Call an input or output otherwise, for example cls=score, or init:zf=feat for one graph; repeatable.",
    ),
]
BlobNames = Annotated[
    list[str] | None,
    _option(
        "--rename BLOB=MEANING",
        "What a blob of a model without a manifest is, for example output.1=cls, or update:input1=zf where two graphs "
        "use one name; repeatable. Found out otherwise.",
    ),
]
Sigmoid = Annotated[
    bool | None,
    _option(
        "--sigmoid/--no-sigmoid",
        "LightTrack's cls is a probability (default: a logit). For lt-verify, of models without a manifest.",
    ),
]
Softmax = Annotated[
    bool | None,
    _option("--softmax/--no-softmax", "Likewise NanoTrack's cls, whose two channels become probabilities."),
]
Masks = Annotated[
    bool,
    _option(
        "--masks",
        "STARK-Lightning's padding masks are inputs (1 for a padded cell). For lt-verify, of models without a "
        "manifest.",
    ),
]
DynamicSearch = Annotated[
    bool,
    _option("--dynamic-search", "One model for search sizes from 192 to 320 (NanoTrack: 191 to 319) in steps of 16."),
]
Opset = Annotated[int | None, _option("--opset N", "Of ONNX models, 11 to 17 (default: 11).")]
NoSimplify = Annotated[bool, _option("--no-simplify", "Leave onnxsim out.")]
Half = Annotated[
    bool | None,
    _option(
        "--half/--no-half",
        "Store weights as halves (default: float32); inputs, outputs, biases and batch norms stay float32.",
    ),
]
ProtectFp16 = Annotated[
    bool, _option("--protect-fp16", "Switch half arithmetic off (31=1) in ncnn layers whose sums could overflow in it.")
]
ShareWeights = Annotated[
    bool,
    _option(
        "--share-weights",
        "One weights file for the models of a format, where each weight lies once: init and update as two models, in "
        "as many bytes as --split one, which is one model and also holds its weights once in memory.",
    ),
]
Target = Annotated[
    str | None,
    _option("--target CHIP", "Of RKNN models: rk3588, rk3576, rk3568, rk3566, rk3562, rv1126b or rk2118."),
]
Normalise = Annotated[
    str | None,
    _option(
        "--normalise WHERE",
        "Of RKNN models: inside, which take pixels (uint8, NHWC) and normalise them themselves; outside, which take "
        "what other formats do (default: outside).",
    ),
]
Precision = Annotated[
    str | None,
    _option(
        "--precision NAME", "Of the stored weights: fp32, half, or w8, a byte each (default: fp32; for rknn, half)."
    ),
]
PnnxTimeout = Annotated[float, _option("--pnnx-timeout SECONDS", "What one pnnx run may take (default: 120).", min=1)]
Partial = Annotated[
    bool,
    _option(
        "--partial", "Pass although graphs of the tracker are missing; the verdict then names those that are there."
    ),
]


def precision_of(precision: str | None, half: bool | None) -> choices.Exportable | None:
    """What ``--precision`` and ``--half`` come to.

    Raises:
        UsageError: for another precision, and where the two contradict each other.
    """
    alias: choices.Exportable | None = None if half is None else "half" if half else "fp32"
    named = choices.exported_precision(precision)
    if alias and named and named != alias:
        raise UsageError(f"--precision {precision} beside --{'half' if half else 'no-half'}: pass one of the two")
    return named or alias


def normalise_of(where: str | None) -> choices.Place | None:
    """Raises UsageError for another place than the two."""
    return choices.one_of("--normalise", where, choices.PLACES)
