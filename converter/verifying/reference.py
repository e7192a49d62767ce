"""The reference: what the network itself computes, or golden vectors that it left."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converter.errors import CheckpointError, UsageError
from converter.families.family import family_of
from converter.folder.golden import Golden
from converter.folder.listing import CheckpointEntry, checkpoint_entry
from converter.folder.subject import Subject
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.inputs import feeds_of, held_against
from converter.spec.model import TrackerModels
from converter.spec.options import VerifyOptions
from converter.spec.tensors import Tolerance
from converter.verifying.golden import check_golden, check_stated, golden_at, golden_of

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint
    from converter.network.load import LoadedNetwork

log = logging.getLogger(__name__)

SEED = 0


@dataclass(frozen=True)
class NetworkReference:
    """The network with the trained weights.

    Attributes:
        warning: that the weights are not those that were exported, in a line; None where nothing says so.
    """

    network: "LoadedNetwork"
    warning: str | None

    @property
    def about(self) -> str:
        """Who computes the right outputs, in a line."""
        file = self.network.checkpoint.file
        return self.network.about if file is None else f"{self.network.about}, weights of {file}"

    @property
    def checkpoint(self) -> CheckpointEntry:
        return checkpoint_entry(self.network.checkpoint)


@dataclass(frozen=True)
class GoldenReference:
    """Golden vectors of all sizes; ``warning`` as of the network."""

    golden: Golden
    warning: str | None

    @property
    def about(self) -> str:
        """Where the right outputs are, and who computed them, in a line."""
        return f"golden vectors in {self.golden.folder}: {self.golden.index.reference}"

    @property
    def checkpoint(self) -> CheckpointEntry:
        """Of the weights behind them."""
        return self.golden.index.checkpoint


Reference = NetworkReference | GoldenReference


def network_reference(
    options: VerifyOptions, subject: Subject, checkpoint: "Checkpoint | None" = None
) -> NetworkReference:
    """The network with its trained weights.

    Args:
        checkpoint: what its file holds, where it was read already.

    Raises:
        ConverterError: when the network cannot be built or loaded.
    """
    from converter.network.checkpoint import read_checkpoint
    from converter.network.load import load_network

    tracker = subject.tracker
    sized = options.model_copy(update={"network": tracker.network})
    if checkpoint is None and isinstance(options.checkpoint, Path):
        checkpoint = read_checkpoint(options.checkpoint, options.allow_pickle)
    try:
        network = load_network(sized, tracker.dimensions.stride, checkpoint)
    except CheckpointError as error:
        made_from = f"; pass {subject.manifest.checkpoint.called}, which was exported" if subject.manifest else ""
        raise CheckpointError(f"{error}{made_from}") from None
    return NetworkReference(network, _of_other_weights(network.checkpoint, subject))


def _of_other_weights(checkpoint: "Checkpoint", subject: Subject) -> str | None:
    """That a network's weights are not those that were exported.

    A network in memory does not say which file it came from; the comparison itself has to tell.
    """
    from converter.network.memory import state_sha256

    exported = subject.manifest.checkpoint if subject.manifest else None
    if exported is None or exported.file is not None:
        return subject.other_checkpoint(checkpoint_entry(checkpoint))
    if state_sha256(checkpoint.state) == exported.sha256:
        return None
    return f"{checkpoint.called} is not the network that was exported from memory: its sha256 differs"


def golden_reference(options: VerifyOptions, subject: Subject) -> GoldenReference:
    """Raises:
    UsageError: when there are no golden vectors, or new answers of the network are asked for.
    VerificationError: when they were changed.
    """
    for option, asked in (("--image", options.images), ("--seed", options.seed is not None)):
        if asked:
            raise UsageError(f"{option} wants new answers of the network: pass --resume CHECKPOINT")
    golden = golden_of(options, subject)
    if golden is None:
        raise UsageError(
            "nothing to compare with: pass --resume CHECKPOINT, or --golden DIR (lt-export --golden writes it)"
        )
    check_stated(golden, subject)
    return GoldenReference(golden, subject.other_checkpoint(golden.index.checkpoint))


def network_feeds(options: VerifyOptions, subject: Subject, tracker: TrackerModels) -> list[Feed]:
    """Seeded noise, the export's own unless the user gives another seed, and the user's pictures.

    Raises:
        UsageError: for a picture that cannot be read.
    """
    recorded = subject.manifest.verification.seed if subject.manifest else SEED
    seed = recorded if options.seed is None else options.seed
    return feeds_of(tracker, seed, options.images, subject.precision)


def compared_with_network(
    options: VerifyOptions, subject: Subject, network: "LoadedNetwork", feeds: Sequence[Sequence[Feed]]
) -> list[Comparison]:
    """What is compared at every size.

    Args:
        feeds: for each of the subject's trackers.
    """
    from converter.network.reference import reference_outputs

    tolerances, module = subject.tolerances(options), network.module
    return [
        _comparison(subject, tracker, asked, reference_outputs(module, tracker, asked), tolerances)
        for tracker, asked in zip(subject.trackers, feeds, strict=True)
    ]


def compared_with_golden(options: VerifyOptions, subject: Subject, golden: Golden) -> list[Comparison]:
    """What is compared at every size that there are golden vectors of; a warning for the others.

    Raises:
        UsageError, VerificationError: as :func:`check_golden`.
    """
    tolerances, comparisons = subject.tolerances(options), []
    for tracker in subject.trackers:
        fitting = golden_at(golden, tracker) if tracker is subject.tracker else golden.of_size(tracker.images)
        if fitting.cases or tracker is subject.tracker:
            check_golden(fitting, subject, tracker)
            cases = [
                case
                for case in zip(fitting.feeds(), fitting.answers(), strict=True)
                if held_against(case[0].name, subject.precision)
            ]
            feeds, answers = [case[0] for case in cases], [case[1] for case in cases]
            comparisons.append(_comparison(subject, tracker, feeds, answers, tolerances))
        else:
            sizes = tracker.network.sizes
            log.warning("not verified at %d/%d: there are no golden vectors of it; pass --resume", *sizes)
    return comparisons


def _comparison(
    subject: Subject,
    tracker: TrackerModels,
    feeds: Sequence[Feed],
    outputs: Sequence[Mapping[str, np.ndarray]],
    tolerances: dict[str, Tolerance],
) -> Comparison:
    network = tracker.network
    tie, score_maps = network.tie(subject.judged_as), family_of(network.family).score_maps
    return Comparison(tracker, tuple(feeds), tuple(outputs), tolerances, tie, score_maps)
