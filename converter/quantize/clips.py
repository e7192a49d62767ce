"""Clips to calibrate on and to judge by: tracked with the network, and dropped where it does not survive them."""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from converter.calibrate.collect import Sample, samples_of
from converter.checks.clip.crops import Remembering
from converter.checks.clip.one_step import Step, one_step
from converter.checks.clip.report import ClipReport
from converter.checks.clip.run import Judgement, run_clip
from converter.checks.pictures.pairs import pairs_of, procedure_around
from converter.errors import VerificationError
from converter.families.family import Procedure, family_of
from converter.folder.manifest import ClipEntry
from converter.proof.boxes import Box
from converter.proof.chain import TEMPLATE, Arrays, TrackedModel
from converter.report.text import count, overlap
from converter.spec.choices import INT8
from converter.spec.model import TrackerModels
from converter.track.frames import Clip
from converter.util import stages
from converter.util.atomic import sha256

LOWEST_FLOOR = 0.9  # of the overlap: a clip that noise alone takes the network further from itself on judges nobody
NOTHING = Step(0.0, False, 1.0)  # what an answer is worth that cannot be used


@dataclass(frozen=True, eq=False)
class Look:
    """One frame, as the network's own tracker comes to it.

    Attributes:
        procedure: in its state before the frame; not to be moved on.
        template: what it has shown its model, the crop and its mask where there is one.
        crop: what it looks at.
        answer: the network's.
    """

    index: int
    procedure: Procedure
    template: tuple[np.ndarray, ...]
    crop: tuple[np.ndarray, ...]
    answer: Arrays


def steps_of(looks: Sequence[Look], model: TrackedModel, tie: float) -> Iterator[Step]:
    """One step of a model in every frame that is looked at.

    Args:
        looks: those with the same template behind each other.
        tie: of two cells that are the same decision.
    """
    shown: tuple[np.ndarray, ...] = ()
    for look in looks:
        if look.template is not shown:
            shown = look.template
            model.template(*shown)
        try:
            yield one_step(look.procedure, model.track(*look.crop), look.answer, tie)
        except VerificationError:
            yield NOTHING


@dataclass(frozen=True, eq=False)
class Watched:
    """A clip that the network has tracked.

    Attributes:
        entry: what a manifest says of it.
        model: the network, which remembers its answers.
        looks: frames spread over those in which the network has the target.
        samples: to calibrate on.
        dropped: why the clip judges nobody, in a phrase; empty where it does.
    """

    clip: Clip
    box: Box
    entry: ClipEntry
    model: TrackedModel
    looks: tuple[Look, ...]
    samples: tuple[Sample, ...]
    dropped: str = ""


@dataclass(frozen=True)
class Wanted:
    """How much of a clip.

    Attributes:
        frames: to look at.
        samples: to calibrate on.
        seed: of the samples.
    """

    frames: int
    samples: int
    seed: int


def watch(
    clip: Clip, box: Box, model: TrackedModel, tracker: TrackerModels, wanted: Wanted, step: stages.Step
) -> Watched:
    """Track a clip with the network, beside itself under noise, and keep what a search needs of it.

    Raises:
        UsageError: for a clip that cannot be read.
        VerificationError: when the network's answer cannot be used.
    """
    network, dimensions = tracker.network, tracker.dimensions
    report = run_clip(clip, box, model, {}, network, dimensions, Judgement.of(network, INT8), step=step)
    entry = ClipEntry(name=clip.name, sha256=sha256_of(clip), box=list(box.values), frames=len(report.frames))
    if reason := not_survived(report):
        return Watched(clip, box, entry, model, (), (), reason)
    held = [row.index for row in report.frames[1:] if not row.lost]
    chosen = spread_over(held, wanted.frames)
    looks = _looks(clip, box, model, tracker, frozenset(chosen))
    samples = tuple(samples_of(clip, box, model, tracker, wanted.samples, wanted.seed))
    return Watched(clip, box, entry, model, looks, samples)


def not_survived(report: ClipReport) -> str:
    """Why a clip says nothing about models, in a phrase; empty where the network itself gets through it.

    It does not where its answers could not be used, where it has lost the target in half of the frames, and where noise
    of the tolerance's size alone takes it elsewhere.
    """
    lost, floor = len(report.lost), report.floor.iou_mean
    if report.problem:
        return f"the network stopped: {report.problem}"
    if 2 * lost >= report.tracked:
        return f"the network itself has lost the target in {lost} of {count(report.tracked, 'frame')}"
    if floor is None or floor < LOWEST_FLOOR:
        return (
            f"the network's own track under noise overlaps by {overlap(floor)}, expected {LOWEST_FLOOR:g} or more: the "
            "target is lost, or nearly so"
        )
    return ""


def spread_over(places: list[int], most: int) -> list[int]:
    """So many of some places, evenly, the last among them; all where there are not more."""
    if len(places) <= most:
        return places
    return [places[round((number + 1) * len(places) / most) - 1] for number in range(most)]


def _looks(
    clip: Clip, box: Box, model: TrackedModel, tracker: TrackerModels, wanted: frozenset[int]
) -> tuple[Look, ...]:
    """The frames that are wanted."""
    seen = Remembering(model)
    procedure = family_of(tracker.network.family).procedure(seen, tracker.network, tracker.dimensions)
    looks: list[Look] = []
    template: tuple[np.ndarray, ...] = ()
    with closing(clip.frames()) as frames:
        for index, frame in enumerate(frames):
            if not index:
                procedure.start(frame, box)
                template = _template(seen)
                continue
            crop = procedure.look(frame)
            answer = model.track(*crop)
            if index in wanted:
                looks.append(Look(index, copy.copy(procedure), template, crop, answer))
            procedure.follow(answer, frame)
            if len(looks) == len(wanted):
                break
    return tuple(looks)


def looks_at_pictures(model: TrackedModel, tracker: TrackerModels) -> tuple[Look, ...]:
    """The package's pairs of pictures, by which every int8 model is judged, as frames to look at."""
    looks = []
    for index, pair in enumerate(pairs_of(tracker.dimensions.template_size)):
        seen = Remembering(model)
        procedure = procedure_around(seen, tracker)
        procedure.start(pair.first, pair.box)
        crop = procedure.look(pair.second)
        looks.append(Look(index, procedure, _template(seen), crop, model.track(*crop)))
    return tuple(looks)


def _template(seen: Remembering) -> tuple[np.ndarray, ...]:
    """The crop, and its mask where there is one, that a model was shown."""
    return tuple(seen.crops[name] for name in (TEMPLATE, f"{TEMPLATE}_mask") if name in seen.crops)


def sha256_of(clip: Clip) -> str:
    """Of a file; of several pictures that of their pixels, frame by frame."""
    if clip.path.is_file():
        return sha256(clip.path)
    digest = hashlib.sha256()
    with closing(clip.frames()) as frames:
        for frame in frames:
            digest.update(frame.tobytes())
    return digest.hexdigest()
