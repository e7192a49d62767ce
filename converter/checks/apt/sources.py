"""The system's own package sources, asked for an architecture beside the machine's."""

import re
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".list", ".sources")
# Ubuntu keeps arm64 on a server of its own; amd64 and i386 stay where they are.
_UBUNTU = re.compile(r"https?://(?:[\w.-]+\.)?(?:archive|security)\.ubuntu\.com/ubuntu(?![\w-])")
_PORTS = "http://ports.ubuntu.com/ubuntu-ports"
_ONE_LINE = re.compile(r"deb\s+(?:\[([^\]]*)\]\s*)?(\S.*)")


def derived_sources(files: Iterable[Path], host: str, guest: str) -> dict[str, str]:
    """What to write into a private ``sources.list.d``: file name to text.

    Restrictions to some architectures are lifted, sources of source packages are left out, and a file that cannot be
    read is too.

    Args:
        files: of the system, ``.list`` or ``.sources``; others are left out.
        host: the machine's architecture, as dpkg calls it.
        guest: the one that is asked for.
    """
    derived = {}
    for index, path in enumerate(files):
        if path.suffix not in SUFFIXES:
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        entries = _lines(text, host, guest) if path.suffix == ".list" else _stanzas(text, host, guest)
        if entries:
            separator = "\n" if path.suffix == ".list" else "\n\n"
            derived[f"{index:02d}{path.suffix}"] = separator.join(entries) + "\n"
    return derived


def _lines(text: str, host: str, guest: str) -> list[str]:
    entries = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.partition("#")[0].strip())
        if not match:
            continue
        options = [word for word in (match[1] or "").split() if not re.match(r"arch[+-]?=", word)]
        for place, architectures in _places(match[2], host, guest):
            listed = " ".join([f"arch={','.join(architectures)}", *options])
            entries.append(f"deb [{listed}] {place}")
    return entries


def _stanzas(text: str, host: str, guest: str) -> list[str]:
    entries = []
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip().lower() == "no":
            continue
        fields = {name: value for name, value in fields.items() if not name.startswith("architectures")}
        for place, architectures in _places(fields.pop("uris", ""), host, guest):
            entry = {**fields, "types": "deb", "uris": place, "architectures": " ".join(architectures)}
            entries.append("\n".join(f"{name.title()}: {value}" for name, value in entry.items()))
    return entries


def _fields(stanza: str) -> dict[str, str]:
    """Lower-case name to value; a value may go on in lines that begin with a blank."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace() and name:
            fields[name] += f"\n{line}"
        elif ":" in line:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _places(text: str, host: str, guest: str) -> list[tuple[str, list[str]]]:
    """(place, architectures) that one entry becomes."""
    if host == guest:
        return [(text, [guest])]
    if _UBUNTU.search(text):
        return [(text, [host]), (_UBUNTU.sub(_PORTS, text), [guest])]
    return [(text, [host, guest])]
