"""The folder with the toolkit's Python: one that is missing, half-built or changed, and what is never removed."""

import pytest

from converter.errors import DependencyError, UsageError
from converter.formats.rknn import setup
from converter.formats.rknn.root import RECORD, ROOT, RknnRecord, rknn_root
from converter.util.unpacked import contents


def built(folder):
    """A folder as ``lt-setup rknn`` leaves it, but for what is in the files."""
    (folder / "venv/bin").mkdir(parents=True)
    (folder / "venv/bin/python").write_text("#!/bin/sh\n")
    (folder / "venv/bin/python").chmod(0o755)
    files, links = contents(folder)
    record = RknnRecord(packages=["x"], files=files, links=links, python="3.11.7", versions=setup.wanted())
    (folder / RECORD).write_text(record.model_dump_json())
    return folder


def test_one_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("LT_RKNN_ROOT", str(tmp_path / "r"))
    with pytest.raises(DependencyError, match=r"RKNN root .*/r: no such folder; lt-setup rknn builds it"):
        rknn_root()


def test_a_half_built_one(tmp_path):
    (tmp_path / "r/venv").mkdir(parents=True)
    with pytest.raises(
        DependencyError, match=rf"is half-built: no {RECORD} in it; lt-setup rknn --folder .* builds it"
    ):
        rknn_root(tmp_path / "r")


def test_one_without_its_python(tmp_path):
    folder = built(tmp_path / "r")
    (folder / "venv/bin/python").unlink()
    with pytest.raises(DependencyError, match=r"is damaged: no program .*venv/bin/python"):
        rknn_root(folder)


def test_a_changed_file_is_found_where_somebody_looks(tmp_path):
    folder = built(tmp_path / "r")
    assert setup.sound(folder).toolkit == "2.5.0"
    (folder / "venv/bin/python").write_text("#!/bin/bash\n")
    with pytest.raises(DependencyError, match="venv/bin/python has changed"):
        setup.sound(folder)


def test_only_what_was_built_is_removed(tmp_path):
    folder = built(tmp_path / "r")
    (folder / "mine.txt").write_text("")
    with pytest.raises(
        UsageError, match=r"holds 'mine\.txt', which lt-setup rknn did not put there; nothing was touched"
    ):
        ROOT.remove(folder)
    (folder / "mine.txt").unlink()
    assert ROOT.remove(folder)
    assert not folder.exists()


def test_no_python_3_11_is_a_line_with_the_way_to_get_one(monkeypatch):
    monkeypatch.setattr(setup, "PYTHON", (3, 99))
    with pytest.raises(DependencyError, match=r"wants Python 3\.11, and no python3\.11 runs here: python3\.11 is in"):
        setup.find_python()


def test_another_machine_is_refused(monkeypatch):
    monkeypatch.setattr(setup.platform, "machine", lambda: "aarch64")
    with pytest.raises(DependencyError, match="this is Linux on aarch64"):
        setup.find_python()
