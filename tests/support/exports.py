"""Exports that tests begin with."""

from pathlib import Path

from commands import lt_export
from conftest import TINY


def export_to(checkpoint: Path, folder: Path, *options: object, path_name: str = TINY) -> Path:
    """The folder, with an export that has passed."""
    done = lt_export("--resume", checkpoint, "--path-name", path_name, "-o", folder, "-q", *options)
    assert done.code == 0, done.err
    return folder
