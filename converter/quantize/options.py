"""Everything one ``lt-quantize`` depends on; the command line builds it, :mod:`converter.quantize.run` reads it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.folder.listing import tool_versions
from converter.formats.format import format_of
from converter.proof.boxes import Box
from converter.spec.choices import Precision
from converter.spec.options import ExportOptions
from converter.track.frames import Clip
from converter.util.atomic import shortened

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork
    from converter.quantize.clips import Watched

SAMPLES, FRAMES = 48, 24
MOST_SAMPLES, MOST_FRAMES = 1000, 10_000
FEWEST_CLIPS = 2


@dataclass(frozen=True)
class QuantizeOptions:
    """What to make smaller, and on what.

    Attributes:
        exports: precision to the export in it; of one network, in one format. Of the first int8 models are made.
        clips: each with the box of its target in the first frame.
        output: the folder to publish.
        samples: to calibrate on, of all clips together.
        frames: of each clip that the search looks at.
        seed: of the samples.
        plot: a picture to draw, or None.
        reports: pages to write.
        command_line: that asked for them; empty when Python did.
    """

    exports: dict[Precision, ExportOptions]
    clips: tuple[tuple[Clip, Box], ...]
    output: Path
    samples: int
    frames: int
    seed: int
    plot: Path | None = None
    reports: tuple[Path, ...] = ()
    command_line: str = ""

    @property
    def int8(self) -> ExportOptions:
        return self.exports["int8"]

    @property
    def base(self) -> Precision:
        """Of the models that int8 ones are made of."""
        return next(iter(self.exports))

    @property
    def format(self) -> str:
        return self.int8.formats[0]

    @property
    def workplace(self) -> Path:
        """The folder beside the output where a search keeps what it has measured."""
        return workplace_of(self.output)


def workplace_of(output: Path) -> Path:
    """The folder beside an output where a search keeps what it has measured."""
    place = output.resolve()
    return place.with_name(f"{shortened(place.name)}.search")


def search_key(options: QuantizeOptions, network: "LoadedNetwork", clips: "list[Watched]", version: str) -> str:
    """What every measurement of a search depends on, as a text."""
    about = {
        "version": version,
        "checkpoint": network.checkpoint.sha256,
        "network": options.int8.network.model_dump(mode="json"),
        "path_name": network.path_name,
        "format": options.format,
        "split": options.int8.split_of(options.format),
        "rknn": options.int8.rknn.model_dump() if options.int8.rknn else None,
        "clips": [clip.entry.model_dump(mode="json") for clip in clips],
        "samples": options.samples,
        "frames": options.frames,
        "seed": options.seed,
        "tools": tool_versions(["torch", "numpy", *format_of(options.format).packages]),
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
