"""Everything one ``lt-bench`` depends on; the command line builds it, :func:`converter.bench.run.bench` reads it."""

from dataclasses import dataclass
from pathlib import Path

from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.devices import VulkanDevice
from converter.errors import UsageError, did_you_mean
from converter.spec.options import VerifyOptions

PRECISIONS = ("fp32", "half")
THREADS = (1, 2)
ROUNDS = 20
RUNS = 3
SECONDS = 120.0
MOST_THREADS = 256
WARM_UP = 5  # runs of every part, at most, that are not counted


@dataclass(frozen=True)
class BenchOptions:
    """What to measure and how.

    Attributes:
        subject: the export, the network behind it and, when torch is to be measured, its checkpoint.
        others: further exports of the same network.
        threads: numbers of them; each is a candidate of its own.
        precisions: of PRECISIONS.
        rounds: in each, every candidate has one turn.
        runs: of init and of update that are timed in a turn.
        seconds: that the whole run may take, loading included; None for no limit.
        seed: of the order of the turns.
        plot: a picture to draw.
        device: that runs the ncnn models too; no software, whose times say nothing.
    """

    subject: VerifyOptions
    threads: tuple[int, ...] = THREADS
    precisions: tuple[str, ...] = PRECISIONS
    rounds: int = ROUNDS
    runs: int = RUNS
    seconds: float | None = SECONDS
    seed: int = 0
    plot: Path | None = None
    device: VulkanDevice | None = None
    others: tuple[VerifyOptions, ...] = ()

    @property
    def subjects(self) -> tuple[VerifyOptions, ...]:
        """Of all exports."""
        return (self.subject, *self.others)

    @property
    def with_torch(self) -> bool:
        return self.subject.checkpoint is not None

    def __post_init__(self) -> None:
        for threads in self.threads:
            if not 1 <= threads <= MOST_THREADS:
                raise UsageError(f"--threads {threads}: expected 1 to {MOST_THREADS}")
        for precision in self.precisions:
            if precision not in PRECISIONS:
                nearest = did_you_mean(precision, PRECISIONS)
                raise UsageError(f"--precision {precision}: expected one of {', '.join(PRECISIONS)}{nearest}")
        if self.device is not None and self.device.is_software:
            raise UsageError(
                f"--runtime {VULKAN.name}: {self.device.name} is no GPU but a program on this CPU, and its times "
                "measure nothing; name a GPU with --vulkan-device, or leave --runtime out"
            )
        for option, value in (("--rounds", self.rounds), ("--runs", self.runs)):
            if value < 1:
                raise UsageError(f"{option} {value}: expected 1 or more")
        if self.seconds is not None and not 0 < self.seconds < float("inf"):
            raise UsageError(f"--seconds {self.seconds}: expected a finite number above 0")
