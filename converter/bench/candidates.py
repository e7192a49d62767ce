"""What takes part: a runtime with the settings of a deployment."""

from collections.abc import Sequence
from dataclasses import dataclass

from converter.formats.format import format_of

TORCH = "torch"


@dataclass(frozen=True)
class Candidate:
    """One way to run the tracker.

    Attributes:
        runtime: "torch", "ncnn" or "onnxruntime".
        format: of its models; None for torch, which runs the network itself.
        precision: "fp32" or "half".
        threads: that it may use.
    """

    runtime: str
    format: str | None
    precision: str
    threads: int

    @property
    def label(self) -> str:
        return f"{self.runtime} {self.precision}, {self.threads} thread{'s' * (self.threads > 1)}"


def candidates_for(
    formats: Sequence[str], with_torch: bool, precisions: Sequence[str], threads: Sequence[int]
) -> tuple[list[Candidate], list[Candidate]]:
    """Who takes part, and who was asked for but has no models in an export: onnxruntime in half precision.

    Half precision is a mode of ncnn; torch on the CPU is meant for fp32 and takes part in that only.
    """
    torch = [Candidate(TORCH, None, "fp32", number) for number in threads if with_torch and "fp32" in precisions]
    asked = [
        Candidate(format_of(format).packages[-1], format, precision, number)
        for format in formats
        for precision in precisions
        for number in threads
    ]
    there = [each for each in asked if each.precision == "fp32" or format_of(each.format).half]
    return torch + there, [each for each in asked if each not in there]
