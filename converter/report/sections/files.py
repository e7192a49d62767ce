"""Files with their checksums, golden vectors, and the versions of everything that took part."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from converter.report.blocks import BAD, NOTE, OK, Block, Folded, Points, Row, Section, Table, Text, columns
from converter.report.text import count, mapping, mappings, plain, size


def files_section(result: Mapping[str, Any]) -> Section:
    """Whether the files are those of the manifest, and what they are."""
    files = mapping(result.get("files"))
    problems = [f"{plain(one.get('file'))} {plain(one.get('problem'))}" for one in mappings(files.get("problems"))]
    state = {"passed": OK, "failed": BAD}.get(files.get("status"), NOTE)
    if problems or state == BAD:
        state, summary = BAD, f"{count(len(problems), 'file')} not as the manifest says."
    elif state == OK:
        summary = "Every file is the one that the manifest lists."
    else:
        summary = "There is no manifest to hold the files against; these are the checksums of what was verified."
    blocks: list[Block] = [Points(tuple(problems), BAD)] if problems else []
    rows = [
        Row((PurePath(plain(file.get("name"))).name, plain(file.get("sha256")), size(file.get("bytes"))))
        for model in mappings(result.get("models"))
        for file in mappings(model.get("files"))
    ]
    for key, where in (("checkpoint", "in the manifest"), ("resume", "the reference's weights")):
        checkpoint = mapping(result.get(key))
        if checkpoint.get("sha256"):
            name = PurePath(plain(checkpoint.get("file"))).name
            rows.append(Row((f"{name} ({where})", plain(checkpoint["sha256"]), "")))
    if rows:
        blocks.append(_checksums(rows))
    return Section("files", "Files and checksums", state, summary, tuple(blocks))


def _checksums(rows):
    """Without the sizes where none is known."""
    if any(row.cells[2] not in ("", "–") for row in rows):
        return Table(columns("File", "SHA-256", ">Size"), tuple(rows), raw=True)
    return Table(columns("File", "SHA-256"), tuple(Row(row.cells[:2]) for row in rows), raw=True)


def versions_section(result: Mapping[str, Any]) -> Section:
    """Who wrote it, and with what."""
    generator = mapping(result.get("generator"))
    rows = [Row((plain(generator.get("name")), plain(generator.get("version"))))] if generator else []
    rows += [Row((plain(name), plain(version))) for name, version in mapping(result.get("tools")).items()]
    summary = ", ".join(" ".join(row.cells) for row in rows[:1]) or "unknown"
    blocks = (Table(columns("Tool", "Version"), tuple(rows)),) if rows else (Text("No versions were recorded."),)
    return Section("versions", "Versions", NOTE, summary, blocks)


def golden_section(value: Any) -> Section:
    """Golden vectors that were read or written; whatever is said of them, as it is."""
    found = mapping(value)
    rows = [
        Row((plain(key).replace("_", " "), plain(item)))
        for key, item in found.items()
        if not isinstance(item, Mapping | list | tuple)
    ]
    rows += [
        Row((plain(key).replace("_", " "), ", ".join(map(plain, item))))
        for key, item in found.items()
        if isinstance(item, list | tuple) and item and not any(isinstance(one, Mapping | list) for one in item)
    ]
    text = plain(value) if isinstance(value, str) else ""
    blocks: list[Block] = [Text(text)] if text else []
    if rows:
        blocks.append(Table(columns("", ""), tuple(rows)))
    causes = [plain(one.get("title") or one.get("name")) for one in mappings(found.get("cases"))]
    if causes:
        blocks.append(Folded(count(len(causes), "case"), (Points(tuple(causes)),)))
    state = {True: OK, False: BAD}.get(found.get("passed"), NOTE)
    return Section("golden", "Golden vectors", state, text or plain(found.get("folder") or "used"), tuple(blocks))
