"""In what precision ncnn computes: the modes that an application can choose, and what passes in each."""

from collections.abc import Sequence
from dataclasses import dataclass

from converter.checks.device.runtime import Runtime
from converter.errors import UsageError, did_you_mean
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.network import ModeTolerances, NetworkSpec
from converter.spec.tensors import Tolerance


@dataclass(frozen=True)
class Mode:
    """One way to run a model.

    Attributes:
        name: as on the command line and in the config.
        about: what it means, in words.
        storage: what a blob between two layers is made of: "float32", "half" or "bfloat16".
        arithmetic: what a layer's sums are made in: "float32" or "half".
    """

    name: str
    about: str
    storage: str
    arithmetic: str

    @property
    def options(self) -> dict[str, bool | int]:
        """Of ``ncnn.Option``; one thread, for neither the emulation nor a GPU has a use for more."""
        return {
            "use_fp16_packed": self.storage == "half",
            "use_fp16_storage": self.storage == "half",
            "use_fp16_arithmetic": self.arithmetic == "half",
            "use_bf16_storage": self.storage == "bfloat16",
            "num_threads": 1,
        }


MODES = {
    mode.name: mode
    for mode in (
        Mode("fp32", "float32 throughout", "float32", "float32"),
        Mode("fp16s", "half storage, float32 sums", "half", "float32"),
        Mode("fp16", "half storage and arithmetic, ncnn's default where there is half arithmetic", "half", "half"),
        Mode("bf16", "bfloat16 storage, float32 sums", "bfloat16", "float32"),
    )
}
DEFAULT_MODE = "fp16"
HALF_STORAGE = "fp16s"
HALF = "half"  # weights in the files


def mode_named(name: str, runtime: Runtime) -> Mode:
    """Raises:
    UsageError: when there is none of this name.
    """
    if name not in MODES:
        raise UsageError(
            f"{runtime.option('mode')} {name}: expected one of {', '.join(MODES)}{did_you_mean(name, MODES)}"
        )
    return MODES[name]


def check_tolerances(network: NetworkSpec, runtime: Runtime, modes: Sequence[str]) -> None:
    """Raises:
    UsageError: when the config does not say what passes in a mode.
    """
    there = network.modes(runtime.section)
    for name in modes:
        if name not in there:
            raise UsageError(
                f"config: {runtime.section} has no {name!r}, which says what passes in that mode; it has {list(there)}"
            )


def allowed_in(network: NetworkSpec, runtime: Runtime, mode: str, precision: str, rtol: float | None) -> ModeTolerances:
    """What the config says of a mode.

    Args:
        precision: of the weights in the files. Where these are halves, what half storage may change, which rounds them
            likewise, passes in every mode; where they are judged by boxes, what their boxes and outputs may be off by.
        rtol: the same tolerance for every output instead.
    """
    modes = network.modes(runtime.section)
    allowed = modes[mode]
    if precision == HALF and HALF_STORAGE in modes:
        allowed = allowed.or_wider(modes[HALF_STORAGE])
    if precision in JUDGED_BY_BOXES and precision in network.tolerances:
        allowed = allowed.or_wider(_of_boxes(network, precision))
    if rtol is None:
        return allowed
    return allowed.model_copy(update={"tolerances": {name: Tolerance(rtol=rtol) for name in network.tensors}})


def tie_in(network: NetworkSpec, mode: str, precision: str) -> float:
    """Two cells whose reference scores differ by less than this share of the range are the same decision."""
    return max(network.tie(mode), network.tie(precision) if precision in (HALF, *JUDGED_BY_BOXES) else 0.0)


def _of_boxes(network: NetworkSpec, precision: str) -> ModeTolerances:
    """What may change in any mode by how weights are stored."""
    limits = network.step_limits(precision)
    side = network.template_size / 2  # of a target in its crop
    return ModeTolerances(
        tolerances=network.tolerances[precision],
        box_pixels=(1 - limits.smallest) * side,  # an edge that is off by so much leaves the smallest overlap
        score=limits.score,
        one_step=limits,
    )
