"""What a reader has to know before believing the figures, and what to do about it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.report.text import count, listed

if TYPE_CHECKING:
    from converter.bench.result import BenchResult

ENOUGH_ROUNDS = 10
QUIET = 0.25  # load average per core
WIDE = 1.5  # p90 / p10
SHOWN = 2  # pieces of advice
BYTES, INT8 = "w8", "int8"  # of weights
WIDENED = ("half", BYTES)
KEPT = "w8 by onnxruntime only with session.disable_quant_qdq=1, and else in every run"
HALF_ARITHMETIC = {
    True: "this CPU calculates with half floats, and {runtime} decides layer by layer whether it does",
    False: "this CPU has no half arithmetic, so it calculates in fp32, at most with some weights in half",
    None: "whether this CPU calculates with half floats is unknown",
}


def advice_of(result: "BenchResult") -> list[str]:
    """What makes the figures doubtful, each with what to do; what matters most comes first."""
    return [*_about_outputs(result), *_about_time(result), *_about_noise(result), *_about_candidates(result)]


def remarks_of(result: "BenchResult") -> list[str]:
    """What nothing can or need be done about."""
    return [*_about_weights(result), *_about_half(result)]


def _about_outputs(result: "BenchResult") -> Iterator[str]:
    for label, outputs in result.not_finite.items():
        if outputs:
            yield f"{label} answers with values that are not finite in {listed(outputs)}: lt-verify says where from"


def _about_time(result: "BenchResult") -> Iterator[str]:
    options, rounds = result.options, result.rounds
    if result.late:
        exports = ", or fewer exports" if result.several else ""
        late = listed(each.label for each in result.late)
        yield f"{options.seconds:g} s were too short to load {late}: pass more --seconds or fewer --threads{exports}"
    if rounds < min(ENOUGH_ROUNDS, options.rounds):
        yield (
            f"{count(rounds, 'round')} of {options.rounds} fitted into {options.seconds:g} s, a hint and no "
            f"measurement: pass more --seconds"
        )
    elif rounds < ENOUGH_ROUNDS:
        yield f"{count(rounds, 'round')}, a hint and no measurement: pass --rounds {ENOUGH_ROUNDS} or more"


def _about_noise(result: "BenchResult") -> Iterator[str]:
    cores, (load, _) = result.machine.cores, result.loads
    wide = [each for each in result.times if each.whole.p90 > WIDE * each.whole.p10]
    spread = f"p90 is above {WIDE:g} times p10 in {len(wide)} of {len(result.times)} figures" if wide else ""
    if load is not None and load > QUIET * cores:
        besides = f", and {spread}" if spread else ""
        yield (
            f"the machine was busy before it began (load average {load:.1f} on {cores} cores){besides}: end what else "
            "runs, and measure again"
        )
    elif spread:
        yield f"the times spread widely ({spread}): measure again on a quiet machine, with more --seconds"
    most = max(result.options.threads)
    if most > cores:
        yield f"{most} threads had {cores} cores: pass --threads {cores} or fewer"
    runtimes = [pair for pair in result.doubtful if pair.faster.candidate.runtime != pair.slower.candidate.runtime]
    if runtimes and result.rounds >= min(ENOUGH_ROUNDS, result.options.rounds):
        yield (
            f"the order of {len(result.doubtful)} of {len(result.pairs)} pairs is doubtful (-v lists them): pass more "
            "--rounds and --seconds"
        )


def _about_candidates(result: "BenchResult") -> Iterator[str]:
    if not result.options.with_torch:
        yield "torch is left out: pass --resume CHECKPOINT to measure the network itself too"


def _about_weights(result: "BenchResult") -> Iterator[str]:
    if not result.several:
        return
    if small := [name for name in WIDENED if any(export.weights == name for export in result.exports)]:
        in_onnx = any(export.weights == BYTES and "onnx" in export.tracker.formats for export in result.exports)
        kept = f" ({KEPT})" if in_onnx else ""
        yield (
            f"{listed(small)} weights are widened when a model is loaded{kept}: they save bytes on the disk, and the "
            "order of exports that differ only by them can be chance"
        )
    checkpoints = {export.manifest.checkpoint.sha256 for export in result.exports}
    if len(checkpoints) > 1:
        yield (
            f"the exports are of {len(checkpoints)} checkpoints: times and bytes compare, and an overlap is that with "
            "the export's own network"
        )


def _about_half(result: "BenchResult") -> Iterator[str]:
    candidates = [times.candidate for times in result.times]
    int8 = any(export.weights == INT8 for export in result.exports)
    for runtime in dict.fromkeys(each.runtime for each in candidates if each.precision == "half"):
        how = HALF_ARITHMETIC[result.machine.half_arithmetic].format(runtime=runtime)
        besides = "; layers of int8 models calculate in int8 in either mode" if int8 else ""
        yield f"{runtime} half is {runtime} with its default options; {how}{besides}"
    for runtime, format in dict.fromkeys((each.runtime, each.format) for each in result.left_out):
        whose, also = ("exports'" if result.several else "export's"), (", or in int8" if int8 else "")
        yield f"{runtime} half is not measured: the {whose} {format} models calculate in fp32{also}"
    if result.options.with_torch and "half" in result.options.precisions:
        yield "torch half is not measured: torch on a CPU is meant for fp32"
    if result.rounds >= ENOUGH_ROUNDS and result.rounds < result.options.rounds:
        yield f"{result.rounds} of {result.options.rounds} rounds fitted into {result.options.seconds:g} s"
