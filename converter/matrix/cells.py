"""A cell of a matrix: what one export is asked for, and the name that it has for good."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converter.families.choice import official_root
from converter.formats.format import checked_formats, default_splits, formats_of_halves
from converter.spec.choices import exported_precision
from converter.spec.options import ExportOptions
from converter.spec.presets import Wanted, choose

KEY = 16  # characters of a cell's name


@dataclass(frozen=True)
class Cell:
    """One export; None for what the preset, the network or lt-export chooses.

    Attributes:
        sizes: of template and search crop.
    """

    checkpoint: Path
    path_name: str | None = None
    format: str | None = None
    sizes: tuple[int, int] | None = None
    preset: str | None = None
    precision: str | None = None

    def key(self, sha256: str) -> str:
        """Its name: the same for the same request of the same weights, wherever their file lies.

        Args:
            sha256: of the checkpoint.
        """
        asked = {**asdict(self), "checkpoint": sha256}
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:KEY]

    def about(self) -> dict[str, Any]:
        """What was asked for, for a record of it."""
        sizes = None if self.sizes is None else "/".join(map(str, self.sizes))
        return {**asdict(self), "checkpoint": self.checkpoint.name, "sizes": sizes}

    def __str__(self) -> str:
        return " ".join(value for value in self.about().values() if value is not None)


@dataclass(frozen=True)
class Asked:
    """What all cells of a run have in common.

    Attributes:
        official: a checkout to build every network from.
        allow_pickle: as the option of lt-export.
        archs: checkpoint to the arch of its weights, as far as they say it.
    """

    official: Path | None
    allow_pickle: bool
    archs: Mapping[Path, str | None]


def options_of(cell: Cell, asked: Asked, output: Path) -> ExportOptions:
    """What ``lt-export`` makes of the same words.

    Raises:
        ConverterError: one of its kinds, when the cell cannot be.
    """
    template, search = cell.sizes or (None, None)
    wanted = Wanted(
        preset=cell.preset,
        arch=asked.archs[cell.checkpoint],
        path_name=cell.path_name,
        template_size=template,
        search_sizes=() if search is None else (search,),
        formats=checked_formats(cell.format or ()),
        precision=exported_precision(cell.precision),
        default_splits=default_splits(),
        of_halves=formats_of_halves(),
    )
    chosen = choose(wanted)
    return ExportOptions(
        **dict(chosen),
        checkpoint=cell.checkpoint,
        output=output,
        official=official_root(asked.official, chosen.network, cell.checkpoint),
        allow_pickle=asked.allow_pickle,
        named=cell.path_name is not None,
    )
