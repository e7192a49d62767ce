"""The result of lt-verify as a report: the verdict first, then section by section what it rests on."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

from converter.checks.clip.report import ClipReport
from converter.checks.pictures import PICTURES
from converter.checks.pictures.steps import PicturesReport
from converter.formats.format import simulated
from converter.proof.inputs import LEFT_OUT
from converter.proof.section import badness, proof_section
from converter.report.blocks import (
    BAD,
    LEFT,
    NOTE,
    OK,
    Block,
    Column,
    Folded,
    Points,
    Report,
    Row,
    Section,
    Table,
    Text,
    columns,
)
from converter.report.text import count, error, listed, overlap, percent, plain, shape
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.tensors import Tolerance
from converter.util.version import version

if TYPE_CHECKING:
    from converter.verifying.result import VerifyResult

ON_PICTURES = (
    "Boxes on the package's pictures (--resume): whether a tracker with these models puts them where the network does"
)
# What a run is asked for besides the outputs, in the order of the report: key, what it would have told.
OPTIONAL = {
    "clip": "On the clip (--clip): whether the converted models follow the target as the network does",
    "layers": "Layer by layer (--layers): where errors arise inside the graphs",
    "dumps": "Dumps of a device (--dumps): whether a device computes the same",
    "fp16": "Half precision (--fp16-report): whether half storage and arithmetic on ARM are safe",
    "vulkan": "Vulkan (--runtime ncnn-vulkan): whether ncnn's shaders compute the same",
    "arm": "Emulated ARM (--runtime ncnn-arm64): whether ncnn's half kernels compute the same",
}
CHECKS = (PICTURES, *OPTIONAL)
NAMES_FROM = {
    "manifest": "as in the manifest",
    "names": "named so in the file",
    "trial": "found by trying",
    "--rename": "given with --rename",
}


def report_of(result: "VerifyResult", written: str, command_line: str = "") -> Report:
    """Everything that a result says, in the order in which a reviewer wants it.

    Args:
        written: when.
        command_line: that asked for it; empty when Python did.
    """
    verdict = verdict_of(result)
    return Report(
        title=f"{verdict}: {_title(result)}",
        passed=bool(result),
        verdict=verdict,
        sentence=f"Reference: {result.reference}. {_passed(result) if result else _failed(result)}",
        problems=result.problems,
        warnings=(*result.warnings, *result.notes),
        not_checked=_not_checked(result),
        facts=_facts(result),
        sections=sections_of(result),
        written=written,
        command_line=command_line,
    )


def verdict_of(result: "VerifyResult") -> str:
    """In one to three words: of a proof that failed, of models without some, of a device that differs from them, of a
    check that could not be carried out."""
    if result:
        return "Verified in part" if result.in_part else "Verified"
    if result.unfinished:
        return "Not finished"
    return "Device differs" if _only_device(result) else "Not verified"


def verdict_line(result: "VerifyResult") -> str:
    """The verdict and what it is about."""
    subject = subject_of(result)
    if result and result.subject.missing:
        return f"verified in part: {listed(_graphs(result))} of {subject}; {_lacking(result)} is missing"
    if result and not result.boxes_judged:
        precision = result.subject.precision
        return (
            f"verified in part: the outputs of {subject}, {precision}; boxes were not judged, pass --resume CHECKPOINT"
        )
    if result:
        how = f", {words}" if (words := simulated(result.subject.tracker.formats)) else ""
        return f"verified {subject}{how}"
    if _only_device(result):
        return f"DEVICE DIFFERS: the models of {subject} are verified, what the device wrote is not what they compute"
    if result.unfinished:
        return (
            f"NOT FINISHED: the models of {subject} are verified; something asked for besides could not be carried out"
        )
    return f"NOT VERIFIED {subject}"


def subject_of(result: "VerifyResult") -> str:
    """The models, and where they are."""
    models = result.subject.tracker.models
    files = ", ".join(str(path) for model in models for path in model.paths(result.subject.folder))
    return f"{result.arch} in {result.export or files}"


def sections_of(result: "VerifyResult") -> list[Section]:
    """In the order of the report."""
    verification = result.verification
    checks = [result.checks[key] for key in CHECKS if key in result.checks]
    return [
        _compared(result),
        proof_section(verification.report.checks, verification.histograms, result.reference),
        *(check.section() for check in checks),
        _files(result),
        _versions(result),
    ]


def names_section(result: "VerifyResult") -> Section | None:
    """What the blobs of models without a manifest were taken for; None where a manifest says it."""
    guessed = [model for model in result.subject.tracker.models if model.names_from != "manifest"]
    if not guessed:
        return None
    names = listed(map(str, guessed))
    summary = f"{names}: no manifest says what the blobs are. Check them before you rely on the figures."
    return Section("names", "Names", NOTE, summary, (_blobs(result),))


def _only_device(result: "VerifyResult") -> bool:
    """Whether nothing but the dumps of a device has failed."""
    dumps = result.checks.get("dumps")
    return bool(result.verification) and dumps is not None and not dumps and list(result.problems) == [dumps.failure()]


def _title(result: "VerifyResult") -> str:
    return f"{result.arch} in {result.export}" if result.export else f"{result.arch}, {listed(_graphs(result))}"


def _lacking(result: "VerifyResult") -> str:
    """The graphs that a whole tracker has besides."""
    return listed(dict.fromkeys(f"{each.format} {graph}" for each in result.subject.missing for graph in each.graphs))


def _graphs(result: "VerifyResult") -> list[str]:
    return [str(model) for model in result.subject.tracker.models]


def _passed(result: "VerifyResult") -> str:
    checks = result.verification.report.checks
    worst = max((badness(output) for check in checks for output in check.outputs), default=None)
    used = f"; the largest error is {percent(worst)} of what is allowed" if worst is not None else ""
    parts = []
    if result.subject.missing:
        parts.append(f"Only {listed(_graphs(result))} of the tracker; {_lacking(result)} is missing.")
    if not result.boxes_judged:
        parts.append(f"Of {result.subject.precision} models outputs say little, and no box was looked at.")
    formats = listed(result.subject.tracker.formats)
    parts.append(f"The {formats} models answer as the reference does in {count(len(checks), 'comparison')}{used}.")
    pictures, clip = result.checks.get(PICTURES), result.checks.get("clip")
    if isinstance(pictures, PicturesReport):
        parts.append(pictures.sentence())
    if isinstance(clip, ClipReport):
        means = [each.judged.iou_mean for each in clip.candidates if each.judged.iou_mean is not None]
        if means:
            parts.append(
                f"On the clip the mean overlap with the reference's boxes in one step is {overlap(min(means))} or more."
            )
    return " ".join(parts)


def _failed(result: "VerifyResult") -> str:
    if _only_device(result):
        return "The models answer as the reference does, and the device does not answer as they do."
    if result.unfinished:
        return "The models answer as the reference does; what was asked for besides could not be carried out."
    subject = "this model" if len(_graphs(result)) == 1 else "these models"
    return f"Do not deploy {subject}: {count(len(result.problems), 'problem')} found."


def _not_checked(result: "VerifyResult") -> list[str]:
    lines = [f"The whole tracker: {_lacking(result)} is missing"] if result.subject.missing else []
    if not result.verification.report.checks:
        lines.append("Outputs: no output was compared with the reference")
    lines += [text for key, text in OPTIONAL.items() if key not in result.checks]
    if not result.boxes_judged:
        lines.append(ON_PICTURES)
    if result.subject.precision in JUDGED_BY_BOXES:
        lines.append(LEFT_OUT)
    if result.subject.manifest is None:
        lines.append("Checksums: no manifest, so nothing says that these are the files that were exported")
    return lines


def _facts(result: "VerifyResult") -> list[tuple[str, str]]:
    manifest, network = result.subject.manifest, result.subject.tracker.network
    models = str(result.export) if result.export else listed(path.name for path in result.checksums)
    facts = [("Models", models), ("Network", result.arch), ("Path name", network.path_name)]
    if manifest:
        checkpoint = manifest.checkpoint
        epoch = f", epoch {plain(checkpoint.epoch)}" if checkpoint.epoch is not None else ""
        facts += [("Exported from", f"{checkpoint.called}{epoch}"), ("Precision", result.subject.precision)]
    return [*facts, ("Template, search", f"{network.template_size}, {network.search_size} pixels")]


def _compared(result: "VerifyResult") -> Section:
    """The two sides, and every model's blobs with what they were taken for."""
    verification, models = result.verification, result.subject.tracker.models
    rows = (
        Row(("Models", listed(f"{name}: {runtime}" for name, runtime in verification.candidates.items()))),
        Row(("Reference", result.reference)),
        Row(("Inputs", listed(verification.feeds) or "none")),
        Row(("Tolerances", _tolerances(verification.tolerances))),
    )
    blocks: list[Block] = [Table(columns("", ""), rows)]
    if names := names_section(result):
        blocks.append(Text(names.summary, NOTE))
    blocks.append(Folded("Blobs: what every input and output was taken for", (_blobs(result),)))
    summary = f"{count(len(models), 'graph')} against {result.reference}"
    return Section("compared", "What was compared with what", NOTE, summary, tuple(blocks))


