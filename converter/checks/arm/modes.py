"""In what precision ncnn computes: the modes that an application can choose, as ncnn's options."""

from collections.abc import Mapping
from dataclasses import dataclass

from converter.errors import UsageError

DEFAULT_CPU = "max"


@dataclass(frozen=True)
class Mode:
    """One way to run a model.

    Attributes:
        name: as on the command line and in the config.
        about: what it means, in words.
        switches: of ``ncnn.Option``; those that are not named stay as ncnn has them.
        storage: what a blob between two layers is made of: "float32", "half" or "bfloat16".
        arithmetic: what a layer's sums are made in: "float32" or "half".
    """

    name: str
    about: str
    switches: Mapping[str, bool]
    storage: str
    arithmetic: str

    @property
    def options(self) -> dict[str, bool | int]:
        """For the emulated process: one thread, for the emulation has no use for more."""
        return {**self.switches, "num_threads": 1}


def _switches(packed: bool, storage: bool, arithmetic: bool, bf16: bool) -> dict[str, bool]:
    return {
        "use_fp16_packed": packed,
        "use_fp16_storage": storage,
        "use_fp16_arithmetic": arithmetic,
        "use_bf16_storage": bf16,
    }


MODES = {
    mode.name: mode
    for mode in (
        Mode("fp32", "float32 throughout", _switches(False, False, False, False), "float32", "float32"),
        Mode("fp16s", "half storage, float32 sums", _switches(True, True, False, False), "half", "float32"),
        Mode(
            "fp16",
            "half storage and arithmetic, ncnn's default on ARM",
            _switches(True, True, True, False),
            *("half", "half"),
        ),
        Mode("bf16", "bfloat16 storage, float32 sums", _switches(False, False, False, True), "bfloat16", "float32"),
    )
}
DEFAULT_MODE = "fp16"


def mode_named(name: str) -> Mode:
    """Raises:
    UsageError: when there is none of this name.
    """
    if name not in MODES:
        raise UsageError(f"--arm-mode {name}: expected one of {', '.join(MODES)}")
    return MODES[name]
