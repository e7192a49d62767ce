"""Settings tried on clips, each clip with models that were calibrated on the others."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from converter.formats.format import Format
from converter.formats.int8 import Int8Layer, Quantiser
from converter.formats.moments import Fed
from converter.proof.chain import Arrays, GraphModel
from converter.quantize.clips import Look, Watched, steps_of
from converter.quantize.journal import Journal
from converter.quantize.search import Block, Measured, Setting, blocks_of
from converter.spec.model import Model, TrackerModels
from converter.util.content import Content, Contents
from converter.util.stages import Stages

AT_ONCE = 2  # trials; runtimes let others work meanwhile
Files = Mapping[Model, tuple[Content, ...]]


@dataclass(frozen=True, eq=False)
class Int8Models:
    """Models that were written, as they are run.

    Attributes:
        files: of every model.
        draft: whether they only stand for the models, so that the format's ``load_draft`` takes them.
    """

    format: Format
    files: Files
    draft: bool = False

    @property
    def bytes(self) -> int:
        """Of what a device takes, each file once; of all that there is of a draft, which is smaller where they are."""
        sizes = {content.name: len(content.data) for content in self._contents}
        return sum(sizes.values()) if self.draft else device_bytes(self.format, sizes)

    def tracked(self) -> GraphModel:
        """Loaded, on one thread."""
        load = self.format.load_draft if self.draft and self.format.load_draft else self.format.load
        return GraphModel(list(self.files), {model: load(files, model.graph) for model, files in self.files.items()})

    def write(self, folder: Path) -> None:
        """As they were judged, to the last byte."""
        for content in self._contents:
            (folder / content.name).write_bytes(content.data)

    @property
    def _contents(self) -> list[Content]:
        return list({content.name: content for each in self.files.values() for content in each}.values())


def device_bytes(format: Format, sizes: Mapping[str, int]) -> int:
    """Of the files that a device takes.

    Args:
        sizes: of all files of models, by name.
    """
    return sum(size for name, size in sizes.items() if not name.endswith(format.sources))


@dataclass(frozen=True, eq=False)
class Quantisers:
    """One for every clip that judges, calibrated on the others, and one calibrated on all.

    Attributes:
        tracker: the models.
        place: a folder to write in.
        of_clips: in the order of the clips.
    """

    format: Format
    tracker: TrackerModels
    place: Path
    of_clips: tuple[Quantiser, ...]
    of_all: Quantiser

    @property
    def layers(self) -> Sequence[Int8Layer]:
        return self.of_all.layers

    @property
    def blocks(self) -> list[Block]:
        return blocks_of((layer.name, layer.block, layer.multiply_adds) for layer in self.layers)

    def written(self, quantiser: Quantiser, layers: Collection[str], corrected: bool) -> Int8Models:
        """The models with some layers in int8."""
        return self._models(quantiser.write, layers, corrected)

    def drafted(self, quantiser: Quantiser, layers: Collection[str], corrected: bool) -> Int8Models:
        """What stands for them while settings are tried: the models themselves where the format has no drafts."""
        if self.format.load_draft is None:
            return self.written(quantiser, layers, corrected)
        return self._models(quantiser.draft, layers, corrected, draft=True)

    def _models(
        self,
        write: Callable[[Collection[str], bool, Path], None],
        layers: Collection[str],
        corrected: bool,
        draft: bool = False,
    ) -> Int8Models:
        with TemporaryDirectory(dir=self.place) as name:
            folder, contents = Path(name), Contents()
            write(layers, corrected, folder)
            there = {
                model: [path for path in model.paths(folder) if not draft or path.is_file()]
                for model in self.tracker.models
            }
            files = {model: tuple(contents.of(paths)) for model, paths in there.items()}
        return Int8Models(self.format, files, draft)


def quantisers(format: Format, tracker: TrackerModels, folder: Path, samples: Sequence[Sequence[Arrays]]) -> Quantisers:
    """Args:
        folder: of the models without int8; the folder around it is to write in.
        samples: of every clip, every tensor by its meaning.

    Raises:
        ConversionError: from the format's quantiser.
    """
    assert format.quantiser is not None
    models = tracker.of(format.name)
    once = {model.graph.name for model in GraphModel(models, {}).once}
    quantiser = format.quantiser

    def made(left_out: int | None) -> Quantiser:
        shown = [each for place, of_clip in enumerate(samples) if place != left_out for each in of_clip]
        fed = [
            Fed(
                model.paths(folder),
                model.graph,
                [{tensor.name: each[tensor.meaning] for tensor in model.graph.inputs} for each in shown],
            )
            for model in models
        ]
        return quantiser(fed, once)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        *of_clips, of_all = pool.map(made, [*range(len(samples)), None])
    return Quantisers(format, tracker, folder.parent, tuple(of_clips), of_all)


@dataclass
class Trials:
    """Measures settings, and keeps what was measured.

    Attributes:
        pictures: to look at besides, with models calibrated on all clips.
        tie: of two cells that are the same decision.
        done: settings so far; ``known`` of them were measured by a run before.
        began: when, by the monotonic clock.
    """

    quantisers: Quantisers
    blocks: Mapping[str, Block]
    clips: Sequence[Watched]
    pictures: Sequence[Look]
    journal: Journal
    tie: float
    stages: Stages
    done: int = 0
    known: int = 0
    began: float = field(default_factory=time.monotonic)

    def layers(self, setting: Setting) -> list[str]:
        """Those in int8, in the order in which they run."""
        return [name for key, block in self.blocks.items() if key in setting.blocks for name in block.layers]

    def measure(self, settings: Sequence[Setting], left: int) -> list[Measured]:
        """What settings do on the frames that are looked at: each clip with models calibrated on the others, and the
        pictures, the last of all, with those calibrated on all.

        Args:
            left: how many may follow.

        Raises:
            ConversionError: when one cannot be written or run.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [pool.submit(self._measured, setting) for setting in settings]
            try:
                return list(self._kept(settings, (each.result() for each in waiting), left))
            finally:
                for each in waiting:
                    each.cancel()

    def _kept(
        self, settings: Sequence[Setting], answers: Iterator[tuple[Measured, bool]], left: int
    ) -> Iterator[Measured]:
        for number, (setting, (measured, new)) in enumerate(zip(settings, answers, strict=True), 1):
            if new:
                self.journal.add(self.layers(setting), setting.corrected, measured)
            else:
                self.known += 1
            self.done += 1
            more = len(settings) - number + left
            self.stages.progress.step(self.done, self.done + more, f"settings, {self._time_left(more)}")
            yield measured

    def _time_left(self, more: int) -> str:
        """For so many settings, as long as those of this run took."""
        new = self.done - self.known
        seconds = 0.0 if not new else more * (time.monotonic() - self.began) / new
        return f"about {seconds / 60:.0f} min left" if seconds >= 60 else f"about {seconds:.0f} s left"

    def _measured(self, setting: Setting) -> tuple[Measured, bool]:
        """The figures, and whether they are new."""
        layers = self.layers(setting)
        looks = [*(clip.looks for clip in self.clips), self.pictures]
        if known := self.journal.get(layers, setting.corrected, len(looks)):
            return known, False
        overlaps, size = [], 0
        for seen, quantiser in zip(looks, [*self.quantisers.of_clips, self.quantisers.of_all], strict=True):
            models = self.quantisers.drafted(quantiser, layers, setting.corrected)
            overlaps.append([step.iou for step in steps_of(seen, models.tracked(), self.tie)])
            size = models.bytes
        means = tuple(sum(each) / len(each) for each in overlaps)
        return Measured(means, tuple(map(min, overlaps)), size), True
