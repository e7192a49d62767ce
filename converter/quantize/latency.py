"""How long models take, as lt-bench measures it: one thread, each in a process of its own, in turns."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from converter.bench.measure import PARTS, Clock, rounds_of
from converter.formats.isolated import WorkerProcess
from converter.proof.inputs import noise_feeds
from converter.spec.model import TrackerModels
from converter.util.stages import Stages

TIMEOUT = 300.0  # seconds for one turn, or to load
WARM_UP, WARM_UP_SECONDS = 3, 1.0  # runs, seconds


@dataclass(frozen=True)
class Turning:
    """See :class:`converter.bench.measure.Turns`."""

    rounds: int = 12
    runs: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Latency:
    """Medians in milliseconds, of a frame and of a template."""

    update: float
    init: float


def latencies(folders: Mapping[str, Path], tracker: TrackerModels, stages: Stages) -> dict[str, Latency]:
    """Of models in several folders, by name.

    Args:
        tracker: the models, of one format; their files have the same names in all folders.

    Raises:
        ConversionError: when one cannot be loaded or run.
    """
    turning = Turning()
    tensors = noise_feeds(turning.seed, 1, tracker.images, tracker.network.preprocess)[0].tensors
    shown = [tuple(tensors[name] for name in (image, f"{image}_mask") if name in tensors) for image in ("z", "x")]
    with ExitStack() as running:
        processes = []
        for name, folder in folders.items():
            opening = "load_graphs", (folder.absolute(), tracker.models, 1, False, {}, *shown)
            processes.append(WorkerProcess("converter.bench.worker", name, TIMEOUT, opening))
            running.callback(processes[-1].stop)
            processes[-1].call("warm_up", WARM_UP, WARM_UP_SECONDS)
        rounds = []
        for turns in rounds_of([partial(process.call, "turn") for process in processes], turning, Clock(None)):
            rounds.append(turns)
            stages.progress.step(len(rounds), turning.rounds)
    measured = {}
    for place, name in enumerate(folders):
        of_parts = {part: [seconds for turns in rounds for seconds in turns[place][part].whole] for part in PARTS}
        measured[name] = Latency(*(round(1e3 * median(of_parts[part]), 4) for part in ("update", "init")))
    return measured
