"""What is right: the network's own answers, or golden vectors that it left."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converter.errors import UsageError, VerificationError
from converter.exporting.layout import at_sizes
from converter.exporting.plan import check_checkpoint, reference_answers, reference_words
from converter.families.family import FAMILIES
from converter.folder.golden import Golden, golden_header, read_golden
from converter.folder.manifest import GOLDEN_INDEX, about_network
from converter.folder.vectors import Group, make_vectors, publish_vectors
from converter.proof.feeds import Feed
from converter.spec.options import VerifyOptions
from converter.verifying.subject import Subject

log = logging.getLogger(__name__)

GOLDEN_FOLDER = "golden"
SEED = 0


@dataclass(frozen=True)
class Reference:
    """What is right.

    Attributes:
        about: who says so.
        feeds, answers: inputs, and every tensor of the config for each.
        network: a :class:`converter.network.load.LoadedNetwork`; None where golden vectors are the reference.
        checkpoint: file and sha256 of the weights behind it.
    """

    about: str
    feeds: Sequence
    answers: Sequence[dict]
    network: Any = None
    checkpoint: dict[str, Any] | None = None


def reference_for(
    options: VerifyOptions,
    subject: Subject,
    running: ExitStack,
    crops: Callable[[Reference, Subject], Feed | None] | None = None,
) -> Reference:
    """The network's answers, or those of golden vectors where no checkpoint is given.

    Args:
        running: undoes what has to be as before at the end.
        crops: takes a feed from a clip, with the network of a reference.

    Raises:
        UsageError: when there is nothing to compare with.
        ConverterError: when the network or the vectors cannot be used.
    """
    if options.checkpoint is None:
        return _golden_reference(options, subject)
    check_checkpoint(options.checkpoint)
    feeds = _feeds(options, subject)
    from converter.network.load import load_network, one_thread

    running.enter_context(one_thread())
    sized = options.model_copy(update={"network": subject.network})
    loaded = load_network(sized, subject.dimensions.stride)
    if subject.manifest and subject.manifest.checkpoint.sha256 != loaded.checkpoint.sha256:
        log.warning(
            "%s is not the file that was exported (%s): its sha256 differs",
            *(options.checkpoint, subject.manifest.checkpoint.file),
        )
    about = f"{reference_words(loaded)}, weights of {loaded.checkpoint.file}"
    checkpoint = {"file": loaded.checkpoint.file, "sha256": loaded.checkpoint.sha256}
    if crops and (feed := crops(Reference(about, [], [], loaded), subject)):
        feeds.append(feed)
    answers = reference_answers(loaded.module, subject.network, subject.images, feeds)
    return Reference(about, feeds, answers, loaded, checkpoint)


def reference_at(reference: Reference, options: VerifyOptions, subject: Subject) -> Reference | None:
    """The same network's answers at other sizes; None where golden vectors are the reference and have none."""
    if reference.network is None:
        golden = _any_golden(options, subject).of_size(subject.images)
        if not golden.cases:
            return None
        check_golden(golden, subject)
        return _of_golden(golden)
    feeds = [at_sizes(feed, subject.network) for feed in _feeds(options, subject)]
    answers = reference_answers(reference.network.module, subject.network, subject.images, feeds)
    return replace(reference, feeds=feeds, answers=answers)


def _feeds(options, subject):
    from converter.proof.feeds import noise_feeds, picture_feed

    network = subject.network
    recorded = subject.manifest.verification.seed if subject.manifest else SEED
    seed = recorded if options.seed is None else options.seed
    noise = noise_feeds(seed, network.noise_feeds, subject.images)
    return noise + [picture_feed(path, subject.images, network.preprocess) for path in options.images]


def _golden_reference(options, subject) -> Reference:
    for option, given in (("--image", options.images), ("--seed", options.seed is not None)):
        if given:
            raise UsageError(f"{option} wants new answers of the network: pass --resume CHECKPOINT")
    golden = golden_of(options, subject)
    if golden is None:
        raise UsageError(
            "nothing to compare with: pass --resume CHECKPOINT, or --golden DIR (lt-export --golden writes it)"
        )
    check_golden(golden, subject)
    return _of_golden(golden)


