"""An export as a report: the verdict, the figures of its proof, and the files."""

from typing import TYPE_CHECKING

from converter.proof.section import proof_section
from converter.report.blocks import NOTE, Report, Row, Section, Table, columns
from converter.report.text import count, plain, shape
from converter.spec.tensors import TensorSpec

if TYPE_CHECKING:
    from converter.exporting.made import Exported
    from converter.folder.manifest import Manifest


def verdict_line(exported: "Exported") -> str:
    """The verdict and what it is about."""
    if exported:
        return f"verified {exported.manifest.arch} in {exported.folder}"
    return f"NOT VERIFIED (--no-verify): {exported.manifest.arch} in {exported.folder} was compared with nothing"


def report_of(exported: "Exported", written: str) -> Report:
    """Everything that an export says.

    Args:
        written: when.
    """
    manifest, checks = exported.manifest, exported.report.checks if exported.report else ()
    verdict = "Verified" if exported else "Not verified"
    reference = manifest.verification.reference or ""
    compared = f"Reference: {reference}. The models answer as it does in {count(len(checks), 'comparison')}."
    return Report(
        title=f"{verdict}: {manifest.arch} in {exported.folder}",
        passed=bool(exported),
        verdict=verdict,
        sentence=compared if exported else "The models were compared with nothing.",
        problems=(),
        not_checked=() if exported else ("Outputs: no output was compared with the reference",),
        facts=_facts(exported),
        sections=(
            proof_section(checks, reference=reference),
            *([exported.arm.section()] if exported.arm else []),
            _graphs(manifest),
        ),
        written=written,
        sign_off=False,
    )


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


def _graphs(manifest: "Manifest") -> Section:
    """Every graph with what goes in and comes out, and its files."""
    rows = [
        Row((graph.format, graph.name, _tensors(graph.inputs), _tensors(graph.outputs), file.name, str(file.bytes)))
        for graph in manifest.graphs
        for file in graph.files
    ]
    titles = columns("Format", "Graph", "Inputs", "Outputs", "File", ">Bytes")
    summary = f"{count(len(manifest.graphs), 'graph')} in {count(len(rows), 'file')}"
    return Section("files", "Models", NOTE, summary, (Table(titles, tuple(rows)),))


def _tensors(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(f"{tensor.name} {shape(tensor.shape)}" for tensor in tensors)
