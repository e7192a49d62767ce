"""The flows as commands, and the runs of all, one after the other."""

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Run, measured
from converter.util.packages import is_installed

ROOT = Path(__file__).parent.parent
GRAPHS = ("init", "update")


class FlowError(RuntimeError):
    """A command of a flow did not end with 0; the text has its output."""


@dataclass(frozen=True)
class Flow:
    """One way from a checkpoint to models, as a process.

    Attributes:
        name: what to call it.
        about: what it does and leaves out.
        command: (checkpoint, folder) -> the command that writes the models of all GRAPHS into the folder.
        weights: file name of a graph's ncnn weights in that folder; ``{graph}`` stands for its name.
        packages: importable names it needs beyond those of the others.
    """

    name: str
    about: str
    command: Callable[[Path, Path], list[str]]
    weights: str
    packages: tuple[str, ...] = ()


def _lt_export(*options: str) -> Callable[[Path, Path], list[str]]:
    return lambda checkpoint, folder: [
        *(sys.executable, "-m", "converter.cli.export", "-q", *options),
        *("--resume", str(checkpoint), "--output", str(folder)),
    ]


FLOWS = {
    "A": Flow(
        name="by hand",
        about="python -m benchmarks.hand_made: traces with torch's check, one pnnx after the other, no verification",
        command=lambda checkpoint, folder: [
            *(sys.executable, "-m", "benchmarks.hand_made"),
            *(str(checkpoint), str(folder)),
        ],
        weights="lighttrack_{graph}.ncnn.bin",
    ),
    "B": Flow(
        name="lt-export",
        about="lt-export -q: all of its work, verification included",
        command=_lt_export(),
        weights="lighttrack_{graph}.bin",
    ),
    "C": Flow(
        name="both formats",
        about="lt-export -q --format ncnn --format onnx: B and three ONNX graphs, verified too",
        command=_lt_export("--format", "ncnn", "--format", "onnx"),
        weights="lighttrack_{graph}.bin",
        packages=("onnx", "onnxruntime", "onnxsim"),
    ),
}
# what is set beside what: the first is 1
COMPARED = {"comparisons": ("A", "B"), "both_formats": ("B", "C")}


def available() -> dict[str, Flow]:
    """The flows whose packages are installed."""
    return {key: flow for key, flow in FLOWS.items() if all(map(is_installed, flow.packages))}


def run(command: list[str]) -> Run:
    """Run a command from the top of the project.

    Compiled modules are kept between runs, as those of an installed package are.

    Raises:
        FlowError: with its output, when it does not end with 0.
    """
    left_out = ("PYTHONDONTWRITEBYTECODE", "LT_DEBUG")
    environment = {key: value for key, value in os.environ.items() if key not in left_out}
    done = measured(command, cwd=ROOT, env=environment)
    if done.code != 0:
        raise FlowError(f"{done.output.rstrip()}\n{' '.join(command)}: exit code {done.code}, expected 0")
    return done


def alternate(
    flows: dict[str, Flow], checkpoint: Path, times: int, on_round: Callable[[int, dict[str, Run]], None]
) -> tuple[dict[str, list[Run]], dict[str, dict[str, bytes]]]:
    """Run A B C A B C ..., each in a folder of its own that is deleted afterwards.

    Args:
        flows: letter -> flow.
        times: of each flow.
        on_round: told the number of a finished round, from 1, and its runs.

    Returns:
        letter -> runs; letter -> graph -> ncnn weights as written by the last run.

    Raises:
        FlowError: when a command fails or writes no weights.
    """
    runs: dict[str, list[Run]] = {key: [] for key in flows}
    weights = {}
    for number in range(1, times + 1):
        for key, flow in flows.items():
            with tempfile.TemporaryDirectory(prefix="lt-bench-") as folder:
                output = Path(folder) / "models"
                runs[key].append(run(flow.command(checkpoint, output)))
                weights[key] = {graph: _read(output / flow.weights.format(graph=graph)) for graph in GRAPHS}
        on_round(number, {key: runs[key][-1] for key in flows})
    return runs, weights


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FlowError(f"no weights {path.name} after the run: {error.strerror}") from None


def same_weights(weights: dict[str, dict[str, bytes]]) -> str:
    """One line: whether A and B wrote weights of the same size, and the same bytes."""
    words = []
    for graph in GRAPHS:
        first, second = (weights[key][graph] for key in ("A", "B"))
        if len(first) != len(second):
            words.append(f"{graph} DIFFERENT SIZES, {len(first):,} and {len(second):,} bytes")
        else:
            words.append(f"{graph} same size, {len(first):,} bytes, {'the same' if first == second else 'other'} bytes")
    return "; ".join(words)
