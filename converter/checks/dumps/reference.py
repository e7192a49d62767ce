"""The golden vectors as the search needs them: arrays by case and meaning, and what depends on what."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from converter.checks.dumps.causes import Cause
from converter.checks.dumps.mistakes import ImageMistakes, Mistake, image_mistakes, taken_for
from converter.checks.dumps.values import value_mistakes
from converter.folder.golden import Golden
from converter.folder.golden_index import GoldenTensor
from converter.spec.network import NetworkSpec
from converter.spec.tensors import Tolerance


@dataclass(frozen=True)
class Reference:
    """Golden vectors, read once.

    Attributes:
        golden: the folder.
        network: that they are of.
        tolerances: of every output by meaning.
    """

    golden: Golden
    network: NetworkSpec
    tolerances: Mapping[str, Tolerance]

    @cached_property
    def titles(self) -> dict[str, str]:
        """Case to what reports call it."""
        return {case.name: case.title for case in self.golden.cases}

    @cached_property
    def feeds(self) -> dict[str, dict[str, np.ndarray]]:
        """Case to image (z, x) to array."""
        return {case: feed.tensors for case, feed in zip(self.titles, self.golden.feeds(), strict=True)}

    @cached_property
    def answers(self) -> dict[str, dict[str, np.ndarray]]:
        """Case to output (zf, cls, ...) to array."""
        return dict(zip(self.titles, self.golden.answers(), strict=True))

    @property
    def first(self) -> str:
        """The first case: all are of the same tensors."""
        return next(iter(self.titles))

    @cached_property
    def images(self) -> tuple[str, ...]:
        """What no graph computes, in the order in which graphs want them: z, x."""
        return tuple(self.feeds[self.first])

    @cached_property
    def entries(self) -> dict[tuple[str, str, str], GoldenTensor]:
        """(case, graph, name) to entry, in the order in which a device computes them."""
        return {(entry.case, entry.graph, entry.name): entry for entry in self.golden.index.tensors}

    @cached_property
    def final(self) -> frozenset[str]:
        """Outputs that no graph takes: cls, reg."""
        taken = {entry.meaning for entry in self.entries.values() if entry.role == "input"}
        return frozenset(entry.meaning for entry in self.entries.values() if entry.role == "output") - taken

    @cached_property
    def depends(self) -> dict[str, frozenset[str]]:
        """Every image and output to the images it is computed from."""
        depends = {image: frozenset([image]) for image in self.images}
        for graph in self.golden.index.graphs:
            images = self.images_of_graph(graph.name, depends)
            for entry in self.entries.values():
                if (entry.case, entry.graph, entry.role) == (self.first, graph.name, "output"):
                    depends[entry.meaning] = images
        return depends

    def images_of_graph(self, graph: str, depends: Mapping[str, frozenset[str]]) -> frozenset[str]:
        """The images that a graph's tensors are computed from."""
        taken = {entry.meaning for entry in self.entries.values() if (entry.graph, entry.role) == (graph, "input")}
        return frozenset().union(*(depends.get(meaning, frozenset()) for meaning in taken))

    def stale(self, case: str, arrays: Mapping[str, np.ndarray], cause: Cause) -> list[Mistake]:
        """Another case's array in place of a case's; ``arrays`` has one for every case."""
        others = [(title, arrays[other]) for other, title in self.titles.items() if other != case]
        return [taken_for(array, cause.filled(title=title)) for title, array in others]

    @cached_property
    def image_mistakes(self) -> ImageMistakes:
        return image_mistakes(self.network.preprocess)

    @cached_property
    def value_mistakes(self) -> tuple[list[Mistake], list[Mistake]]:
        return value_mistakes(self.network, self.golden.index.tracker.model_dump())

    def tolerance(self, meaning: str) -> Tolerance:
        """The loosest of all for inputs and inner tensors, which the config gives no tolerance of their own."""
        every = self.tolerances.values()
        loosest = Tolerance(atol=max(each.atol for each in every), rtol=max(each.rtol for each in every))
        return self.tolerances.get(meaning, loosest)

    def array(self, case: str, graph: str, name: str) -> np.ndarray:
        """Any tensor, NCHW float32."""
        entry = self.entries[case, graph, name]
        if entry.role == "intermediate":
            return self.golden.read(entry)
        return {**self.answers[case], **self.feeds[case]}[entry.meaning]
