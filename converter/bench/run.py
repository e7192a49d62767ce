"""bench(options): load every candidate -> rounds of turns -> one result."""

import logging
from contextlib import ExitStack
from typing import Any

from converter.bench import machine
from converter.bench.candidates import Candidate, candidates_for
from converter.bench.measure import measure
from converter.bench.options import BenchOptions
from converter.bench.result import Measured, result_of
from converter.errors import UsageError
from converter.folder.exported import FileProblem, file_problems
from converter.formats.format import check_runtime
from converter.formats.isolated import WorkerProcess
from converter.util.atomic import sha256
from converter.util.stages import Progress, Stages
from converter.verifying.subject import Subject, subject_of

log = logging.getLogger(__name__)

WARM_UP = 5  # runs of every part at most
WARM_UP_SECONDS = 1.0  # after which no further run of a part is begun
TIMEOUT = 300.0  # seconds for one turn, or to load
LAST_STAGE = "measure"


class Entrant:
    """A candidate in its process."""

    def __init__(self, candidate: Candidate, opening: tuple[str, tuple]):
        self.worker = WorkerProcess("converter.bench.worker", candidate.label, TIMEOUT, opening)

    def turn(self, runs: int) -> dict[str, Any]:
        return self.worker.call("turn", runs)


def bench(options: BenchOptions, progress: Progress | None = None) -> dict[str, Any]:
    """Measure an export.

    Args:
        progress: told when a stage begins and ends.

    Returns:
        The result, as ``lt-bench --json`` prints it.

    Raises:
        ConverterError: when the export, the checkpoint or a runtime cannot be used.
    """
    stages = Stages(progress)
    load_before = machine.load_average()
    with ExitStack() as running:
        with stages("models") as notes:
            subject = _subject(options)
            problems = _look_at_files(options, subject)
            candidates, left_out = candidates_for(
                subject.tracker.formats, options.subject.checkpoint is not None, options.precisions, options.threads
            )
            if not candidates:
                raise UsageError("--precision half: only ncnn has a half mode, and the export has no ncnn models")
            notes.append(", ".join(map(str, subject.tracker.models)))
        entrants = [Entrant(each, _opening(each, options, subject)) for each in candidates]
        for entrant in entrants:
            running.callback(entrant.worker.stop)
        with stages("load") as notes:
            not_finite = {}
            for candidate, entrant in zip(candidates, entrants, strict=True):
                entrant.worker.load()
                not_finite[candidate.label] = entrant.worker.call("warm_up", WARM_UP, WARM_UP_SECONDS)
            notes.append(f"{len(candidates)} candidates, warmed up")
        with stages(LAST_STAGE) as notes:
            turns = measure(
                *(entrants, options.rounds, options.runs, options.seconds, options.seed),
                on_round=lambda done: stages.progress.step(done, options.rounds),
            )
            notes.append(f"{len(turns[0])} rounds of {options.runs} runs")
    loads = (load_before, machine.load_average())
    return result_of(options, subject, Measured(candidates, left_out, turns, not_finite, problems, loads, WARM_UP))


def _subject(options) -> Subject:
    """The export, when everything that is to be run can be."""
    subject = subject_of(options.subject)
    for format in subject.tracker.formats:
        check_runtime(format)
    options.subject.check_checkpoint()
    checkpoint, exported = options.subject.checkpoint, subject.manifest.checkpoint
    if checkpoint is not None and sha256(checkpoint) != exported.sha256:
        log.warning("%s is not the file that was exported (%s): its sha256 differs", checkpoint, exported.file)
    return subject


def _look_at_files(options, subject) -> list[FileProblem]:
    """What is wrong with the files that will be measured; changed ones are measured all the same.

    Raises:
        UsageError: when one is missing.
    """
    used = {name for model in subject.tracker.models for name in model.files}
    problems = [each for each in file_problems(options.subject.folder, subject.manifest) if each.file in used]
    for each in problems:
        if not (options.subject.folder / each.file).is_file():
            raise UsageError(f"export {options.subject.folder}: {each.file} is missing; export again")
        log.warning("%s %s: what is measured is not what was verified", each.file, each.problem)
    return problems


def _opening(candidate, options, subject):
    """The call with which a candidate's process begins."""
    from converter.proof.feeds import noise_feeds

    tracker = subject.tracker
    tensors = noise_feeds(options.seed, 1, tracker.images)[0].tensors
    shown = ((image, f"{image}_mask") for image in ("z", "x"))
    pictures = [tuple(tensors[name] for name in names if name in tensors) for names in shown]
    if candidate.format is None:
        network = options.subject.model_copy(update={"network": tracker.network})
        return "load_torch", (network, tracker.dimensions.stride, tracker.images, candidate.threads, *pictures)
    folder, models = subject.folder.absolute(), tracker.of(candidate.format)
    return "load_graphs", (folder, models, candidate.threads, candidate.precision == "half", *pictures)