def _of_golden(golden) -> Reference:
    feeds, answers = golden.feeds(), golden.answers()
    about = f"golden vectors in {golden.folder}: {golden.index.reference}"
    checkpoint = {key: golden.index.checkpoint.get(key) for key in ("file", "sha256")}
    return Reference(about, feeds, answers, None, checkpoint)


def golden_of(options: VerifyOptions, subject: Subject) -> Golden | None:
    """The golden vectors that the user named, or those of the export, at the subject's sizes; None when there are none.

    Vectors of other sizes only are given whole, for :func:`check_golden` to say what they are of.
    """
    golden = _any_golden(options, subject)
    fitting = golden.of_size(subject.images) if golden else None
    return fitting if fitting and fitting.cases else golden


def _any_golden(options, subject) -> Golden | None:
    if options.golden:
        return read_golden(options.golden)
    recorded = subject.manifest.golden if subject.manifest else None
    for name in (recorded, GOLDEN_FOLDER) if options.folder else ():
        if name and (options.folder / name / GOLDEN_INDEX).is_file():
            return read_golden(options.folder / name)
    return None


def write_vectors(options: VerifyOptions, pairs: Sequence[tuple[Subject, Reference]]) -> None:
    """Golden vectors of the models' graphs on the reference's inputs, into ``options.write_golden``.

    Args:
        pairs: for every size of the models.
    """
    subject, reference = pairs[0]
    network, spec = reference.network, subject.network
    about = about_network(options.arch, spec, subject.dimensions, network)
    precision = subject.manifest.precision if subject.manifest else "fp32"
    header = golden_header(about, reference.about, precision, subject.tolerances(options))
    groups = [
        Group(list({model.graph.name: model.graph for model in one.models}.values()), each.feeds, each.answers)
        for one, each in pairs
    ]
    with tempfile.TemporaryDirectory(prefix="lt-verify-") as folder:
        made = Path(folder) / GOLDEN_FOLDER
        index = make_vectors(made, header, network.module, groups, spec.intermediates)
        publish_vectors(options.write_golden, made, index)


def check_golden(golden: Golden, subject: Subject) -> None:
    """Refuse vectors of another network, which prove nothing about this one.

    Raises:
        UsageError: when they are of other graphs or shapes.
        VerificationError: when they are of another checkpoint, a file was changed, or a case or a tensor is missing.
    """
    golden.check_files()
    index, manifest = golden.index, subject.manifest
    where = f"golden vectors in {golden.folder}"
    if not golden.cases:
        raise VerificationError(
            f"{where}: the index lists no case, so nothing would be compared; write them anew with --write-golden"
        )
    family = FAMILIES[subject.network.family]
    if not family.covers(subject.network.path_name, index.path_name):
        raise UsageError(f"{where} are of {family.called} {index.path_name}, the models of {subject.network.path_name}")
    if manifest and index.checkpoint.get("sha256") != manifest.checkpoint.sha256:
        raise VerificationError(
            f"{where} are of checkpoint {index.checkpoint.get('file')}, the export is of {manifest.checkpoint.file} "
            "(another sha256); write them anew with --write-golden"
        )
    shapes = {entry.meaning: tuple(entry.shape) for entry in index.tensors if entry.role != "intermediate"}
    inputs, outputs = (
        {(entry.case, entry.meaning) for entry in index.tensors if entry.role in roles}
        for roles in (("input", "output"), ("output",))
    )
    for model in subject.models:
        for tensor, listed in (
            *((tensor, inputs) for tensor in model.graph.inputs),
            *((tensor, outputs) for tensor in model.graph.outputs),
        ):
            found = shapes.get(tensor.meaning)
            if found != tensor.shape:
                said = f"{tensor.meaning} as {found}" if found else f"no {tensor.meaning}"
                raise UsageError(
                    f"{where} have {said}, {model.format} {model.graph.name} has it as {tensor.shape}; "
                    "write them anew with --write-golden"
                )
            for case in golden.cases:
                if (case.name, tensor.meaning) not in listed:
                    raise VerificationError(
                        f"{where}: case {case.title!r} has no {tensor.meaning}, which {model.format} "
                        f"{model.graph.name} is compared on; write them anew with --write-golden"
                    )
