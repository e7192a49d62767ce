"""bench(options): load every candidate -> rounds of turns -> one result."""

import logging
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from converter.bench.candidates import Candidate, candidates_for
from converter.bench.measure import PARTS, rounds_of
from converter.bench.options import WARM_UP, BenchOptions
from converter.bench.result import BenchResult, PartTimes
from converter.errors import UsageError
from converter.folder.exported import FileProblem, file_problems
from converter.folder.listing import tool_versions
from converter.folder.manifest import Manifest
from converter.formats.format import check_runtime
from converter.formats.isolated import WorkerProcess
from converter.proof.feeds import noise_feeds
from converter.util.atomic import sha256
from converter.util.machine import load_average, this_machine
from converter.util.stages import Listener, Stages
from converter.verifying.subject import Subject, subject_of

log = logging.getLogger(__name__)

WARM_UP_SECONDS = 1.0  # after which no further run of a part is begun
TIMEOUT = 300.0  # seconds for one turn, or to load
LAST_STAGE = "measure"


def bench(options: BenchOptions, progress: Listener | None = None) -> BenchResult:
    """Measure an export.

    Args:
        progress: told of every stage.

    Raises:
        ConverterError: when the export, the checkpoint or a runtime cannot be used.
    """
    stages = Stages(progress)
    load_before = load_average()
    with ExitStack() as running:
        with stages("models") as notes:
            subject, manifest = _export(options)
            tracker = subject.tracker
            problems = _look_at_files(subject, manifest)
            candidates, left_out = candidates_for(tracker.formats, options)
            notes.append(", ".join(map(str, tracker.models)))
        processes = [_process(each, options, subject) for each in candidates]
        for process in processes:
            running.callback(process.stop)
        with stages("load") as notes:
            not_finite = {
                candidate.label: process.call("warm_up", WARM_UP, WARM_UP_SECONDS)
                for candidate, process in zip(candidates, processes, strict=True)
            }
            notes.append(f"{len(candidates)} candidates, warmed up")
        with stages(LAST_STAGE) as notes:
            rounds = []
            for turns in rounds_of([partial(process.call, "turn") for process in processes], options):
                rounds.append(turns)
                stages.progress.step(len(rounds), options.rounds)
            notes.append(f"{len(rounds)} rounds of {options.runs} runs")
    return BenchResult(
        options=options,
        manifest=manifest,
        dimensions=tracker.dimensions,
        machine=this_machine(),
        loads=(load_before, load_average()),
        versions=tool_versions(["numpy", *dict.fromkeys(each.runtime for each in candidates)]),
        problems=problems,
        times=[
            PartTimes(candidate, part, [turns[place][part] for turns in rounds])
            for place, candidate in enumerate(candidates)
            for part in PARTS
        ],
        left_out=left_out,
        not_finite=not_finite,
    )


def _export(options: BenchOptions) -> tuple[Subject, Manifest]:
    """The export, when everything that is to be run can be."""
    subject = subject_of(options.subject)
    if subject.manifest is None:
        raise UsageError("nothing to measure: pass an export folder")
    for format in subject.tracker.formats:
        check_runtime(format)
    options.subject.check_checkpoint()
    checkpoint, exported = options.subject.checkpoint, subject.manifest.checkpoint
    if isinstance(checkpoint, Path) and exported.file and sha256(checkpoint) != exported.sha256:
        log.warning("%s is not the file that was exported (%s): its sha256 differs", checkpoint, exported.file)
    return subject, subject.manifest


def _look_at_files(subject: Subject, manifest: Manifest) -> list[FileProblem]:
    """What is wrong with the files that will be measured; changed ones are measured all the same.

    Raises:
        UsageError: when one is missing.
    """
    used = {name for model in subject.tracker.models for name in model.files}
    problems = [each for each in file_problems(subject.folder, manifest) if each.file in used]
    for each in problems:
        if not (subject.folder / each.file).is_file():
            raise UsageError(f"export {subject.folder}: {each.file} is missing; export again")
        log.warning("%s %s: what is measured is not what was verified", each.file, each.problem)
    return problems


def _process(candidate: Candidate, options: BenchOptions, subject: Subject) -> WorkerProcess:
    """The candidate's own, which begins with loading it."""
    tracker = subject.tracker
    tensors = noise_feeds(options.seed, 1, tracker.images)[0].tensors
    shown = ((image, f"{image}_mask") for image in ("z", "x"))
    pictures = [tuple(tensors[name] for name in names if name in tensors) for names in shown]
    opening: tuple[str, tuple[Any, ...]]
    if candidate.format is None:
        opening = "load_torch", (options.subject, tracker, candidate.threads, *pictures)
    else:
        folder, models, half = subject.folder.absolute(), tracker.of(candidate.format), candidate.precision == "half"
        opening = "load_graphs", (folder, models, candidate.threads, half, *pictures)
    return WorkerProcess("converter.bench.worker", candidate.label, TIMEOUT, opening)
