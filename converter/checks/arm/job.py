"""What to run on the emulated ARM cpu."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converter.checks.arm.modes import DEFAULT_CPU, DEFAULT_MODE
from converter.checks.arm.process import TIMEOUT
from converter.checks.arm.root import ArmRoot
from converter.errors import UsageError
from converter.proof.feeds import Feed
from converter.spec.network import GraphSpec, NetworkSpec, Tolerance
from converter.spec.options import ArmOptions

Arrays = Mapping[str, np.ndarray]
Files = tuple[Path, ...]


@dataclass(frozen=True)
class ArmModel:
    """A graph and the ncnn files that it is run from, ``.param`` first."""

    graph: GraphSpec
    files: Files


@dataclass(frozen=True)
class ArmGroup:
    """Graphs of one search size, in the order in which a device runs them, with inputs and the reference's answers."""

    models: Sequence[ArmModel]
    feeds: Sequence[Feed]
    answers: Sequence[Arrays]


@dataclass(frozen=True)
class ArmJob:
    """What to run.

    Attributes:
        root: what runs it.
        groups: the models.
        network: the config, with tolerances for every mode.
        stride: pixels from cell to cell of the score map.
        modes: names of :data:`converter.checks.arm.modes.MODES`.
        cpu: for qemu to be.
        inputs: how many of each group's feeds to use; the last ones, which are real crops where there are some.
        blobs: count what is not finite in every blob, also when all outputs are finite.
        timeout: seconds that one run of one graph may take.
    """

    root: ArmRoot
    groups: Sequence[ArmGroup]
    network: NetworkSpec
    stride: int
    modes: Sequence[str] = (DEFAULT_MODE,)
    cpu: str = DEFAULT_CPU
    inputs: int = 1
    blobs: bool = False
    timeout: float = TIMEOUT

    def used(self) -> list[ArmGroup]:
        return [
            ArmGroup(group.models, group.feeds[-self.inputs :], group.answers[-self.inputs :]) for group in self.groups
        ]


def check_tolerances(network: NetworkSpec, modes: Sequence[str]) -> None:
    """Raises:
    UsageError: when the config does not say what passes in a mode.
    """
    for name in modes:
        if name not in network.arm:
            raise UsageError(
                f"config: arm has no {name!r}, which says what passes in that mode; it has {list(network.arm)}"
            )


def arm_job(
    root: ArmRoot,
    options: ArmOptions,
    network: NetworkSpec,
    stride: int,
    groups: Iterable[tuple[Sequence[tuple[GraphSpec, Files]], Sequence[Feed], Sequence[Arrays]]],
) -> ArmJob:
    """What the options ask for.

    Args:
        groups: for each search size: graphs with their files, feeds, the reference's answers.
    """
    if options.rtol is not None:
        network = _with_rtol(network, options.rtol)
    return ArmJob(
        root=root,
        groups=[
            ArmGroup([ArmModel(graph, files) for graph, files in models], feeds, answers)
            for models, feeds, answers in groups
        ],
        network=network,
        stride=stride,
        modes=options.modes,
        cpu=options.cpu,
        inputs=options.inputs,
        blobs=options.blobs,
        timeout=options.timeout,
    )


def _with_rtol(network, rtol):
    """The same config with one tolerance for every output in every mode."""
    table = {name: Tolerance(rtol=rtol) for name in network.tensors}
    modes = {name: allowed.model_copy(update={"tolerances": table}) for name, allowed in network.arm.items()}
    return network.model_copy(update={"arm": modes})
