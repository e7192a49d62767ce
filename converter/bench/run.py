"""bench(options): load every candidate -> rounds of turns -> one result."""

import logging
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from converter.bench.candidates import Candidate, candidates_for, vulkan_modes
from converter.bench.exports import Export, bytes_of, short_names
from converter.bench.measure import PARTS, Clock, rounds_of
from converter.bench.options import WARM_UP, BenchOptions
from converter.bench.result import BenchResult, PartTimes
from converter.checks.vulkan.process import ncnn_options
from converter.errors import CheckpointError, ConversionError, UsageError
from converter.folder.exported import FileProblem, file_problems
from converter.folder.listing import CheckpointEntry, tool_versions
from converter.folder.manifest import Manifest
from converter.folder.subject import Subject, subject_of
from converter.formats.format import check_runtime
from converter.formats.isolated import WorkerProcess
from converter.proof.inputs import noise_feeds
from converter.report.text import count
from converter.spec.options import VerifyOptions
from converter.util.atomic import sha256
from converter.util.machine import load_average, this_machine
from converter.util.stages import Listener, Stages

log = logging.getLogger(__name__)

WARM_UP_SECONDS = 1.0  # after which no further run of a part is begun
LOADING = 0.5  # of the time; no further candidate is loaded when it is over
TIMEOUT = 300.0  # seconds for one turn, or to load
LAST_STAGE = "measure"


def bench(options: BenchOptions, progress: Listener | None = None, spent: float = 0.0) -> BenchResult:
    """Measure an export.

    Args:
        progress: told of every stage, and how far it is.
        spent: seconds of the time asked for that went by before.

    Raises:
        ConverterError: when the export, the checkpoint or a runtime cannot be used.
    """
    stages, clock = Stages(progress), Clock(options.seconds, spent)
    load_before = load_average()
    with ExitStack() as running:
        with stages("models") as notes:
            exports = _exports(options)
            candidates, left_out = candidates_for(exports, options)
            notes.append(", ".join(str(model) for export in exports for model in export.tracker.models))
        processes = {each: _process(each, options, each.export or exports[0]) for each in candidates}
        for process in processes.values():
            running.callback(process.stop)
        with stages("load") as notes:
            not_finite = _load(processes, options, clock, stages)
            late = [each for each in candidates if each not in not_finite]
            candidates = [each for each in candidates if each in not_finite]
            notes.append(f"{count(len(candidates), 'candidate')}, warmed up")
        with stages(LAST_STAGE) as notes:
            rounds = []
            for turns in rounds_of([partial(processes[each].call, "turn") for each in candidates], options, clock):
                rounds.append(turns)
                stages.progress.step(len(rounds), options.rounds)
            notes.append(f"{count(len(rounds), 'round')} of {count(options.runs, 'run')}")
    return BenchResult(
        options=options,
        exports=exports,
        machine=this_machine(),
        loads=(load_before, load_average()),
        versions=tool_versions(["numpy", *dict.fromkeys(each.runtime for each in candidates)]),
        times=[
            PartTimes(candidate, part, [turns[place][part] for turns in rounds])
            for place, candidate in enumerate(candidates)
            for part in PARTS
        ],
        left_out=left_out,
        late=late,
        not_finite={candidate.label: outputs for candidate, outputs in not_finite.items()},
    )


def _load(
    processes: Mapping[Candidate, WorkerProcess], options: BenchOptions, clock: Clock, stages: Stages
) -> dict[Candidate, list[str]]:
    """Load and warm up every candidate that there is time for, at least one; few threads first.

    Returns:
        of each that was loaded, the outputs that are not finite.
    """
    loaded: dict[Candidate, list[str]] = {}
    order = sorted(processes, key=lambda each: each.threads)
    enough = 0.0 if options.seconds is None else options.seconds * (1 - LOADING)
    for index, candidate in enumerate(order):
        left = clock.left
        if loaded and left < enough:
            break
        process, share = processes[candidate], left / (2 * len(PARTS) * (len(order) - index))
        process.timeout = min(TIMEOUT, left) if loaded else TIMEOUT
        try:
            loaded[candidate] = process.call("warm_up", WARM_UP, min(WARM_UP_SECONDS, share))
        except ConversionError:
            if clock.left or not loaded:
                raise
            break  # ended, for the time was over
        process.timeout = TIMEOUT
        stages.progress.step(index + 1, len(order))
    return loaded


def _exports(options: BenchOptions) -> list[Export]:
    """What is measured, when everything that is to be run can be."""
    found = list(map(_subject, options.subjects))
    for format in dict.fromkeys(format for subject, _ in found for format in subject.tracker.formats):
        check_runtime(format)
    options.subject.check_checkpoint()
    if isinstance(checkpoint := options.subject.checkpoint, Path):
        try:
            weights = CheckpointEntry(file=str(checkpoint), sha256=sha256(checkpoint))
        except OSError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error.strerror}") from None
        for warning in dict.fromkeys(subject.other_checkpoint(weights) for subject, _ in found):
            if warning:
                log.warning(warning)
    exports = []
    for name, (subject, manifest) in zip(short_names([subject.folder for subject, _ in found]), found, strict=True):
        problems = tuple(_look_at_files(subject, manifest))
        sizes = bytes_of(subject.folder, subject.tracker)
        exports.append(Export(name, subject.folder, manifest, subject.tracker, sizes, problems))
    return exports


def _subject(options: VerifyOptions) -> tuple[Subject, Manifest]:
    subject = subject_of(options)
    if subject.manifest is None:
        raise UsageError("nothing to measure: pass an export folder")
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


def _process(candidate: Candidate, options: BenchOptions, export: Export) -> WorkerProcess:
    """The candidate's own, which begins with loading it."""
    tracker = export.tracker
    tensors = noise_feeds(options.seed, 1, tracker.images, tracker.network.preprocess)[0].tensors
    shown = ((image, f"{image}_mask") for image in ("z", "x"))
    pictures = [tuple(tensors[name] for name in names if name in tensors) for names in shown]
    opening: tuple[str, tuple[Any, ...]]
    environment: Mapping[str, str] = {}
    if candidate.device is not None and options.device is not None:
        mode, environment = vulkan_modes(options.device)[candidate.precision], options.device.environment
        folder, models = export.folder.absolute(), tracker.of("ncnn")
        opening = "load_vulkan", (folder, models, ncnn_options(mode, options.device), *pictures)
    elif candidate.format is None:
        opening = "load_torch", (options.subject, tracker, candidate.threads, *pictures)
    else:
        folder, models, half = export.folder.absolute(), tracker.of(candidate.format), candidate.precision == "half"
        opening = "load_graphs", (folder, models, candidate.threads, half, dict(candidate.settings), *pictures)
    return WorkerProcess("converter.bench.worker", candidate.label, TIMEOUT, opening, environment)
