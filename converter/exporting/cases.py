"""An export as test cases and as a report: what was compared, and what lies in the folder."""

from converter.checks.arm.section import ArmSection
from converter.folder.manifest import Manifest
from converter.proof.section import proof_cases, proof_section
from converter.proof.verify import Report
from converter.report import blocks
from converter.report.blocks import NOTE, Row, Section, Table, columns
from converter.report.junit import SKIPPED, Case, case
from converter.report.text import count, listed

NO_PROOF = "--no-verify: nothing was compared, so nothing is proved"


def export_cases(report: Report | None, arm: ArmSection | None) -> list[Case]:
    """A case for every comparison, and one for the emulated ARM cpu; without proof one that was skipped."""
    # not by its truth: a report that failed is false
    cases = proof_cases(report.checks) if report is not None else [Case("proof", "outputs", SKIPPED, NO_PROOF)]
    return [*cases, case("checks", "arm", bool(arm), arm.failure())] if arm is not None else cases


def export_page(
    manifest: Manifest | None, report: Report | None, arm: ArmSection | None, problem: str, written: str
) -> blocks.Report:
    """The verdict, the proof and the files.

    Args:
        manifest: of what was published; None where nothing was.
        problem: why nothing was, in a line; empty otherwise.
        written: when.
    """
    proved = report is not None and not problem
    verdict = "Verified" if proved else "Not verified"
    reference = report.reference if report is not None else ""
    sections = [proof_section(report.checks if report is not None else (), reference=reference)]
    if arm is not None:
        sections.append(arm.section())
    if manifest:
        sections.append(_files(manifest))
        sentence = f"{listed(f'{graph.format} {graph.name}' for graph in manifest.graphs)} of {manifest.arch}."
    else:
        sentence = "Nothing was published."
    if reference:
        sentence = f"Reference: {reference}. {sentence}"
    return blocks.Report(
        title=f"{verdict}: export{f' of {manifest.arch}' if manifest else ''}",
        passed=proved,
        verdict=verdict,
        sentence=sentence if problem or proved else f"{sentence} {NO_PROOF}.",
        problems=[problem] if problem else [],
        not_checked=(),
        facts=(),
        sections=sections,
        written=written,
    )


def _files(manifest: Manifest) -> Section:
    rows = [
        Row((file.name, f"{file.bytes / 1e6:.2f} MB", file.sha256)) for graph in manifest.graphs for file in graph.files
    ]
    table = Table(columns("File", ">Size", "SHA-256"), tuple(rows), raw=True)
    return Section("files", "Files and checksums", NOTE, f"{count(len(rows), 'file')}.", (table,))
