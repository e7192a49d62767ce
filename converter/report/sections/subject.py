"""What was compared with what: the models, the reference, the inputs, the tolerances, the blobs."""

from collections.abc import Mapping
from typing import Any

from converter.report.blocks import NOTE, Block, Folded, Row, Section, Table, Text, columns
from converter.report.text import count, error, listed, mapping, mappings, plain, shape

NAMES_FROM = {
    "manifest": "as in the manifest",
    "names": "named so in the file",
    "trial": "found by trying",
    "--rename": "given with --rename",
}


def subject_section(result: Mapping[str, Any]) -> Section:
    """The two sides, and every model's blobs with what they were taken for."""
    verification = mapping(result.get("verification"))
    candidates = mapping(verification.get("candidates"))
    feeds = verification.get("feeds") or []
    rows = [
        Row(("Models", listed(f"{name}: {runtime}" for name, runtime in candidates.items())))
        if candidates
        else Row(("Models", listed(_formats(result)) or "none")),
        Row(("Reference", plain(result.get("reference")))),
        Row(("Inputs", listed(feeds) if feeds else "none")),
        Row(("Tolerances", _tolerances(mapping(verification.get("tolerances"))))),
    ]
    blocks: list[Block] = [Table(columns("", ""), tuple(rows))]
    models = mappings(result.get("models"))
    if guessed := [model for model in models if model.get("names_from") not in ("manifest", None)]:
        names = listed(f"{model.get('format')} {model.get('name')}" for model in guessed)
        text = f"{names}: no manifest says what the blobs are. Check the table of blobs before you rely on the figures."
        blocks.append(Text(text, NOTE))
    if models:
        blocks.append(Folded("Blobs: what every input and output was taken for", (_blobs(models),)))
    summary = f"{count(len(models), 'graph')} against {plain(result.get('reference'))}"
    return Section("compared", "What was compared with what", NOTE, summary, tuple(blocks))


def _formats(result):
    return dict.fromkeys(plain(model.get("format")) for model in mappings(result.get("models")))


def _tolerances(tolerances):
    """Outputs of one tolerance together."""
    groups: dict[str, list[str]] = {}
    for name, tolerance in tolerances.items():
        atol, rtol = mapping(tolerance).get("atol"), mapping(tolerance).get("rtol")
        beside = f"{error(atol)} + " if atol else ""
        groups.setdefault(f"{beside}{error(rtol)} of the range", []).append(name)
    return "; ".join(f"{listed(names)}: {text}" for text, names in groups.items()) or "none"


def _blobs(models):
    rows = [
        Row(
            (
                f"{plain(model.get('format'))} {plain(model.get('name'))}",
                plain(tensor.get("role")),
                plain(tensor.get("name")),
                f"{plain(tensor.get('meaning'))}" + (f", {tensor['about']}" if tensor.get("about") else ""),
                shape(tensor.get("shape")),
                NAMES_FROM.get(model.get("names_from"), plain(model.get("names_from"))),
            ),
            NOTE if model.get("names_from") not in ("manifest", None) else "",
        )
        for model in models
        for tensor in mappings(model.get("tensors"))
    ]
    return Table(columns("Graph", "", "Blob", "Taken for", "Shape", "Name"), tuple(rows))
