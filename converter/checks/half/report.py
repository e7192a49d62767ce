"""What the half-precision report says; numbers only; nothing here computes."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from converter.checks.half.masks import DangerousMask
from converter.checks.half.section import BOUNDS, LARGEST, RUN, half_section
from converter.report.blocks import Section
from converter.report.text import count

NEAR = 4.0  # times headroom


@dataclass(frozen=True)
class LayerReport:
    """One layer over all inputs.

    Attributes:
        low, high: of its blob.
        largest, smallest: of the magnitudes, the smallest of those that are not zero.
        subnormal, zero: shares of its values that become subnormal or zero in half and were not.
        sum_bound: what no sum in half inside the layer exceeds; None where it makes none.
        masked: whether the file keeps it from half arithmetic.
        problem: why its sums are not known, or None.
    """

    graph: str
    layer: str
    type: str
    blob: str
    low: float
    high: float
    largest: float
    smallest: float
    subnormal: float
    zero: float
    sum_bound: float | None
    masked: bool
    problem: str | None

    @property
    def headroom(self) -> float:
        """How many times larger everything could be; infinite where all is zero."""
        reached = max(self.largest, 0.0 if self.masked or self.sum_bound is None else self.sum_bound)
        return LARGEST / reached if reached else math.inf

    @property
    def verdict(self) -> str:
        """leaves (the blob), protect (a sum inside), near (the edge), unknown (its sums) or ok."""
        if not self.largest <= LARGEST:
            return "leaves"
        if self.headroom < 1:
            return "protect"
        if self.problem is not None:
            return "unknown"
        return "near" if self.headroom < NEAR else "ok"

    def as_dict(self) -> dict[str, Any]:
        figures = {**asdict(self), "headroom": self.headroom, "verdict": self.verdict}
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in figures.items()
        }


@dataclass(frozen=True)
class HalfReport:
    """True when nothing overflows, but where a mask already keeps it from half arithmetic, and no mask is dangerous.

    Attributes:
        feeds: names of the inputs.
        layers: of all graphs, in order.
        masks: layers whose mask in the file corrupts memory.
    """

    feeds: tuple[str, ...]
    layers: tuple[LayerReport, ...]
    masks: tuple[DangerousMask, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.layers) and not (self.masks or self.leaving or self.protect)

    @property
    def leaving(self) -> tuple[LayerReport, ...]:
        """Layers whose own blob leaves the range; no mask saves it."""
        return tuple(layer for layer in self.layers if layer.verdict == "leaves")

    @property
    def protect(self) -> dict[str, tuple[str, ...]]:
        """Graph name to the layers that ``31=1`` saves, for graphs that have some."""
        graphs: dict[str, tuple[str, ...]] = {}
        for layer in self.layers:
            if layer.verdict == "protect":
                graphs[layer.graph] = (*graphs.get(layer.graph, ()), layer.layer)
        return graphs

    @property
    def not_analysed(self) -> tuple[LayerReport, ...]:
        return tuple(layer for layer in self.layers if layer.problem is not None)

    def failure(self) -> str:
        """The first and worst reason why this is false, "" when it is true."""
        if self.leaving:
            first = self.leaving[0]
            reached = f"{first.largest:.3g}" if math.isfinite(first.largest) else "infinity"
            return (
                f"blob {first.blob} of layer {first.layer} in {first.graph} reaches {reached}, beyond half's 65504; "
                "no mask saves it: set use_fp16_storage = false"
            )
        if self.masks:
            return str(self.masks[0])
        if self.protect:
            graph, names = next(iter(self.protect.items()))
            layers = count(sum(map(len, self.protect.values())), "layer")
            return (
                f"sums in half can pass 65504 inside {layers}, first {names[0]} of {graph}: export with --protect-fp16"
            )
        return "" if self else "no layer was looked at"

    def section(self) -> Section:
        return half_section(self)

    def as_dict(self) -> dict[str, Any]:
        return {
            "passed": bool(self),
            "failure": self.failure() or None,
            "run": RUN,
            "bounds": BOUNDS,
            "feeds": list(self.feeds),
            "advice": self.advice(),
            "protect": {graph: list(names) for graph, names in self.protect.items()},
            "masks": [mask.as_dict() for mask in self.masks],
            "not_analysed": [
                {"graph": layer.graph, "layer": layer.layer, "type": layer.type, "problem": layer.problem}
                for layer in self.not_analysed
            ],
            "layers": [layer.as_dict() for layer in self.layers],
        }

    def advice(self) -> list[str]:
        """What to do, one line each."""
        lines = [str(mask) for mask in self.masks]
        if self.leaving:
            where = ", ".join(f"{layer.graph} {layer.layer}" for layer in self.leaving[:3])
            more = f" and {len(self.leaving) - 3} more" if len(self.leaving) > 3 else ""
            lines.append(f"blobs leave ±65504 ({where}{more}): no mask saves a blob, set use_fp16_storage = false")
        for graph, names in self.protect.items():
            lines.append(f"31=1 on {', '.join(names)} of {graph}: sums in half can pass 65504 there (--protect-fp16)")
        near = [layer for layer in self.layers if layer.verdict == "near"]
        if near:
            first = min(near, key=lambda layer: layer.headroom)
            lines.append(
                f"{len(near)} layers have less than {NEAR:g} times headroom, the least {first.layer} of {first.graph} "
                f"({first.headroom:.1f} times): another input may overflow there"
            )
        if self.not_analysed:
            first = self.not_analysed[0]
            lines.append(
                f"not analysed: {len(self.not_analysed)} layers, first {first.layer} ({first.type}) of {first.graph}: "
                f"{first.problem}; how large sums inside them can be is not known"
            )
        return lines
