"""The result as JSON: figures of every candidate, how they compare, and what a reader has to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any

from converter.bench import machine
from converter.bench.candidates import Candidate
from converter.bench.measure import PARTS, Turn
from converter.bench.notes import notes_of
from converter.bench.options import BenchOptions
from converter.bench.statistics import figures, order_of
from converter.folder.exported import FileProblem
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, tool_versions
from converter.util.version import version
from converter.verifying.subject import Subject

MILLISECONDS = 1e3


@dataclass(frozen=True)
class Measured:
    """What was seen.

    Attributes:
        candidates: who took part.
        left_out: who was asked for and has no such mode.
        turns: of every candidate, a turn of every round.
        not_finite: label -> outputs that were not finite.
        problems: of files.
        loads: load average before and after, None where the system does not tell.
        warm_up: runs of each part that were not counted, at most.
    """

    candidates: Sequence[Candidate]
    left_out: Sequence[Candidate]
    turns: Sequence[Sequence[Mapping[str, Turn]]]
    not_finite: Mapping[str, Sequence[str]]
    problems: Sequence[FileProblem]
    loads: tuple[float | None, float | None]
    warm_up: int


def result_of(options: BenchOptions, subject: Subject, measured: Measured) -> dict[str, Any]:
    """Everything that ``--json`` prints; times in milliseconds."""
    manifest = subject.manifest
    rounds = {
        (candidate.label, part): [median(turn[part].whole) * MILLISECONDS for turn in turns]
        for candidate, turns in zip(measured.candidates, measured.turns, strict=True)
        for part in PARTS
    }
    results = [
        _entry(candidate, part, turns, rounds[candidate.label, part])
        for candidate, turns in zip(measured.candidates, measured.turns, strict=True)
        for part in PARTS
    ]
    ratios = [_ratio(*pair) for part in PARTS for pair in combinations(ranked(results, part), 2)]
    result = {
        "schema_version": SCHEMA_VERSION,
        "generator": {"name": GENERATOR, "version": version(), "command": "lt-bench"},
        "folder": str(options.subject.folder),
        "arch": manifest.arch,
        "path_name": manifest.path_name,
        "checkpoint": manifest.checkpoint.model_dump(mode="json"),
        "sizes": subject.tracker.dimensions.numbers(),
        "cpu": {
            "model": machine.cpu_model(),
            "cores": machine.cores(),
            "half_arithmetic": machine.half_arithmetic(),
        },
        "machine": {"system": machine.system(), "load_before": measured.loads[0], "load_after": measured.loads[1]},
        "versions": tool_versions(["numpy", *dict.fromkeys(each.runtime for each in measured.candidates)]),
        "settings": {
            "threads": list(options.threads),
            "precisions": list(options.precisions),
            "torch": options.subject.checkpoint is not None,
            "rounds": len(measured.turns[0]),
            "rounds_asked": options.rounds,
            "runs": options.runs,
            "warm_up": measured.warm_up,
            "seconds": options.seconds,
            "seed": options.seed,
        },
        "files": {
            "status": "failed" if measured.problems else "passed",
            "problems": [problem.as_dict() for problem in measured.problems],
        },
        "results": results,
        "left_out": [_about(candidate) for candidate in measured.left_out],
        "ratios": ratios,
        "doubts": [_doubt(ratio) for ratio in ratios if ratio["doubtful"]],
    }
    result["notes"] = notes_of(result, measured.not_finite)
    return result


def ranked(results: Sequence[Mapping[str, Any]], part: str) -> list[Mapping[str, Any]]:
    """The entries of a part, the smallest median first."""
    return sorted((entry for entry in results if entry["part"] == part), key=lambda entry: entry["median_ms"])


def _about(candidate):
    return {
        "candidate": candidate.label,
        "runtime": candidate.runtime,
        "format": candidate.format,
        "precision": candidate.precision,
        "threads": candidate.threads,
    }


def _entry(candidate, part, turns, rounds):
    names = list(turns[0][part].graphs)
    return {
        **_about(candidate),
        "part": part,
        "graphs": names,
        **_milliseconds([seconds for turn in turns for seconds in turn[part].whole]),
        "rounds_ms": [round(each, 4) for each in rounds],
        "per_graph": [
            {"graph": name, **_milliseconds([seconds for turn in turns for seconds in turn[part].graphs[name]])}
            for name in names
        ],
    }


def _milliseconds(seconds):
    found = figures([each * MILLISECONDS for each in seconds])
    return {
        "median_ms": round(found.median, 4),
        "p10_ms": round(found.p10, 4),
        "p90_ms": round(found.p90, 4),
        "min_ms": round(found.low, 4),
        "runs": found.count,
    }


def _ratio(faster, slower):
    """Two entries of a part."""
    order = order_of(faster["rounds_ms"], slower["rounds_ms"])
    return {
        "part": faster["part"],
        "faster": faster["candidate"],
        "slower": slower["candidate"],
        "ratio": round(order.ratio.median, 4),
        "p10": round(order.ratio.p10, 4),
        "p90": round(order.ratio.p90, 4),
        "won": order.won,
        "rounds": order.won + order.lost,
        "chance": round(order.chance, 6),
        "doubtful": order.doubtful,
    }


def _doubt(ratio):
    about = {key: ratio[key] for key in ("part", "faster", "slower", "won", "rounds", "chance")}
    said = (
        f"{ratio['part']}: the order of {ratio['faster']} and {ratio['slower']} is doubtful "
        f"(the first was faster in {ratio['won']} of {ratio['rounds']} rounds)"
    )
    return {**about, "text": said}
