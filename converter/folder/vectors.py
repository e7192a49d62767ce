"""Golden vectors, from the reference's answers to the folder that was asked for."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import UsageError
from converter.exporting.layout import with_other_graphs
from converter.folder.golden import GoldenCase, write_golden
from converter.folder.manifest import GOLDEN_INDEX
from converter.folder.workspace import Workspace, check_target
from converter.proof.feeds import Feed
from converter.spec.network import GraphSpec
from converter.util.files import make_folder


@dataclass(frozen=True)
class Place:
    """Where golden vectors go.

    Attributes:
        target: the folder.
        inside: its name in the export that is published with it; None when it lies elsewhere.
        recorded: the way to it from the export.
    """

    target: Path
    inside: str | None
    recorded: str


def place_for(target: Path, export: Path) -> Place:
    """Decide where golden vectors go, and refuse what cannot be.

    Raises:
        UsageError: for the export folder itself, a folder deep in it, or one that holds something else.
    """
    recorded = Path(os.path.relpath(target.resolve(), export.resolve()))
    if recorded == Path():
        raise UsageError(f"--golden {target}: is the export folder itself; expected a folder in it or elsewhere")
    inside = recorded.parts[0] != ".."
    if inside and len(recorded.parts) > 1:
        raise UsageError(f"--golden {target}: lies deep in the export; expected {export / recorded.name}")
    if not inside:
        check_target(target, GOLDEN_INDEX, "--golden")
    return Place(target, recorded.name if inside else None, recorded.as_posix())


@dataclass(frozen=True)
class Group:
    """Graphs of one search size, what goes in, and what the reference answers."""

    graphs: Sequence[GraphSpec]
    feeds: Sequence[Feed]
    answers: Sequence[Mapping[str, np.ndarray]]


def make_vectors(
    folder: Path, header: Mapping[str, Any], module: Any, groups: Sequence[Group], patterns: Sequence[str]
) -> dict[str, Any]:
    """Write golden vectors of graphs on feeds, with what passes inside the network, into a new folder.

    Args:
        groups: their feeds have different names; one without a graph that those before it have not is left out,
            for a graph that serves nine sizes would fill a disk.

    Returns:
        The index.
    """
    from converter.network.trace import intermediates

    make_folder(folder)
    cases = [
        GoldenCase(group.graphs, feed, answer, inner)
        for group in with_other_graphs(groups, lambda group: group.graphs)
        for feed, answer, inner in zip(
            *(group.feeds, group.answers),
            intermediates(module, group.graphs, group.feeds, group.answers, patterns),
            strict=True,
        )
    ]
    return write_golden(folder, header, cases)


def publish_vectors(target: Path, made: Path, index: Mapping[str, Any]) -> None:
    """Put a folder of golden vectors in place in one step; an earlier one stays until then."""
    with Workspace(target, GOLDEN_INDEX) as workspace:
        workspace.publish([(file["name"], made / file["name"]) for file in index["files"]], dict(index))
