"""The result: figures of every candidate and how they compare; typed to the end, made into JSON once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import median
from typing import Any

from converter.bench.candidates import Candidate
from converter.bench.exports import Export
from converter.bench.measure import PARTS, Turn
from converter.bench.notes import advice_of, remarks_of
from converter.bench.options import WARM_UP, BenchOptions
from converter.bench.section import bench_report, bench_section
from converter.bench.statistics import Figures, Order, figures, order_of
from converter.errors import VerificationError
from converter.folder.exported import FileProblem
from converter.folder.listing import GENERATOR, SCHEMA_VERSION
from converter.folder.manifest import Manifest
from converter.report.blocks import Section
from converter.report.text import now
from converter.spec.dimensions import Dimensions
from converter.util.machine import Machine
from converter.util.version import version

MILLISECONDS = 1e3


@dataclass(frozen=True, eq=False)
class PartTimes:
    """How long a candidate took for a part; figures in milliseconds.

    Attributes:
        turns: one of every round.
    """

    candidate: Candidate
    part: str
    turns: Sequence[Turn]

    @cached_property
    def whole(self) -> Figures:
        """From input arrays to output arrays."""
        return _figures(turn.whole for turn in self.turns)

    @cached_property
    def rounds(self) -> list[float]:
        """The median of every round."""
        return [round(median(turn.whole) * MILLISECONDS, 4) for turn in self.turns]

    @cached_property
    def graphs(self) -> dict[str, Figures]:
        """Of each graph by its name, where the part has graphs."""
        return {name: _figures(turn.graphs[name] for turn in self.turns) for name in self.turns[0].graphs}

    def as_dict(self) -> dict[str, Any]:
        return {
            **self.candidate.as_dict(),
            "part": self.part,
            "graphs": list(self.graphs),
            **_milliseconds(self.whole),
            "rounds_ms": self.rounds,
            "per_graph": [{"graph": name, **_milliseconds(times)} for name, times in self.graphs.items()],
        }


def _figures(turns: Iterable[Sequence[float]]) -> Figures:
    return figures([seconds * MILLISECONDS for turn in turns for seconds in turn])


def _milliseconds(times: Figures) -> dict[str, float]:
    figures = {"median_ms": times.median, "p10_ms": times.p10, "p90_ms": times.p90, "min_ms": times.low}
    return {**{name: round(value, 4) for name, value in figures.items()}, "runs": times.count}


@dataclass(frozen=True)
class Pair:
    """Two candidates at one part, the one with the smaller median first."""

    faster: PartTimes
    slower: PartTimes

    @cached_property
    def order(self) -> Order:
        return order_of(self.faster.rounds, self.slower.rounds)

    @property
    def names(self) -> dict[str, str]:
        faster, slower = self.faster.candidate.label, self.slower.candidate.label
        return {"part": self.faster.part, "faster": faster, "slower": slower}

    @property
    def counts(self) -> dict[str, float]:
        order = self.order
        return {"won": order.won, "rounds": order.won + order.lost, "chance": round(order.chance, 6)}

    @property
    def doubt(self) -> str:
        """A sentence on an order that is doubtful."""
        return (
            "{part}: the order of {faster} and {slower} is doubtful "
            "(the first was faster in {won} of {rounds} rounds)".format(**self.names, **self.counts)
        )

    def as_dict(self) -> dict[str, Any]:
        ratio = self.order.ratio
        figures = {"ratio": round(ratio.median, 4), "p10": round(ratio.p10, 4), "p90": round(ratio.p90, 4)}
        return {**self.names, **figures, **self.counts, "doubtful": self.order.doubtful}


@dataclass(frozen=True, repr=False)
class BenchResult:
    """What one run measured; true when every output was finite and every file is that of the manifest.

    Attributes:
        options: that it was asked for.
        exports: that were measured, in their order.
        machine: on which it ran.
        loads: load average before and after, None where the system does not tell.
        versions: of what ran, by package.
        times: of every candidate for every part.
        left_out: who was asked for and has no such mode.
        late: who was asked for and was not loaded when half of the time was over.
        not_finite: label -> outputs that were not finite.
    """

    options: BenchOptions
    exports: Sequence[Export]
    machine: Machine
    loads: tuple[float | None, float | None]
    versions: Mapping[str, str]
    times: Sequence[PartTimes]
    left_out: Sequence[Candidate]
    late: Sequence[Candidate]
    not_finite: Mapping[str, Sequence[str]]

    def __bool__(self) -> bool:
        return not self.problems and not any(self.not_finite.values())

    def raise_if_changed(self) -> None:
        """Raises:
        VerificationError: naming the first file that is not as its manifest says; it carries the figures.
        """
        if self.problems:
            first = self.changed()[0]
            raise VerificationError(f"{first}: what was measured is not what was verified; export again", result=self)

    def __repr__(self) -> str:
        return f"<{self.section().summary}>"

    def _repr_html_(self) -> str:
        """The report, for a notebook."""
        from converter.report.html import frame_of  # Jinja2, which nothing else of a result needs

        return frame_of(bench_report(self, now()))

    @property
    def manifest(self) -> Manifest:
        """Of the first export."""
        return self.exports[0].manifest

    @property
    def dimensions(self) -> Dimensions:
        """Of the network."""
        return self.exports[0].tracker.dimensions

    @property
    def several(self) -> bool:
        """Whether exports stand side by side."""
        return len(self.exports) > 1

    @property
    def problems(self) -> list[FileProblem]:
        """Files that are not as their manifest says."""
        return [problem for export in self.exports for problem in export.problems]

    def changed(self) -> list[str]:
        """The same in words, with the folder where there are several."""
        return [
            f"{export.folder}: {problem}" if self.several else str(problem)
            for export in self.exports
            for problem in export.problems
        ]

    @property
    def rounds(self) -> int:
        """How many there were."""
        return len(self.times[0].turns)

    def of(self, part: str) -> list[PartTimes]:
        """The times of a part, in the candidates' order."""
        return [times for times in self.times if times.part == part]

    def ranked(self, part: str) -> list[PartTimes]:
        """The times of a part, the smallest median first."""
        return sorted(self.of(part), key=lambda times: times.whole.median)

    @cached_property
    def pairs(self) -> list[Pair]:
        """Any two candidates, part by part."""
        return [Pair(*two) for part in PARTS for two in combinations(self.ranked(part), 2)]

    @property
    def doubtful(self) -> list[Pair]:
        """Those whose order chance alone could have made."""
        return [pair for pair in self.pairs if pair.order.doubtful]

    def section(self, per_graph: bool = False) -> Section:
        """For people; ``per_graph``: the times of single graphs are not folded."""
        return bench_section(self, per_graph)

    def as_dict(self) -> dict[str, Any]:
        """As ``lt-bench --json`` prints it; times in milliseconds."""
        options, machine = self.options, self.machine
        return {
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": GENERATOR, "version": version(), "command": "lt-bench"},
            "folder": str(self.exports[0].folder),
            "arch": self.manifest.arch,
            "path_name": self.manifest.path_name,
            "checkpoint": self.manifest.checkpoint.model_dump(mode="json"),
            "sizes": self.dimensions.numbers(),
            "cpu": {"model": machine.cpu, "cores": machine.cores, "half_arithmetic": machine.half_arithmetic},
            "machine": {"system": machine.system, "load_before": self.loads[0], "load_after": self.loads[1]},
            "versions": dict(self.versions),
            "settings": {
                "threads": list(options.threads),
                "precisions": list(options.precisions),
                "torch": options.with_torch,
                "rounds": self.rounds,
                "rounds_asked": options.rounds,
                "runs": options.runs,
                "warm_up": WARM_UP,
                "seconds": options.seconds,
                "seed": options.seed,
            },
            "files": {
                "status": "failed" if self.problems else "passed",
                "problems": [
                    {**problem.as_dict(), "folder": str(export.folder)}
                    for export in self.exports
                    for problem in export.problems
                ],
            },
            "exports": [export.as_dict() for export in self.exports],
            "results": [times.as_dict() for times in self.times],
            "left_out": [candidate.as_dict() for candidate in self.left_out],
            "late": [candidate.as_dict() for candidate in self.late],
            "ratios": [pair.as_dict() for pair in self.pairs],
            "doubts": [{**pair.names, **pair.counts, "text": pair.doubt} for pair in self.doubtful],
            "notes": [*advice_of(self), *remarks_of(self)],
        }
