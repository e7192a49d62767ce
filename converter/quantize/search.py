"""Which blocks compute in int8: found by measuring, for errors of one block make up for those of another.

Nothing here assumes that fewer blocks in int8 are better: what is left in float, and what comes back, is decided by
what the whole network then does. Every answer is used, the passing ones as results, whatever led to them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

MEASURED_ANEW = 4  # of the blocks that promise most, in every round
LEAST = 1e-6  # of what may be lost, where nothing may
OLDEST = 2  # of those whose gain was measured longest ago, likewise


@dataclass(frozen=True)
class Block:
    """Layers that are chosen together.

    Attributes:
        layers: their names, in the order in which they run.
        multiply_adds: of one run of all of them.
    """

    name: str
    layers: tuple[str, ...]
    multiply_adds: int


@dataclass(frozen=True)
class Setting:
    """What computes in int8.

    Attributes:
        blocks: their names.
        corrected: whether biases make up for the mean of what int8 is off by.
    """

    blocks: frozenset[str]
    corrected: bool


@dataclass(frozen=True)
class Aim:
    """What one step has to reach on every judging clip: the least mean and the least single overlap."""

    mean: float
    smallest: float


@dataclass(frozen=True)
class Measured:
    """What a setting does.

    Attributes:
        means, smallests: of the overlaps in one step, for every judging clip, and the pictures.
        bytes: of all files.
    """

    means: tuple[float, ...]
    smallests: tuple[float, ...]
    bytes: int

    def passes(self, aim: Aim) -> bool:
        return min(self.means) >= aim.mean and min(self.smallests) >= aim.smallest

    def loss(self, aim: Aim) -> float:
        """How far from the network: of every clip what its mean has lost, and what its smallest is beyond the limit, as
        shares of what they may lose."""
        lost = sum((1 - mean) / max(LEAST, 1 - aim.mean) for mean in self.means)
        beyond = sum(max(0.0, aim.smallest - smallest) / max(LEAST, 1 - aim.smallest) for smallest in self.smallests)
        return (lost + beyond) / len(self.means)


@dataclass
class Found:
    """What a search has measured, in its order.

    Attributes:
        measured: setting to figures.
    """

    measured: dict[Setting, Measured] = field(default_factory=dict)

    def passing(self, aim: Aim) -> list[Setting]:
        """With a block in int8 at least, the smallest files first; of equal ones those with more blocks."""
        found = [each for each, measured in self.measured.items() if each.blocks and measured.passes(aim)]
        return sorted(found, key=lambda each: (self.measured[each].bytes, -len(each.blocks)))


# (settings to measure, how many more may follow) -> their figures, in order
Measure = Callable[[Sequence[Setting], int], Sequence[Measured]]


def search(blocks: Sequence[Block], measure: Measure, aim: Aim, found: Found | None = None) -> Found:
    """Begin with everything in int8, leave out what gains most for its multiply-adds until the aim is reached, then try
    what was left out again.

    The same each time: nothing in it is drawn by lot.

    Args:
        blocks: those that may compute in int8.
        measure: what settings do; asked for each once.
        found: what an earlier search of the same blocks measured, which is not asked for again.

    Returns:
        with a setting that passes, unless no setting was found that does.
    """
    return _Search({block.name: block for block in blocks}, measure, aim, found or Found()).run()


@dataclass
class _Search:
    blocks: dict[str, Block]
    measure: Measure
    aim: Aim
    found: Found

    def run(self) -> Found:
        everything = frozenset(self.blocks)
        plain, corrected = Setting(everything, False), Setting(everything, True)
        self._measure([plain, corrected], self._left(everything))
        best = min(plain, corrected, key=self._loss)
        for start in (best, replace(best, corrected=not best.corrected)):
            reached = self._leave_out(start)
            if reached is not None:
                self._take_back(reached)
                self._take_back(replace(reached, corrected=not reached.corrected))
                break
        return self.found

    def _leave_out(self, start: Setting) -> Setting | None:
        """Block after block goes back to float; None where nothing passes on the way, to the last block."""
        setting, gains = start, {}
        ages = dict.fromkeys(self.blocks, 0)
        if not self._passes(setting):
            gains = self._gains(setting, sorted(setting.blocks))
        for number in range(1, len(self.blocks)):
            if self._passes(setting):
                return setting
            if number > 1:
                again = _promising(setting.blocks, gains, ages, self._worth)
                gains |= self._gains(setting, again)
                ages |= dict.fromkeys(again, number)
                left = again
            else:
                left = sorted(setting.blocks)
            gone = max(left, key=lambda name: (self._worth(name, gains[name]), name))
            setting = replace(setting, blocks=setting.blocks - {gone})
        return setting if self._passes(setting) else None

    def _take_back(self, setting: Setting) -> None:
        """Blocks in float return to int8, the largest first, as long as the aim is still reached."""
        self._measure([setting], 0)
        while self._passes(setting):
            outside = sorted(self.blocks.keys() - setting.blocks)
            tried = {name: replace(setting, blocks=setting.blocks | {name}) for name in outside}
            self._measure(list(tried.values()), len(outside))
            fitting = [name for name, each in tried.items() if self._passes(each)]
            if not fitting:
                return
            setting = tried[max(fitting, key=lambda name: (self.blocks[name].multiply_adds, name))]

    def _gains(self, setting: Setting, names: Sequence[str]) -> dict[str, float]:
        """By how much the loss falls when a block goes back to float."""
        without = {name: replace(setting, blocks=setting.blocks - {name}) for name in names}
        self._measure(list(without.values()), self._left(setting.blocks))
        return {name: self._loss(setting) - self._loss(each) for name, each in without.items()}

    def _worth(self, name: str, gain: float) -> float:
        """A gain for every multiply-add that it costs; of those that gain nothing, the one that harms least."""
        return gain / max(1, self.blocks[name].multiply_adds) if gain > 0 else gain

    def _measure(self, settings: Sequence[Setting], left: int) -> None:
        new = [each for each in dict.fromkeys(settings) if each not in self.found.measured]
        if new:
            self.found.measured |= zip(new, self.measure(new, left), strict=True)

    def _left(self, blocks: frozenset[str]) -> int:
        """About how many measurements follow, where half of the blocks go."""
        rounds = max(0, len(blocks) - len(self.blocks) // 2)
        return rounds * (MEASURED_ANEW + OLDEST) + 2 * len(self.blocks)

    def _loss(self, setting: Setting) -> float:
        return self.found.measured[setting].loss(self.aim)

    def _passes(self, setting: Setting) -> bool:
        return self.found.measured[setting].passes(self.aim)


def _promising(
    names: frozenset[str], gains: dict[str, float], ages: dict[str, int], worth: Callable[[str, float], float]
) -> list[str]:
    """Blocks to measure anew: those that promised most, and those that were measured longest ago."""
    ranked = sorted(names, key=lambda name: (-worth(name, gains[name]), name))
    oldest = sorted(ranked[MEASURED_ANEW:], key=lambda name: (ages[name], name))
    return [*ranked[:MEASURED_ANEW], *oldest[:OLDEST]]


def blocks_of(layers: Iterable[tuple[str, str, int]]) -> list[Block]:
    """Layers by their blocks, in order.

    Args:
        layers: (name, block, multiply-adds) of each.
    """
    members: dict[str, list[tuple[str, int]]] = {}
    for name, block, multiply_adds in layers:
        members.setdefault(block, []).append((name, multiply_adds))
    return [
        Block(block, tuple(name for name, _ in each), sum(number for _, number in each))
        for block, each in members.items()
    ]
