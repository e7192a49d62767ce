"""Rounds of searching and judging: what passes on the frames that are looked at is judged whole, the smallest first."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from converter.checks.pictures.pairs import feeds_of_pairs
from converter.checks.pictures.steps import OnPictures, on_pictures
from converter.errors import ConversionError
from converter.network.load import LoadedNetwork
from converter.network.reference import reference_outputs
from converter.quantize.clips import Watched
from converter.quantize.search import Aim, Found, Setting, search
from converter.quantize.trials import Int8Models, Trials
from converter.quantize.whole import Load, OnClip, Whole, on_clips, running
from converter.report.text import count
from converter.spec.choices import INT8
from converter.spec.model import TrackerModels
from converter.util.stages import Stages

log = logging.getLogger(__name__)

ROUNDS = 5  # of searching and judging
TOGETHER = 2  # settings that are judged in a round
STEP = 0.1  # of what a mean may lose: by how much more is asked for at least, where nothing passes whole


@dataclass
class Judged:
    """What was judged whole.

    Attributes:
        floats: name to how models without int8 do on every clip.
        settings: those with int8, in the order in which they were judged.
        models: what would be published of each, calibrated on all clips.
        unwritten: settings that pass as drafts, and of which no models can be made, with the reason.
    """

    floats: dict[str, tuple[OnClip, ...]] = field(default_factory=dict)
    settings: dict[Setting, Whole] = field(default_factory=dict)
    models: dict[Setting, Int8Models] = field(default_factory=dict)
    unwritten: dict[Setting, str] = field(default_factory=dict)

    @property
    def passed(self) -> list[Setting]:
        """The smallest files first."""
        passing = [setting for setting, whole in self.settings.items() if whole]
        return sorted(passing, key=lambda each: self.models[each].bytes)


@dataclass
class Judge:
    """Judges settings of a search.

    Attributes:
        floats: name to models without int8, which are judged beside the first ones.
    """

    trials: Trials
    clips: Sequence[Watched]
    tracker: TrackerModels
    network: LoadedNetwork
    floats: Mapping[str, Load]
    stages: Stages
    judged: Judged = field(default_factory=Judged)

    def run(self) -> Found:
        """Search and judge, until something passes whole; where nothing does, aim higher by as much as it fails."""
        limits, found = self.tracker.network.step_limits(INT8), Found()
        aim = Aim(limits.iou, limits.smallest)
        for _ in range(ROUNDS):
            with self.stages("search") as notes:
                before = len(found.measured)
                search(list(self.trials.blocks.values()), self.trials.measure, aim, found)
                seen = self.judged.settings.keys() | self.judged.unwritten.keys()
                passing = [each for each in found.passing(aim) if each not in seen]
                notes.append(f"{len(found.measured) - before} settings, {len(passing)} pass")
            with self.stages("judge") as notes:
                chosen = passing[:TOGETHER]
                self._whole(chosen)
                notes.append(f"{len(chosen)} on {len(self.clips)} clips, {len(self.judged.passed)} pass")
            if self.judged.passed or not chosen:
                break
            judged = [self.judged.settings[each].left_out for each in chosen if each in self.judged.settings]
            if judged:
                least = min(each.mean or 0.0 for left_out in judged for each in left_out)
                aim = Aim(aim.mean + max(STEP * (1 - limits.iou), limits.iou - least), aim.smallest)
        return found

    def _whole(self, settings: Sequence[Setting]) -> None:
        """Judge settings: with the calibration of the others first, and with that of all where they pass so."""
        loads: list[dict[str, Load]] = [{} if self.judged.floats else dict(self.floats) for _ in self.clips]
        names = {setting: f"others {number}" for number, setting in enumerate(settings)}
        models: dict[Setting, Int8Models] = {}
        for setting in settings:
            if written := self._written(setting):
                *of_clips, models[setting] = written
                for of_clip, left_out in zip(loads, of_clips, strict=True):
                    of_clip[names[setting]] = left_out.tracked
        names = {setting: names[setting] for setting in models}
        format = self.trials.quantisers.format
        others = on_clips(format, self.clips, loads, self.tracker, self.stages)
        self.judged.floats = self.judged.floats or {name: others[name] for name in self.floats}
        again = {name: models[setting].tracked for setting, name in names.items() if all(others[name])}
        of_all = on_clips(format, self.clips, [again] * len(self.clips), self.tracker, self.stages)
        for setting, name in names.items():
            verdict = Whole(of_all.get(name, ()), others[name], self._on_pictures(models[setting]))
            self.judged.models[setting], self.judged.settings[setting] = models[setting], verdict
            log.debug("%s: %s", name, verdict.failures() or "passes")

    def _written(self, setting: Setting) -> list[Int8Models]:
        """For every clip those calibrated on the others, and those calibrated on all; none where that fails, which is
        noted.

        Raises:
            ConversionError: where it fails although the search has written the same.
        """
        quantisers, layers = self.trials.quantisers, self.trials.layers(setting)
        try:
            return [
                quantisers.written(quantiser, layers, setting.corrected)
                for quantiser in (*quantisers.of_clips, quantisers.of_all)
            ]
        except ConversionError as error:
            if quantisers.format.load_draft is None:
                raise
            log.warning("%s of %s in int8: %s", len(layers), count(len(quantisers.layers), "layer"), error)
            self.judged.unwritten[setting] = str(error)
            return []

    def _on_pictures(self, models: Int8Models) -> OnPictures:
        outputs = reference_outputs(self.network.module, self.tracker, feeds_of_pairs(self.tracker))
        with running(models.tracked) as model:
            return on_pictures(models.format.name, self.tracker, INT8, model.runners, outputs)
