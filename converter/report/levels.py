"""How the error of a layer is sorted into a few levels, and a graph as signs where nothing can be drawn."""

from collections.abc import Iterator
from dataclasses import dataclass

from converter.report.blocks import Graph, Node

FIRST_WRONG = "first wrong"
WRONG_SIGN = "!"
PER_LINE, GROUP = 60, 10


@dataclass(frozen=True)
class Level:
    """Errors of one size.

    Attributes:
        sign: a character for it.
        words: for a legend.
        up_to: the largest share of what is allowed.
        filled: how much of a drawn layer is filled, 0 to 1.
    """

    sign: str
    words: str
    up_to: float
    filled: float

    @property
    def beyond(self) -> bool:
        """Whether it is beyond the tolerance."""
        return self.up_to > 1


LEVELS = (
    Level(".", "up to 0.1 % of the tolerance", 1e-3, 0.25),
    Level(":", "up to 1 %", 1e-2, 0.5),
    Level("o", "up to 10 %", 1e-1, 0.75),
    Level("O", "up to the tolerance", 1.0, 1.0),
    Level("X", "beyond it, up to 10 times", 10.0, 1.0),
    Level("#", "further beyond, or no figures", float("inf"), 1.0),
)
UNMATCHED = Level("?", "compared with nothing", 0.0, 0.0)
ALL_LEVELS = (*LEVELS, UNMATCHED)


def level_of(node: Node) -> Level:
    share = node.share
    return UNMATCHED if share is None else next(level for level in LEVELS if share <= level.up_to)


def levels_in(graph: Graph) -> list[Level]:
    """Those that occur, in their order."""
    there = {level_of(node) for node in graph.nodes}
    return [level for level in ALL_LEVELS if level in there]


def sign_legend(graph: Graph) -> str:
    """What the signs are of, and what they mean."""
    signs = [f"{level.sign} {level.words}" for level in levels_in(graph)]
    if any(node.first_wrong for node in graph.nodes):
        signs.append(f"{WRONG_SIGN} {FIRST_WRONG}")
    return f"{graph.title}, a sign per layer in the order of the file: {'; '.join(signs)}."


def sign_lines(graph: Graph) -> Iterator[str]:
    """A character per layer, the number of the first before every line; the first wrong one is the only ``!``."""
    signs = "".join(WRONG_SIGN if node.first_wrong else level_of(node).sign for node in graph.nodes)
    width = len(str(len(signs)))
    for begin in range(0, len(signs), PER_LINE):
        line = signs[begin : begin + PER_LINE]
        groups = (line[place : place + GROUP] for place in range(0, len(line), GROUP))
        yield f"{begin + 1:>{width}} {' '.join(groups)}"
