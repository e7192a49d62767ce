"""What usually goes wrong on a device: names and advice."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """Why a dump differs.

    Attributes:
        cause: short name, the same in every report.
        text: what it is and what to do; in braces what :meth:`filled` puts in.
    """

    cause: str
    text: str

    def filled(self, **values: object) -> "Cause":
        return Cause(self.cause, self.text.format(**values))

    def of(self, images: Sequence[str]) -> "Cause":
        """The cause, said of these images."""
        return Cause(self.cause, f"{' and '.join(images)}: {self.text}")


# The file and the order of its numbers.
UNREADABLE = Cause("unreadable", "{file} {problem}")
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

# The outputs.
EXCHANGED = Cause(
    "outputs_exchanged",
    "{first} and {second} are exchanged: the file of one holds the other; take outputs by name, not by index",
)
SIGMOID = Cause(
    "sigmoid_applied",
    "it is a probability, a logit is expected; the model gives logits, apply the sigmoid once, after it",
)
SIGMOID_TWICE = Cause("sigmoid_twice", "the sigmoid was applied twice; apply it once, after the model")
SIGMOID_MISSING = Cause("sigmoid_missing", "it is a logit, a probability is expected; apply the sigmoid")
SOFTMAX = Cause(
    "softmax_applied",
    "it is a probability, a logit is expected; apply the softmax over both channels once, after the model",
)
SOFTMAX_SCORE = Cause(
    "softmax_applied",
    "it is the score, channel 1 of the softmax, and right as such; dump both channels as the model gives them",
)
SOFTMAX_TWICE = Cause("softmax_twice", "the softmax was applied twice; apply it once, after the model")
SOFTMAX_TWICE_INSIDE = Cause("softmax_twice", "the softmax was applied again; the model gives probabilities already")
SOFTMAX_MISSING = Cause(
    "softmax_missing", "it is a logit, a probability is expected; apply the softmax over both channels of every cell"
)
SOFTMAX_OVER_CELLS = Cause(
    "softmax_axis",
    "the softmax went over the cells of each channel; apply it over both channels of every cell (axis 1 of NCHW)",
)
SIGMOID_FOR_SOFTMAX = Cause(
    "sigmoid_applied",
    "the sigmoid was applied to each channel; the score is channel 1 of the softmax over both channels of a cell",
)
BACKGROUND = Cause(
    "background_taken", "it is channel 0, by which a cell shows background; the score is channel 1 of the softmax"
)
BACKGROUND_SCORE = Cause(
    "background_taken", "it is channel 0 of the softmax, by which a cell shows background; the score is channel 1"
)
FOREGROUND = Cause("one_channel", "it is channel 1 alone; both channels of every cell are expected")
CHANNELS_EXCHANGED = Cause(
    "channels_exchanged", "channels 0 and 1 are exchanged: background comes first, foreground second"
)
NOT_FINITE = Cause(
    "not_finite",
    "{bad} of {size} numbers are NaN or infinite; look for an overflow in half precision or freed memory",
)
CONSTANT = Cause("constant_output", "every number is the same; the model was not run, or the wrong buffer was written")
ZEROS = Cause("constant_output", "every number is zero; the model was not run, or its output was never copied")
STALE = Cause(
    "stale_output", "the answer to {title!r}; the output is of an earlier run, extract it anew for every input"
)
STALE_COPY = Cause(
    "stale_output", "the same numbers as the dump of another case; the buffer is of an earlier run, copy it every time"
)
HALF_PRECISION = Cause(
    "half_precision",
    "differs as half precision would, by up to {error:.1%} of the range (cosine {cosine:.5f}); "
    "turn fp16 or bf16 off to be sure, or allow it with a tolerance",
)

# The images.
COLOUR_ORDER = Cause(
    "colour_order", "the channels are in {wrong} order, the network wants {right}; swap them before normalising"
)
COLOUR_ORDER_OF_ALL = Cause("colour_order", f"{COLOUR_ORDER.text} (mean and std were swapped along)")
COLOUR_ORDER_AS_IT_IS = Cause("colour_order", "the channels are in {wrong} order, the network wants {right}; swap them")
RAW_PIXELS = Cause(
    "normalisation_missing",
    "pixels of 0-255 as they are, mean and std are missing; subtract the mean, then divide by std",
)
RAW_SHARES = Cause("normalisation_missing", "pixels of 0-1 without mean and std; subtract the mean, then divide by std")
STD_MISSING_ON_PIXELS = Cause(
    "std_missing", "the mean was subtracted from pixels of 0-255, the division by std is missing (norm_vals in ncnn)"
)
STD_MISSING = Cause("std_missing", "the mean was subtracted, the division by std is missing")
MEAN_MISSING = Cause("mean_missing", "divided by std, the mean was not subtracted (mean_vals in ncnn)")
STD_BEFORE_MEAN = Cause(
    "mean_std_order", "divided by std before the mean was subtracted (pixels of {range}); subtract first"
)
MEAN_FOR_STD = Cause("mean_std_order", "mean and std are exchanged")
MEAN_STD_COLOURS = Cause(
    "mean_std_colour_order",
    "mean and std are in the order of the other colour order; put them in that of the image",
)
MEAN_STD_TOO_SMALL = Cause(
    "pixel_range", "mean and std for pixels of 0-1 were used on pixels of 0-255; use 255 times their values"
)
MEAN_STD_TOO_LARGE = Cause(
    "pixel_range", "mean and std for pixels of 0-255 were used on pixels of 0-1; use a 255th of their values"
)
OTHER_NORMALISATION = Cause("other_normalisation", "normalised to -1..1 (mean and std 0.5) instead of by mean and std")
# Where the network takes pixels as they are.
NORMALISED = Cause(
    "normalisation_applied",
    "ImageNet's mean and std (in {order} order) were applied; feed pixels of {range} as they are",
)
MEAN_SUBTRACTED = Cause(
    "normalisation_applied",
    "ImageNet's mean (in {order} order) was subtracted; feed pixels of {range} as they are",
)
HALVES_SUBTRACTED = Cause(
    "normalisation_applied", "normalised to -1..1 (mean and std 0.5); feed pixels of {range} as they are"
)
OTHER_RANGE = Cause("pixel_range", "pixels of {wrong}; feed those of {range} as they are, without scaling them")
CHANNELS_LAST = Cause("transposed_layout", "channels-last pixels (HWC) were fed as channels-first (CHW); reorder them")
IMAGE_TRANSPOSED = Cause(
    "transposed_layout", "rows and columns of the image are exchanged; the image is fed height by width"
)
STALE_INPUT = Cause("stale_input", "that of {title!r} was used; it, or what was computed from it, was not updated")
INPUT_DUMPED = Cause("input_wrong", "right for the {image} that was dumped, which is off; mend the input first")
INPUT_WRONG = Cause("input_wrong", "computed from {images}, which is off; mend the input first")

# No known cause: figures that may help.
OTHER_SIZE = Cause("unknown", "{file} holds {size} numbers, expected {expected}; no cause is known")
OTHER_SCALE = Cause("unknown", "it is {fitted}; no known cause explains that")
UNKNOWN = Cause(
    "unknown",
    "no known cause explains it; cosine {cosine:.4f}, at best {fitted}, up to {rest:.1%} of its range beside that",
)
