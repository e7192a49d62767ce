"""Golden vectors to compare with."""

import os

from converter.errors import UsageError, VerificationError
from converter.families.family import family_of
from converter.folder.golden import Golden, read_golden
from converter.folder.golden_index import GOLDEN_INDEX
from converter.folder.stated import constants_stated
from converter.folder.subject import Subject
from converter.spec.model import TrackerModels
from converter.spec.options import VerifyOptions

GOLDEN_FOLDER = "golden"


def golden_of(options: VerifyOptions, subject: Subject) -> Golden | None:
    """The golden vectors that the user named, or those of the export; None when there are none."""
    if options.golden:
        return read_golden(options.golden)
    recorded = subject.manifest.golden if subject.manifest else None
    for name in (recorded, GOLDEN_FOLDER) if options.folder else ():
        if name and os.path.lexists(subject.folder / name / GOLDEN_INDEX):
            return read_golden(subject.folder / name)
    return None


def golden_of_dumps(options: VerifyOptions, subject: Subject) -> Golden:
    """Likewise, where ``--dumps`` needs them.

    Raises:
        UsageError: when there are none.
    """
    golden = golden_of(options, subject)
    if golden is None:
        raise UsageError("--dumps wants the golden vectors that the device was given: --golden DIR, or in the export")
    return golden


def golden_at(golden: Golden, tracker: TrackerModels) -> Golden:
    """The vectors of a tracker's sizes; all where none fit, for :func:`check_golden` to say what they are of."""
    fitting = golden.of_size(tracker.images)
    return fitting if fitting.cases else golden


def check_golden(golden: Golden, subject: Subject, tracker: TrackerModels) -> None:
    """Refuse vectors of another network, which prove nothing about this one.

    Raises:
        UsageError: when they are of other graphs or shapes.
        VerificationError: when they are of another checkpoint, a file was changed, or a case or a tensor is missing.
    """
    golden.check_files()
    index, manifest, network = golden.index, subject.manifest, tracker.network
    where = f"golden vectors in {golden.folder}"
    if not golden.cases:
        raise VerificationError(
            f"{where}: the index lists no case, so nothing would be compared; write them anew with --write-golden"
        )
    family = family_of(network.family)
    if not family.covers(network.path_name, index.path_name):
        raise UsageError(
            f"{where} are of {family.called} {index.path_name}, the models of {network.path_name}; "
            "pass vectors of the same network, or --resume CHECKPOINT"
        )
    if manifest and index.checkpoint.sha256 != manifest.checkpoint.sha256:
        raise VerificationError(
            f"{where} are of checkpoint {index.checkpoint.called}, the export is of {manifest.checkpoint.called} "
            "(another sha256); write them anew with --write-golden"
        )
    _check_tensors(golden, tracker, where)


def check_stated(golden: Golden, subject: Subject) -> None:
    """Refuse an index that tells an application other constants than the network and its config have.

    Raises:
        VerificationError: with key, found and expected.
    """
    index, network = golden.index, subject.tracker.network
    known = {each.network.sizes: each.dimensions for each in subject.trackers}
    for each in constants_stated(index.preprocess, index.tracker, network, known):
        raise VerificationError(
            f"golden vectors in {golden.folder} say that {each}; write them anew with --write-golden"
        )


def _check_tensors(golden: Golden, tracker: TrackerModels, where: str) -> None:
    """Whether every case has every tensor that the models are fed with or compared on, in its shape."""
    tensors = golden.index.tensors
    shapes = {entry.meaning: tuple(entry.shape) for entry in tensors if entry.role != "intermediate"}
    outputs = {(entry.case, entry.meaning) for entry in tensors if entry.role == "output"}
    inputs = outputs | {(entry.case, entry.meaning) for entry in tensors if entry.role == "input"}
    for model in tracker.models:
        for tensor, listed in (
            *((tensor, inputs) for tensor in model.graph.inputs),
            *((tensor, outputs) for tensor in model.graph.outputs),
        ):
            shape = shapes.get(tensor.meaning)
            if shape != tensor.shape:
                listed_as = f"{tensor.meaning} as {shape}" if shape else f"no {tensor.meaning}"
                raise UsageError(
                    f"{where} have {listed_as}, {model} has it as {tensor.shape}; write them anew with --write-golden"
                )
            for case in golden.cases:
                if (case.name, tensor.meaning) not in listed:
                    raise VerificationError(
                        f"{where}: case {case.title!r} has no {tensor.meaning}, which {model} is compared on; "
                        "write them anew with --write-golden"
                    )
