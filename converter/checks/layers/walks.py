"""The layer walks of all graphs together."""

from dataclasses import dataclass
from typing import Any

from converter.checks.layers.section import layers_section
from converter.checks.layers.walk import LayerWalk
from converter.report.blocks import Section


@dataclass(frozen=True)
class Walks:
    """The layer walks of all graphs; true when every one passed."""

    walks: tuple[LayerWalk, ...]

    def __bool__(self) -> bool:
        return bool(self.walks) and all(self.walks)

    def failure(self) -> str:
        failed = "; ".join(walk.failure() for walk in self.walks if not walk)
        return failed or "layers: there is no model to walk through"

    def as_dict(self) -> list[dict[str, Any]]:
        return [walk.as_dict() for walk in self.walks]

    def section(self) -> Section:
        return layers_section(self.walks)
