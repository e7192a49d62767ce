"""quantize(options): clips -> models in float -> search -> judgement -> folder, or why there is none."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import ConversionError, ConverterError, UsageError
from converter.exporting.pipeline import export
from converter.exporting.plan import plan_export
from converter.folder.manifest import read_manifest
from converter.formats.format import format_of
from converter.network.load import LoadedNetwork, load_network, one_thread
from converter.network.reference import TorchModel
from converter.proof.chain import Arrays, GraphModel
from converter.quantize.beside import beside
from converter.quantize.clips import Wanted, Watched, looks_at_pictures, watch
from converter.quantize.judging import Judge
from converter.quantize.latency import Latency, latencies
from converter.quantize.memory import Memory
from converter.quantize.options import FEWEST_CLIPS, QuantizeOptions, search_key
from converter.quantize.points import hurting_of, points_of, tried_of
from converter.quantize.publishing import published
from converter.quantize.result import QuantizeResult
from converter.quantize.search import Found
from converter.quantize.trials import Trials, quantisers
from converter.quantize.whole import Load, about_judging
from converter.quantize.workplace import workplace
from converter.report.text import count
from converter.spec.choices import INT8
from converter.spec.model import TrackerModels
from converter.util.atomic import guarded_scratch, make_folder
from converter.util.content import Contents
from converter.util.stages import Listener, Stages
from converter.util.version import version

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint

log = logging.getLogger(__name__)

LAST_STAGE = "publish"


def quantize(
    options: QuantizeOptions, progress: Listener | None = None, checkpoint: "Checkpoint | None" = None
) -> QuantizeResult:
    """Search for int8 models that track, and publish the smallest that does.

    Args:
        checkpoint: what its file holds, where it was read already.

    Returns:
        false where none was found that does.

    Raises:
        UsageError: where fewer than two clips can be used.
        ConverterError: another of its kinds when something cannot be read, run or written.
    """
    stages = Stages(progress)
    with workplace(options) as journal_of, guarded_scratch("lt-quantize-") as folder, one_thread():
        tracker = plan_export(options.exports[options.base]).trackers[0]
        with stages("network") as notes:
            network = load_network(options.int8, tracker.dimensions.stride, checkpoint)
            notes += [options.int8.arch, network.source]
        watched = _watched(options, network, tracker, stages)
        clips = _kept(watched)
        with stages("float") as notes:
            floats = _floats(options, checkpoint, folder)
            notes.append(", ".join(floats))
        with stages("calibrate") as notes:
            base = floats[options.base]
            fitted = quantisers(format_of(options.format), tracker, base, _tensors(clips, network, tracker))
            blocks, whole = {block.name: block for block in fitted.blocks}, _multiply_adds(base, tracker)
            notes.append(f"{count(len(fitted.layers), 'layer')} in {count(len(blocks), 'block')}")
        if not blocks:
            raise ConversionError(f"--format {options.format}: no layer of {options.int8.arch} can compute in int8")
        with journal_of(search_key(options, network, clips, version())) as journal:
            pictures = looks_at_pictures(TorchModel.of(network.module, tracker), tracker)
            trials = Trials(fitted, blocks, clips, pictures, journal, tracker.network.box_tie(INT8), stages)
            judge = Judge(trials, clips, tracker, network, _loads(floats, tracker), stages)
            found = judge.run()
        times = {} if fitted.format.simulated else _times(judge, floats, tracker, folder, stages)
        points = points_of(judge.judged, floats, times, tracker, blocks, whole)
        result = _result(options, watched, found, trials, whole)
        result = replace(result, points=points, unwritten=tuple(judge.judged.unwritten.values()))
        return published(options, result, judge, checkpoint, stages)


def _result(
    options: QuantizeOptions, watched: list[Watched], found: Found, trials: Trials, whole: int
) -> QuantizeResult:
    """What a search has come to, before anything is published.

    Args:
        whole: multiply-adds of a frame.
    """
    return QuantizeResult(
        folder=options.output,
        workplace=options.workplace,
        format=options.format,
        arch=options.int8.arch,
        points=(),
        front=tried_of(found, trials.blocks, whole),
        tried=len(found.measured),
        known=trials.known,
        hurting=hurting_of(found, trials.blocks),
        kept=tuple(clip.entry for clip in watched if not clip.dropped),
        dropped={clip.entry.name: clip.dropped for clip in watched if clip.dropped},
        layers={name: block.layers for name, block in trials.blocks.items()},
        judged=about_judging(trials.quantisers.format, trials.clips),
    )


def _watched(options: QuantizeOptions, network: LoadedNetwork, tracker: TrackerModels, stages: Stages) -> list[Watched]:
    """Every clip, tracked with the network."""
    share = max(1, options.samples // len(options.clips))
    wanted = Wanted(options.frames, share, options.seed)
    works = [
        partial(watch, clip, box, Memory(TorchModel.of(network.module, tracker)), tracker, wanted)
        for clip, box in options.clips
    ]
    with stages("track") as notes:
        watched = beside(works, stages, "frames")
        notes.append(f"{count(sum(each.entry.frames for each in watched), 'frame')} of {len(watched)} clips")
    return watched


def _kept(watched: list[Watched]) -> list[Watched]:
    """The clips that can judge.

    Raises:
        UsageError: where there are too few, for others have to be given.
    """
    for clip in watched:
        if clip.dropped:
            log.warning("%s is left out: %s", clip.entry.name, clip.dropped)
    kept = [clip for clip in watched if not clip.dropped]
    if len(kept) < FEWEST_CLIPS:
        gone = next(clip for clip in watched if clip.dropped)
        raise UsageError(
            f"{count(len(kept), 'clip')} of {len(watched)} can be used, expected {FEWEST_CLIPS} or more, for each is "
            f"judged with models calibrated on the others: {gone.entry.name}: {gone.dropped}; pass other clips"
        )
    return kept


def _floats(options: QuantizeOptions, checkpoint: "Checkpoint | None", folder: Path) -> dict[str, Path]:
    """Exports without int8, by precision: that which int8 models are made of always, others where they pass."""
    made: dict[str, Path] = {}
    for precision, asked in options.exports.items():
        if precision == INT8:
            continue
        output = folder / precision
        try:
            export(asked.model_copy(update={"output": output}), None, checkpoint)
        except ConverterError as error:
            if precision == options.base:
                raise
            log.warning("no %s models to compare with: %s", precision, error)
        else:
            made[precision] = output
    return made


def _tensors(clips: list[Watched], network: LoadedNetwork, tracker: TrackerModels) -> list[list[Arrays]]:
    """Of every sample of every clip, all tensors by meaning."""
    model = TorchModel.of(network.module, tracker)
    return [[{**sample.crops, **model.infer(sample.crops)} for sample in clip.samples] for clip in clips]


def _multiply_adds(folder: Path, tracker: TrackerModels) -> int:
    """Of a frame, as an export says."""
    counted = read_manifest(folder).multiply_adds
    return sum(counted[model.graph.name] for model in GraphModel(tracker.models, {}).every_frame)


def _loads(floats: Mapping[str, Path], tracker: TrackerModels) -> dict[str, Load]:
    """What loads each of some exports."""

    def load(folder: Path) -> GraphModel:
        contents = Contents()
        runners = {
            model: format_of(model.format).load(contents.of(model.paths(folder)), model.graph)
            for model in tracker.models
        }
        return GraphModel(tracker.models, runners)

    return {name: partial(load, folder) for name, folder in floats.items()}


def _times(
    judge: Judge, floats: Mapping[str, Path], tracker: TrackerModels, folder: Path, stages: Stages
) -> dict[str, Latency]:
    """Of the models without int8 by name, of the others by their number in the order in which they were judged."""
    folders = dict(floats)
    for number, models in enumerate(judge.judged.models.values()):
        folders[str(number)] = make_folder(folder / f"int8-{number}")
        models.write(folders[str(number)])
    with stages("measure") as notes:
        times = latencies(folders, tracker, stages)
        notes.append(f"{len(times)} models in turns, one thread")
    return times
