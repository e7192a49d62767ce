"""What a reader has to know before believing the figures."""

from collections.abc import Mapping, Sequence
from typing import Any

ENOUGH_ROUNDS = 10
QUIET = 0.25  # load average per core
WIDE = 1.5  # p90 / p10


def notes_of(result: Mapping[str, Any], not_finite: Mapping[str, Sequence[str]]) -> list[str]:
    """Sentences.

    Args:
        result: as ``--json`` prints it, without the notes.
        not_finite: label -> outputs that were not finite.
    """
    return [*_about_candidates(result, not_finite), *_about_half(result), *_about_noise(result)]


def _about_candidates(result, not_finite):
    notes = []
    if not result["settings"]["torch"]:
        notes.append("torch is left out: pass --resume CHECKPOINT to measure the network itself too")
    notes += [
        f"{label} answers with values that are not finite in {', '.join(outputs)}"
        for label, outputs in not_finite.items()
        if outputs
    ]
    if many := [number for number in result["settings"]["threads"] if number > result["cpu"]["cores"]]:
        notes.append(f"{max(many)} threads had {result['cpu']['cores']} cores")
    return notes


def _about_half(result):
    if "half" not in result["settings"]["precisions"]:
        return []
    notes = []
    if any(entry["runtime"] == "ncnn" and entry["precision"] == "half" for entry in result["results"]):
        how = {
            True: "this CPU calculates with half floats, and ncnn decides layer by layer whether it does",
            False: "this CPU has no half arithmetic, so it calculates in fp32, at most with some weights in half",
            None: "whether this CPU calculates with half floats is unknown",
        }[result["cpu"]["half_arithmetic"]]
        notes.append(f"ncnn half is ncnn with its default options; {how}")
    if result["left_out"]:
        notes.append("onnxruntime half is not measured: the export's ONNX models calculate in fp32")
    if result["settings"]["torch"]:
        notes.append("torch half is not measured: torch on a CPU is meant for fp32")
    return notes


def _about_noise(result):
    notes = []
    rounds, cores = result["settings"]["rounds"], result["cpu"]["cores"]
    if rounds < result["settings"]["rounds_asked"]:
        notes.append(
            f"{rounds} of {result['settings']['rounds_asked']} rounds fitted into {result['settings']['seconds']:g} s; "
            "--seconds allows more"
        )
    if rounds < ENOUGH_ROUNDS:
        notes.append(f"only {rounds} rounds: a hint, not a measurement; take {ENOUGH_ROUNDS} or more")
    load = result["machine"]["load_before"]
    if load is not None and load > QUIET * cores:
        notes.append(f"the machine was busy before it began: load average {load:.1f} on {cores} cores")
    wide = [entry for entry in result["results"] if entry["p90_ms"] > WIDE * entry["p10_ms"]]
    if wide:
        notes.append(
            f"the times spread widely (p90 above {WIDE:g} times p10) in {len(wide)} of {len(result['results'])} rows"
        )
    return notes