def _tolerances(tolerances: Mapping[str, Tolerance]) -> str:
    """Outputs of one tolerance together."""
    groups: dict[str, list[str]] = {}
    for name, tolerance in tolerances.items():
        beside = f"{error(tolerance.atol)} + " if tolerance.atol else ""
        groups.setdefault(f"{beside}{error(tolerance.rtol)} of the range", []).append(name)
    return "; ".join(f"{listed(names)}: {text}" for text, names in groups.items()) or "none"


def _blobs(result: "VerifyResult") -> Table:
    rows = [
        Row(
            (
                *(str(model), role, tensor.name, tensor.meaning, shape(tensor.shape)),
                *(NAMES_FROM[model.names_from], tensor.about),
            ),
            "" if model.names_from == "manifest" else NOTE,
        )
        for model in result.subject.tracker.models
        for role, tensors in (("input", model.graph.inputs), ("output", model.graph.outputs))
        for tensor in tensors
    ]
    titles = columns("Graph", "", "Blob", "Taken for", "Shape", "Name")
    return Table((*titles, Column("About", LEFT, 1)), tuple(rows))


def _files(result: "VerifyResult") -> Section:
    """Whether the files are those of the manifest, and what they are."""
    problems = tuple(map(str, result.files))
    if problems:
        state, summary = BAD, f"{count(len(problems), 'file')} not as the manifest says."
    elif result.subject.manifest:
        state, summary = OK, "Every file is the one that the manifest lists."
    else:
        state = NOTE
        summary = "There is no manifest to hold the files against; these are the checksums of what was verified."
    rows = [Row((path.name, plain(checksum))) for path, checksum in result.checksums.items()]
    mark = NOTE if result.warnings else ""
    if manifest := result.subject.manifest:
        rows.append(Row((f"{manifest.checkpoint.called} (in the manifest)", manifest.checkpoint.sha256), mark))
    if result.weights.sha256:
        name = PurePath(plain(result.weights.called)).name
        rows.append(Row((f"{name} (the reference's weights)", result.weights.sha256), mark))
    blocks: list[Block] = [Points(problems, BAD)] if problems else []
    blocks.append(Table(columns("File", "SHA-256"), tuple(rows), raw=True))
    return Section("files", "Files and checksums", state, summary, tuple(blocks))


def _versions(result: "VerifyResult") -> Section:
    """Who wrote it, and with what."""
    own = ("lighttrack-export", version())
    rows = tuple(map(Row, (own, *result.tools.items())))
    return Section("versions", "Versions", NOTE, " ".join(own), (Table(columns("Tool", "Version"), rows),))
