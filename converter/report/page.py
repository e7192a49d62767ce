"""The result of lt-verify as a report: the verdict first, then section by section what it rests on."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from converter.report.blocks import BAD, Report, Section
from converter.report.sections.arm import arm_section
from converter.report.sections.clip import Thumbnails, clip_section
from converter.report.sections.dumps import dumps_section
from converter.report.sections.files import files_section, golden_section, versions_section
from converter.report.sections.half import half_section
from converter.report.sections.layers import layers_section
from converter.report.sections.outputs import outputs_section
from converter.report.sections.subject import subject_section
from converter.report.text import count, is_number, listed, mapping, mappings, overlap, percent, plain

PASSED = "passed"
# What a run is asked for besides the outputs, in the order of the report: key, what it would have told.
OPTIONAL = {
    "clip": "On the clip (--clip): whether the converted models follow the target as the network does",
    "layers": "Layer by layer (--layers): where errors arise inside the graphs",
    "dumps": "Dumps of a device (--dumps): whether a device computes the same",
    "fp16": "Half precision (--fp16-report): whether half storage and arithmetic on ARM are safe",
    "arm": "Emulated ARM (--runtime ncnn-arm64): whether ncnn's half kernels compute the same",
}


def report_of(result: Mapping[str, Any], thumbnails: Thumbnails, written: str) -> Report:
    """Everything that a result says, in the order in which a reviewer wants it.

    Args:
        result: as ``lt-verify --json`` prints it; sections that it lacks were not checked.
        thumbnails: see :func:`converter.report.sections.clip.clip_section`.
        written: when.
    """
    sections = _sections(result, thumbnails)
    problems = _problems(result, sections)
    passed = result.get("verdict") == PASSED and not problems and not result.get("error")
    verdict = "Not verified" if not passed else "Verified in part" if result.get("missing") else "Verified"
    return Report(
        title=f"{verdict}: {_subject(result)}",
        passed=passed,
        verdict=verdict,
        sentence=_passed(result) if passed else _failed(result, problems),
        problems=problems,
        not_checked=_not_checked(result),
        facts=_facts(result),
        sections=sections,
        written=written,
    )


def _sections(result, thumbnails) -> list[Section]:
    sections = [subject_section(result), outputs_section(result)]
    if result.get("clip") is not None:
        sections.append(clip_section(result["clip"], thumbnails))
    for key, make in (
        *(("layers", layers_section), ("dumps", dumps_section), ("fp16", half_section)),
        ("arm", arm_section),
    ):
        if result.get(key) is not None:
            sections.append(make(result[key]))
    if result.get("golden") is not None:
        sections.append(golden_section(result["golden"]))
    return [*sections, files_section(result), versions_section(result)]


def _problems(result, sections) -> list[str]:
    """What lt-verify says has failed; where it says nothing, what the sections say."""
    said = [plain(problem) for problem in result.get("problems") or ()]
    if not said and mapping(result.get("error")).get("message"):
        said = [plain(result["error"]["message"])]
    return said or [f"{section.title}: {section.summary}" for section in sections if section.state == BAD]


def _subject(result):
    arch = plain(result.get("arch") or "models")
    if result.get("folder"):
        return f"{arch} in {PurePath(plain(result['folder'])).name}"
    return f"{arch}, {listed(_graphs(result))}" if _graphs(result) else arch


def _missing(result):
    """The graphs that a whole tracker has besides."""
    lacking = mappings(result.get("missing"))
    return listed(dict.fromkeys(f"{plain(each.get('format'))} {listed(each.get('graphs') or ())}" for each in lacking))


def _graphs(result):
    return [f"{plain(model.get('format'))} {plain(model.get('name'))}" for model in mappings(result.get("models"))]


def _passed(result):
    formats = listed(dict.fromkeys(plain(model.get("format")) for model in mappings(result.get("models"))))
    checks = mappings(mapping(result.get("verification")).get("checks"))
    shares = [
        output["max_abs"] / output["allowed"]
        for check in checks
        for output in mappings(check.get("outputs"))
        if is_number(output.get("max_abs")) and is_number(output.get("allowed")) and output["allowed"]
    ]
    worst = f"; the largest error is {percent(max(shares))} of what is allowed" if shares else ""
    parts = []
    if lacking := _missing(result):
        parts.append(f"Only {listed(_graphs(result))} of the tracker; {lacking} is missing.")
    parts += [f"The {formats} models answer as the reference does in {count(len(checks), 'comparison')}{worst}."]
    clip = mappings(mapping(result.get("clip")).get("candidates"))
    means = [mapping(one.get("iou")).get("mean") for one in clip]
    if means and all(map(is_number, means)):
        parts.append(f"On the clip the mean overlap with its boxes is {overlap(min(means))} or more.")
    return " ".join(parts)


def _failed(result, problems):
    if not problems:
        return "The verification did not come to an end, so nothing is proved."
    subject = "this model" if len(_graphs(result)) == 1 else "these models"
    return f"Do not deploy {subject}: {count(len(problems), 'problem')} found."


def _not_checked(result):
    lines = [text for key, text in OPTIONAL.items() if result.get(key) is None]
    if lacking := _missing(result):
        lines.insert(0, f"The whole tracker: {lacking} is missing")
    if not mappings(mapping(result.get("verification")).get("checks")):
        lines.insert(0, "Outputs: no output was compared with the reference")
    status = mapping(result.get("files")).get("status")
    if status is None:
        lines.append("Checksums: the files were not held against a manifest")
    elif status not in (PASSED, "failed"):
        lines.append(f"Checksums: {plain(status)}, so nothing says that these are the files that were exported")
    return lines


def _facts(result):
    checkpoint, sizes = mapping(result.get("checkpoint")), mapping(result.get("sizes"))
    epoch = f", epoch {plain(checkpoint['epoch'])}" if checkpoint.get("epoch") is not None else ""
    pixels = [sizes.get("template_size"), sizes.get("search_size")]
    facts = [
        ("Models", plain(result["folder"]) if result.get("folder") else listed(_names(result))),
        ("Network", plain(result.get("arch"))),
        ("Path name", plain(result.get("path_name"))),
        ("Exported from", f"{plain(checkpoint['file'])}{epoch}" if checkpoint.get("file") else None),
        ("Precision", result.get("precision")),
        ("Template, search", f"{plain(pixels[0])}, {plain(pixels[1])} pixels" if all(pixels) else None),
    ]
    return [(name, plain(value)) for name, value in facts if value]


def _names(result):
    return [
        PurePath(plain(file.get("name"))).name
        for model in mappings(result.get("models"))
        for file in mappings(model.get("files"))
    ]
