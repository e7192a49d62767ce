"""A place to publish in, for the tests of publishing."""

import hashlib
import tempfile
from pathlib import Path

from converter.folder.listing import Listing
from converter.folder.workspace import Workspace


class Listed(Listing):
    """The least that a manifest says."""

    graphs: list[dict]
    extra_files: tuple = ()

    def checksums(self):
        return {file["name"]: file["sha256"] for graph in self.graphs for file in graph["files"]}


def listing(files):
    """What lists files of these contents, by name."""
    entries = [{"name": name, "sha256": hashlib.sha256(data).hexdigest()} for name, data in files.items()]
    generator = {"name": "lighttrack-export"}
    return Listed.model_validate({"schema_version": 1, "generator": generator, "graphs": [{"files": entries}]})


class Place:
    """A folder to publish in, beside a temporary folder of its own.

    Attributes:
        folder: holds targets, and after a test nothing else.
        out: the usual target.
        temp: stands for the system's temporary folder.
        old, new: name and content of the files of an earlier and of a new export.
    """

    def __init__(self, folder: Path, monkeypatch):
        self.folder, self.temp = folder / "place", folder / "temp"
        self.folder.mkdir()
        self.temp.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(self.temp))
        monkeypatch.setenv("TMPDIR", str(self.temp))
        self.out = self.folder / "out"
        self.old = {"a.param": b"old", "gone.bin": b"old weights"}
        self.new = {"a.param": b"7767517\n", "a.bin": b"\x00" * 100}

    def write(self, folder, files):
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return [(name, folder / name) for name in files]

    def write_old_export(self, target=None):
        target = target or self.out
        self.write(target, self.old)
        (target / "manifest.json").write_text(listing(self.old).text())

    def export(self, target=None):
        with Workspace(target or self.out) as workspace:
            workspace.publish(self.write(workspace.folder, self.new), listing(self.new))

    def contents(self):
        """Every path in the place, with the bytes of every file."""
        return {path: path.read_bytes() if path.is_file() else None for path in self.folder.rglob("*")}

    def litter(self):
        return [*self.temp.iterdir(), *self.folder.rglob(".*.lt-export*")]
