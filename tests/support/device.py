"""A device that makes mistakes: pictures to dumps, written independently of what recognises the mistakes."""

import numpy as np

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
MEAN_255, NORM = MEAN * 255, 1 / (STD * 255)


def planar(image):
    """(H, W, 3) to (1, 3, H, W) float32."""
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None]).astype(np.float32)


def right(rgb):
    return (rgb.astype(np.float64) - MEAN_255) * NORM


def bgr(rgb):
    return rgb[:, :, ::-1]


# name -> (what it makes of an (H, W, 3) uint8 RGB picture, the cause that should be named)
INPUT = {
    "bgr": (lambda rgb: right(bgr(rgb)), "colour_order"),
    "bgr with mean and std along": (lambda rgb: bgr(right(rgb)), "colour_order"),
    "raw 0-255": (lambda rgb: rgb.astype(np.float64), "normalisation_missing"),
    "raw 0-1": (lambda rgb: rgb / 255.0, "normalisation_missing"),
    "std missing, 0-255": (lambda rgb: rgb - MEAN_255, "std_missing"),
    "std missing, 0-1": (lambda rgb: rgb / 255.0 - MEAN, "std_missing"),
    "mean missing": (lambda rgb: rgb * NORM, "mean_missing"),
    "norm before mean, 0-255": (lambda rgb: rgb * NORM - MEAN_255, "mean_std_order"),
    "norm before mean, 0-1": (lambda rgb: rgb / 255.0 / STD - MEAN, "mean_std_order"),
    "mean and std exchanged": (lambda rgb: (rgb / 255.0 - STD) / MEAN, "mean_std_order"),
    "mean and std in BGR order": (lambda rgb: (rgb / 255.0 - MEAN[::-1]) / STD[::-1], "mean_std_colour_order"),
    "0-1 constants on 0-255": (lambda rgb: (rgb - MEAN) / STD, "pixel_range"),
    "0-255 constants on 0-1": (lambda rgb: (rgb / 255.0 - MEAN_255) * NORM, "pixel_range"),
    "to -1..1": (lambda rgb: rgb / 127.5 - 1.0, "other_normalisation"),
    "rows and columns": (lambda rgb: right(rgb).transpose(1, 0, 2), "transposed_layout"),
    "HWC as CHW": (lambda rgb: right(rgb).reshape(3, *rgb.shape[:2]).transpose(1, 2, 0), "transposed_layout"),
}


def fed(pictures, mistake=right, only=None, right=right):
    """{"z", "x"} pictures to what the device feeds; the mistake in all of them or in ``only`` one."""
    return {name: planar((mistake if only in (None, name) else right)(rgb)) for name, rgb in pictures.items()}


def sigmoid(value):
    return 1 / (1 + np.exp(-value.astype(np.float64)))


def last(value):
    """Numbers in channels-last order."""
    return value[0].transpose(1, 2, 0).ravel()


def swapped(value):
    """Numbers with rows and columns exchanged."""
    return value[0].transpose(0, 2, 1).ravel()


def _cls(change):
    return lambda answer: {**answer, "cls": change(answer["cls"])}


def _reg(change):
    return lambda answer: {**answer, "reg": change(answer["reg"])}


def _exchanged(answer):
    return {**answer, "cls": answer["reg"], "reg": answer["cls"]}


def _misread(value):
    """The CHW buffer is taken for HWC and turned into CHW."""
    _, channels, height, width = value.shape
    return value.ravel().reshape(height, width, channels).transpose(2, 0, 1).ravel()


def _packed(value):
    _, channels, height, width = value.shape
    return value[0].reshape(channels // 4, 4, height, width).transpose(0, 2, 3, 1).ravel()


# name -> (what it makes of the answers, {output: causes that should be named})
OUTPUT = {
    "NHWC": (lambda answer: {name: last(value) for name, value in answer.items()}, {}),
    "transposed": (_reg(swapped), {"reg": {"transposed_layout"}}),
    "transposed NHWC": (_reg(lambda v: v[0].transpose(2, 1, 0).ravel()), {"reg": {"transposed_layout"}}),
    "misread": (_reg(_misread), {"reg": {"transposed_layout"}}),
    "packed": (_reg(_packed), {}),
    "sigmoid applied": (_cls(sigmoid), {"cls": {"sigmoid_applied"}}),
    "sigmoid twice": (_cls(lambda v: sigmoid(sigmoid(v))), {"cls": {"sigmoid_twice"}}),
    "0.1 missing": (_cls(lambda v: v * 10), {"cls": {"cls_scale_missing"}}),
    "stride missing": (_reg(lambda v: v / 16), {"reg": {"stride_missing"}}),
    "stride twice": (_reg(lambda v: v * 16), {"reg": {"stride_twice"}}),
    "exchanged": (_exchanged, {"cls": {"outputs_exchanged"}, "reg": {"outputs_exchanged"}}),
    "constant": (_cls(lambda v: np.full_like(v, 0.25)), {"cls": {"constant_output"}}),
    "zeros": (_reg(np.zeros_like), {"reg": {"constant_output"}}),
    "NaN": (_reg(lambda v: np.where(v > v.mean(), np.nan, v)), {"reg": {"not_finite"}}),
}
OUTPUT["packed"] = (
    lambda answer: {**answer, "zf": _packed(answer["zf"])},
    {"zf": {"packed_layout"}},
)


def write(path, value, kind="bin"):
    """A tensor as a device writes it: npy, bin, f16 (half) or txt."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = np.asarray(value, np.float32)
    if kind == "npy":
        np.save(f"{path}.npy", value)
    elif kind == "txt":
        path.with_name(f"{path.name}.txt").write_text("\n".join(f"{number:.7g}" for number in value.ravel()))
    else:
        value.astype("<f4" if kind == "bin" else "<f2").tofile(f"{path}.bin")


def write_all(folder, tensors, kind="bin", prefix=""):
    for name, value in tensors.items():
        write(folder / f"{prefix}{name}", value, kind)
    return folder
