"""What takes part: a runtime with the settings of a deployment."""

from collections.abc import Sequence
from dataclasses import dataclass

RUNTIMES = {"ncnn": "ncnn", "onnx": "onnxruntime"}  # of a format
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
    """Who takes part, and who was asked for but has no such mode here.

    Half precision is a mode of ncnn only: an export holds ONNX models in fp32, and torch on the CPU is meant for fp32.
    """
    runtimes = [(TORCH, None)] * with_torch + [(RUNTIMES[format], format) for format in formats]
    asked = [
        Candidate(runtime, format, precision, number)
        for runtime, format in runtimes
        for precision in precisions
        for number in threads
    ]
    there = [each for each in asked if each.precision == "fp32" or each.runtime == "ncnn"]
    return there, [each for each in asked if each not in there]
