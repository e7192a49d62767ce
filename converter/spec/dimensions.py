"""The numbers of a network at its sizes."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Dimensions:
    """What the names in a config's tensor shapes stand for.

    Attributes:
        template_size, search_size: edge of a crop, pixels.
        stride: pixels of a crop per cell.
        channels: of the features.
        template_cells, search_cells: edge of the features, cells.
        others: further names of a family; ``score_cells`` where the score map has another edge than the features.
    """

    template_size: int
    search_size: int
    stride: int
    channels: int
    template_cells: int
    search_cells: int
    others: Mapping[str, int] = field(default_factory=dict)

    @property
    def score_size(self) -> int:
        """Edge of the score map, cells."""
        return self.others.get("score_cells", self.search_cells)

    def numbers(self) -> dict[str, int]:
        """Every name and its number."""
        return {
            "template_size": self.template_size,
            "search_size": self.search_size,
            "stride": self.stride,
            "channels": self.channels,
            "template_cells": self.template_cells,
            "search_cells": self.search_cells,
            **self.others,
        }
