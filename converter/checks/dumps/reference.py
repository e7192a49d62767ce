"""The golden vectors as the search needs them: arrays by case and meaning, and what depends on what."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from converter.folder.golden import Golden
from converter.folder.golden_index import GoldenTensor


@dataclass(frozen=True)
class Reference:
    """Golden vectors, read once.

    Attributes:
        golden: the folder.
    """

    golden: Golden

    @cached_property
    def cases(self) -> tuple[str, ...]:
        return tuple(case.name for case in self.golden.cases)

    @cached_property
    def titles(self) -> dict[str, str]:
        return {case.name: case.title for case in self.golden.cases}

    @cached_property
    def feeds(self) -> dict[str, dict[str, np.ndarray]]:
        """Case to image (z, x) to array."""
        return {case: feed.tensors for case, feed in zip(self.cases, self.golden.feeds(), strict=True)}

    @cached_property
    def answers(self) -> dict[str, dict[str, np.ndarray]]:
        """Case to output (zf, cls, ...) to array."""
        return dict(zip(self.cases, self.golden.answers(), strict=True))

    @cached_property
    def images(self) -> tuple[str, ...]:
        """What no graph computes, in the order in which graphs want them: z, x."""
        return tuple(next(iter(self.feeds.values())))

    @cached_property
    def entries(self) -> dict[tuple[str, str, str], GoldenTensor]:
        """(case, graph, name) to entry, in the order in which a device computes them."""
        return {(entry.case, entry.graph, entry.name): entry for entry in self.golden.index.tensors}

    @cached_property
    def final(self) -> frozenset[str]:
        """Outputs that no graph takes: cls, reg."""
        taken = {entry.meaning for entry in self.entries.values() if entry.role == "input"}
        return frozenset(
            entry.meaning for entry in self.entries.values() if entry.role == "output" and entry.meaning not in taken
        )

    @cached_property
    def depends(self) -> dict[str, frozenset[str]]:
        """Every image and output to the images it is computed from."""
        known = {image: frozenset([image]) for image in self.images}
        for graph in self.golden.index.graphs:
            of = [entry for entry in self.entries.values() if (entry.case, entry.graph) == (self.cases[0], graph.name)]
            images = frozenset().union(
                *(known.get(entry.meaning, frozenset()) for entry in of if entry.role == "input")
            )
            known.update({entry.meaning: images for entry in of if entry.role == "output"})
        return known

    def array(self, case: str, graph: str, name: str) -> np.ndarray:
        """Any tensor, NCHW float32."""
        entry = self.entries[case, graph, name]
        if entry.role == "intermediate":
            return self.golden.read(entry)
        return {**self.answers[case], **self.feeds[case]}[entry.meaning]
