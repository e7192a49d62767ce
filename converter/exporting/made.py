"""A finished export, before it is described and published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.folder.manifest import VerificationEntry
from converter.proof.comparison import Comparison
from converter.spec.model import TrackerModels
from converter.spec.network import GraphSpec

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork


@dataclass(frozen=True)
class Made:
    """What a finished export consists of.

    Attributes:
        comparisons: one for each size, the network's own first.
        network: with the trained weights.
        folder: the model files are there.
        multiply_adds: of one run of each graph.
        verification: the proof's figures, or that there are none.
        protected: ncnn graph to layers without half arithmetic; None where nobody asked for it.
        arm: what the emulated ARM cpu computed; None where nobody asked for it.
        golden: the index of the golden vectors.
        oldest_ncnn: release that reads the ncnn models; None where there are none.
    """

    comparisons: Sequence[Comparison]
    network: "LoadedNetwork"
    folder: Path
    multiply_adds: Mapping[GraphSpec, int]
    verification: VerificationEntry
    protected: dict[str, tuple[str, ...]] | None
    arm: dict[str, Any] | None
    golden: dict[str, Any] | None
    oldest_ncnn: str | None

    @property
    def trackers(self) -> list[TrackerModels]:
        return [comparison.tracker for comparison in self.comparisons]
