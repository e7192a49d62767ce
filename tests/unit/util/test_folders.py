"""Packages are found by the names of their folders."""

import sys

import pytest

from converter.util.folders import packages_in


@pytest.fixture
def toy(tmp_path, monkeypatch):
    package = tmp_path / "toy_of_folders"
    for name in ("", "second", "first", "first/deeper"):
        (package / name).mkdir()
        (package / name / "__init__.py").write_text("raise ImportError\n" if name else "")
    (package / "module.py").write_text("")
    (package / "data").mkdir()
    (package / "data/table.csv").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield package.name
    sys.modules.pop(package.name, None)


def test_packages_right_inside_are_found_in_order_and_not_imported(toy):
    assert packages_in(toy) == ("first", "second")
    assert not [name for name in sys.modules if name.startswith(f"{toy}.")]


def test_families_and_formats_are_found():
    assert {"lighttrack", "stark"} <= set(packages_in("converter.families"))
    assert {"ncnn", "onnx"} <= set(packages_in("converter.formats"))


def test_a_package_that_is_not_there_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        packages_in("converter.nowhere")
