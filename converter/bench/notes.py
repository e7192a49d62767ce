"""What a reader has to know before believing the figures."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from converter.bench.result import BenchResult

ENOUGH_ROUNDS = 10
QUIET = 0.25  # load average per core
WIDE = 1.5  # p90 / p10
HALF_ARITHMETIC = {
    True: "this CPU calculates with half floats, and {runtime} decides layer by layer whether it does",
    False: "this CPU has no half arithmetic, so it calculates in fp32, at most with some weights in half",
    None: "whether this CPU calculates with half floats is unknown",
}


def notes_of(result: "BenchResult") -> list[str]:
    """Sentences."""
    return [*_about_candidates(result), *_about_half(result), *_about_noise(result)]


def _about_candidates(result: "BenchResult") -> Iterator[str]:
    if not result.options.with_torch:
        yield "torch is left out: pass --resume CHECKPOINT to measure the network itself too"
    for label, outputs in result.not_finite.items():
        if outputs:
            yield f"{label} answers with values that are not finite in {', '.join(outputs)}"
    most, cores = max(result.options.threads), result.machine.cores
    if most > cores:
        yield f"{most} threads had {cores} cores"


def _about_half(result: "BenchResult") -> Iterator[str]:
    candidates = [times.candidate for times in result.times]
    for runtime in dict.fromkeys(each.runtime for each in candidates if each.precision == "half"):
        how = HALF_ARITHMETIC[result.machine.half_arithmetic].format(runtime=runtime)
        yield f"{runtime} half is {runtime} with its default options; {how}"
    for runtime, format in dict.fromkeys((each.runtime, each.format) for each in result.left_out):
        yield f"{runtime} half is not measured: the export's {format} models calculate in fp32"
    if result.options.with_torch and "half" in result.options.precisions:
        yield "torch half is not measured: torch on a CPU is meant for fp32"


def _about_noise(result: "BenchResult") -> Iterator[str]:
    options, rounds, cores = result.options, result.rounds, result.machine.cores
    if rounds < options.rounds:
        yield f"{rounds} of {options.rounds} rounds fitted into {options.seconds:g} s; --seconds allows more"
    if rounds < ENOUGH_ROUNDS:
        yield f"only {rounds} rounds: a hint, not a measurement; take {ENOUGH_ROUNDS} or more"
    load, _ = result.loads
    if load is not None and load > QUIET * cores:
        yield f"the machine was busy before it began: load average {load:.1f} on {cores} cores"
    wide = [each for each in result.times if each.whole.p90 > WIDE * each.whole.p10]
    if wide:
        yield f"the times spread widely (p90 above {WIDE:g} times p10) in {len(wide)} of {len(result.times)} rows"
