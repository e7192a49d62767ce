"""Golden vectors, from the reference's answers to the folder that was asked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import UsageError
from converter.folder.golden_index import GOLDEN_INDEX, GoldenHeader, GoldenIndex
from converter.folder.golden_writer import GoldenCase, write_golden
from converter.folder.workspace import Workspace, check_target
from converter.proof.comparison import Comparison
from converter.spec.model import with_other_graphs
from converter.util.atomic import make_folder

if TYPE_CHECKING:
    import torch


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


def make_vectors(
    folder: Path,
    header: GoldenHeader,
    module: "torch.nn.Module",
    comparisons: Sequence[Comparison],
    patterns: Sequence[str],
) -> GoldenIndex:
    """Write golden vectors of the models' graphs, with what passes inside the network, into a new folder.

    Args:
        comparisons: their feeds have different names; one without a graph that those before it have not is left out,
            for a graph that serves nine sizes would fill a disk.

    Returns:
        The index.
    """
    from converter.network.trace import intermediates

    make_folder(folder)
    cases = [
        GoldenCase(graphs, feed, outputs, inner)
        for comparison in with_other_graphs(comparisons, lambda each: each.tracker.all_graphs())
        for graphs in [comparison.tracker.all_graphs()]
        for feed, outputs, inner in zip(
            *(comparison.feeds, comparison.outputs),
            intermediates(module, graphs, comparison.feeds, comparison.outputs, patterns),
            strict=True,
        )
    ]
    return write_golden(folder, header, cases)


def publish_vectors(target: Path, made: Path, index: GoldenIndex, models: Workspace | None = None) -> None:
    """Put a folder of golden vectors in place in one step; an earlier one stays until then.

    Args:
        models: staged already, and published together with the vectors, or neither is.
    """
    with Workspace(target, GOLDEN_INDEX) as workspace:
        workspace.stage([(file.name, made / file.name) for file in index.files], index)
        if models is None:
            workspace.put_in_place()
        else:
            models.put_in_place(together=workspace)
