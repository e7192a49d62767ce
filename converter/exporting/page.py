"""An export as a report and as test cases: the verdict, the figures of its proof, and the files."""

from typing import TYPE_CHECKING

from converter.checks.pictures import PICTURES
from converter.formats.format import simulated
from converter.proof.section import proof_cases, proof_section
from converter.proof.verify import Report
from converter.report import blocks
from converter.report.blocks import NOTE, Row, Section, Table, columns
from converter.report.junit import SKIPPED, Case, case
from converter.report.text import count, plain, shape
from converter.spec.tensors import TensorSpec

if TYPE_CHECKING:
    from converter.checks.arm.section import ArmSection
    from converter.checks.pictures.steps import PicturesReport
    from converter.exporting.made import Exported
    from converter.folder.manifest import Manifest

NO_PROOF = "--no-verify: nothing was compared, so nothing is proved"


def verdict_line(exported: "Exported") -> str:
    """The verdict and what it is about."""
    if exported:
        how = f", {words}" if (words := simulated(exported.options.formats)) else ""
        return f"verified {exported.manifest.arch} in {exported.folder}{how}"
    return f"NOT VERIFIED (--no-verify): {exported.manifest.arch} in {exported.folder} was compared with nothing"


def report_of(exported: "Exported", written: str) -> blocks.Report:
    """Everything that an export says.

    Args:
        written: when.
    """
    manifest = exported.manifest
    sentence = f"{NO_PROOF}."
    if exported.report:
        compared = count(len(exported.report.checks), "comparison")
        how = f", {words}" if (words := simulated(exported.options.formats)) else ""
        sentence = f"Reference: {exported.report.reference}. The models answer as it does in {compared}{how}."
    if exported.steps is not None:
        sentence += f" {exported.steps.sentence()}"
    verdict = "Verified" if exported else "Not verified"
    return blocks.Report(
        title=f"{verdict}: export of {manifest.arch} in {exported.folder}",
        passed=bool(exported),
        verdict=verdict,
        sentence=sentence,
        problems=(),
        not_checked=_not_checked(exported),
        facts=_facts(exported),
        sections=(*_proof(exported.report, exported.steps, exported.arm), _models(manifest)),
        written=written,
        sign_off=False,
        warnings=exported.notes,
    )


def _not_checked(exported: "Exported") -> tuple[str, ...]:
    left_out = exported.manifest.verification.left_out
    if not exported:
        return ("Outputs: no output was compared with the reference",)
    return (left_out,) if left_out else ()


def refused_page(
    report: Report | None, steps: "PicturesReport | None", arm: "ArmSection | None", problem: str, written: str
) -> blocks.Report:
    """Everything that there is to say of models that were not published.

    Args:
        problem: why, in a line.
        written: when.
    """
    return blocks.Report(
        title="Not verified: export",
        passed=False,
        verdict="Not verified",
        sentence=f"{_reference_of(report)}Nothing was published.",
        problems=[problem],
        not_checked=(),
        facts=(),
        sections=_proof(report, steps, arm),
        written=written,
        sign_off=False,
    )


def export_cases(report: Report | None, steps: "PicturesReport | None", arm: "ArmSection | None") -> list[Case]:
    """A case for every comparison, for the boxes, and for the emulated ARM cpu; without proof one that was skipped."""
    # not by its truth: a report that failed is false
    cases = proof_cases(report.checks) if report is not None else [Case("proof", "outputs", SKIPPED, NO_PROOF)]
    others = {PICTURES: steps, "arm": arm}
    return cases + [
        case("checks", name, bool(each), each.failure()) for name, each in others.items() if each is not None
    ]


def _reference_of(report: Report | None) -> str:
    return f"Reference: {report.reference}. " if report is not None and report.reference else ""


def _proof(report: Report | None, steps: "PicturesReport | None", arm: "ArmSection | None") -> list[Section]:
    outputs = proof_section(report.checks, reference=report.reference) if report is not None else proof_section(())
    return [outputs, *(each.section() for each in (steps, arm) if each is not None)]


def _facts(exported: "Exported") -> list[tuple[str, str]]:
    manifest = exported.manifest
    checkpoint, tracker = manifest.checkpoint, manifest.tracker
    epoch = f", epoch {plain(checkpoint.epoch)}" if checkpoint.epoch is not None else ""
    return [
        ("Models", str(exported.folder)),
        ("Network", manifest.arch),
        ("Path name", manifest.path_name),
        ("Exported from", f"{checkpoint.called}{epoch}"),
        ("Precision", manifest.precision),
        ("Template, search", f"{tracker.template_size}, {tracker.search_size} pixels"),
    ]


def _models(manifest: "Manifest") -> Section:
    """Every graph with what goes in and comes out, and every file with its checksum."""
    graphs = [
        Row((graph.format, graph.name, _tensors(graph.inputs), _tensors(graph.outputs))) for graph in manifest.graphs
    ]
    listed = dict.fromkeys(file for graph in manifest.graphs for file in graph.files)
    files = [Row((file.name, f"{file.bytes / 1e6:.2f} MB", file.sha256)) for file in listed]
    tables = (
        Table(columns("Format", "Graph", "Inputs", "Outputs"), tuple(graphs)),
        Table(columns("File", ">Size", "SHA-256"), tuple(files), raw=True),
    )
    summary = f"{count(len(graphs), 'graph')} in {count(len(files), 'file')}."
    return Section("files", "Models, files and checksums", NOTE, summary, tables)


def _tensors(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{tensor.name} {shape(tensor.shape)}" for tensor in tensors)
