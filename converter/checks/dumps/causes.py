"""What usually goes wrong on a device: names and advice."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a dump differs.

    Attributes:
        cause: short name, the same in every report.
        text: what it is and what to do.
    """

    cause: str
    text: str

    def as_dict(self) -> dict[str, str]:
        return {"cause": self.cause, "text": self.text}


TRANSPOSED = Cause("transposed_layout", "rows and columns are exchanged; read or write height before width")
MISREAD = Cause(
    "transposed_layout",
    "channels-first numbers were taken for channels-last (or the reverse) before they were written; "
    "give the buffer its real layout, NCHW or NHWC",
)
PACKED = Cause(
    "packed_layout",
    "channels are packed in groups (elempack, NC4HW4); unpack them first, in ncnn with convert_packing to 1",
)
PADDED = Cause(
    "channel_padding",
    "the padding behind every channel was written along; copy w*h numbers per channel (ncnn: Mat::channel(i), "
    "the channels are cstep apart)",
)
SIGMOID = Cause(
    "sigmoid_applied",
    "it is a probability, a logit is expected; the model gives logits, apply the sigmoid once, after it",
)
SIGMOID_TWICE = Cause("sigmoid_twice", "the sigmoid was applied twice; apply it once, after the model")
SIGMOID_MISSING = Cause("sigmoid_missing", "it is a logit, a probability is expected; apply the sigmoid")
CLS_SCALE_MISSING = Cause("cls_scale_missing", "ten times too large: the factor 0.1 behind the cls layer is missing")
CLS_SCALE_TWICE = Cause("cls_scale_twice", "a tenth of what is expected: the factor 0.1 of cls was applied twice")
RELU_MISSING = Cause("relu_missing", "distances below zero: the ReLU behind the reg layer is missing")
EXP_FOR_RELU = Cause("exp_instead_of_relu", "the reg layer ends in exp, this network ends in ReLU")
NOT_TO_CROP = Cause("reg_normalised", "shares of the search crop, pixels are expected; multiply by its size")
CONSTANT = Cause("constant_output", "every number is the same; the model was not run, or the wrong buffer was written")
ZEROS = Cause("constant_output", "every number is zero; the model was not run, or its output was never copied")
STALE_COPY = Cause(
    "stale_output", "the same numbers as the dump of another case; the buffer is of an earlier run, copy it every time"
)


def stride_missing(factor: float) -> Cause:
    return Cause(
        "stride_missing", f"1/{factor:g} of what is expected: the factor {factor:g} (stride) behind reg is missing"
    )


def stride_twice(factor: float) -> Cause:
    return Cause(
        "stride_twice", f"{factor:g} times what is expected: the stride was applied again; reg is in pixels already"
    )


def exchanged(names: set[str]) -> Cause:
    both = " and ".join(sorted(names))
    return Cause(
        "outputs_exchanged",
        f"{both} are exchanged: the file of one holds the other; take outputs by name, not by index",
    )


def stale(title: str) -> Cause:
    return Cause(
        "stale_output", f"the answer to {title!r}; the output is of an earlier run, extract it anew for every input"
    )


def not_finite(bad: int, size: int) -> Cause:
    return Cause(
        "not_finite",
        f"{bad} of {size} numbers are NaN or infinite; look for an overflow in half precision or freed memory",
    )


def half_precision(error: float, cosine: float) -> Cause:
    return Cause(
        "half_precision",
        f"differs as half precision would, by up to {error:.1%} of the range (cosine {cosine:.5f}); "
        "turn fp16 or bf16 off to be sure, or allow it with a tolerance",
    )


def follows(images: Sequence[str]) -> Cause:
    return Cause(
        "input_wrong", f"right for the {' and '.join(images)} that was dumped, which is off; mend the input first"
    )


def computed_from(images: Sequence[str]) -> Cause:
    return Cause("input_wrong", f"computed from {' and '.join(images)}, which is off; mend the input first")
