"""The table of packages, and the one error where one of them cannot be imported."""

import importlib
import re
import sys
import tomllib

import pytest

from commands import ROOT
from conftest import damage
from converter.errors import DependencyError, UsageError
from converter.util import packages
from converter.util.packages import PACKAGES, check_installed, importing, install, is_installed

BY_NAME = {package.name: package for package in PACKAGES}


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Have psutil run this instead of its own code."""

    def make(source):
        for name in [name for name in sys.modules if name.partition(".")[0] == "psutil"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.syspath_prepend(damage(tmp_path, "psutil", source))
        importlib.invalidate_caches()

    return make


def test_the_table_is_what_the_project_requires():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {"": project["dependencies"], **project["optional-dependencies"]}
    declared = {
        (re.match(r"[\w.-]+", requirement)[0].lower(), extra)
        for extra, requirements in names.items()
        if extra not in ("test", "docs")
        for requirement in requirements
        if not requirement.startswith("lighttrack-export")
    }
    assert {(package.distribution, package.extra) for package in PACKAGES} == declared
    assert len(BY_NAME) == len(PACKAGES)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise OSError('libX.so')", r"cannot be imported here \(libX\.so\): pip install --force-reinstall --no-deps "),
        ("raise ValueError('size changed')", r"cannot be imported here \(ValueError: size changed\): pip install --f"),
        ("import psutil.no_such_part", r"cannot be imported here \(No module .*part'\): pip install --force-reins"),
        ("import no_such_thing", r"cannot be imported here \(No module named 'no_such_thing'\): pip install -c \S+ 'l"),
        ("raise SystemExit(1)", r"cannot be imported here \(SystemExit: 1\): pip install --force-reinstall --no-deps "),
        ("class Odd(BaseException): pass\nraise Odd('x')", r"cannot be imported here \(Odd: x\): pip install --force"),
        ("def f(): raise OSError('inside')\nf()", r"cannot be imported here \(inside\): pip install"),
    ],
)
def test_whatever_an_import_raises_is_one_error_with_what_to_do(broken, source, said):
    broken(source)
    with pytest.raises(DependencyError, match=rf"^psutil, which measures memory in make bench, {said}"), importing():
        import psutil
    with pytest.raises(DependencyError, match=r"^--x needs psutil, which cannot be imported here \("), importing("--x"):
        import psutil  # noqa: F401


def test_a_name_that_a_package_lacks_is_told_apart_from_a_missing_package():
    with (
        pytest.raises(DependencyError, match=r"^psutil, .*, cannot be imported here \(cannot import name 'no_such_n"),
        importing(),
    ):
        from psutil import no_such_name  # noqa: F401


def test_a_package_that_is_too_old_for_a_name_is_told_when_it_is_used():
    import psutil

    with (
        pytest.raises(DependencyError, match=r"^psutil, .*, cannot be used here \(AttributeError: .* no attr"),
        importing(),
    ):
        psutil.no_such_name  # noqa: B018


def test_an_object_of_ours_without_a_name_is_a_bug():
    with pytest.raises(AttributeError), importing():
        BY_NAME["onnx"].no_such_name  # noqa: B018
    with pytest.raises(AttributeError), importing():
        packages.no_such_name  # noqa: B018


@pytest.mark.parametrize(("code", "said"), [(-6, "signal SIGABRT"), (1, "code 1")])
def test_a_package_that_ends_its_process_is_named(code, said):
    error = packages.ends_its_process("ncnn", code)
    assert f"ncnn, which runs ncnn models, cannot be imported here (the import ended its process with {said})" in str(
        error
    )


def test_the_package_that_is_missing_is_named_and_not_the_one_that_asks_for_it(broken, monkeypatch):
    broken("import onnxsim")
    monkeypatch.setitem(sys.modules, "onnxsim", None)
    with pytest.raises(DependencyError, match=r"^onnxsim, which simplifies ONNX models, "), importing():
        import psutil  # noqa: F401


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("a bug"), UsageError("a mistake"), KeyboardInterrupt()])
def test_what_is_no_import_stays_what_it_is(error):
    with pytest.raises(type(error)) as raised, importing():
        raise error
    assert raised.value is error


def test_the_import_of_a_module_that_is_no_package_of_ours_is_a_bug():
    with pytest.raises(ModuleNotFoundError), importing():
        importlib.import_module("no_such_module_of_ours")


def test_packages_are_looked_for_by_name():
    assert is_installed("numpy")
    assert not is_installed("no_such_package")
    check_installed(["numpy"], "--x")
    with pytest.raises(
        DependencyError, match=r"^--x needs no_such_package, not installed here: pip install .*package$"
    ):
        check_installed(["numpy", "no_such_package"], "--x")


def test_versions_are_pinned_in_a_checkout_only(monkeypatch, tmp_path):
    wanted = [BY_NAME["onnx"], BY_NAME["cv2"], BY_NAME["torch"]]
    assert install(wanted) == f"pip install -c {ROOT}/constraints.txt 'lighttrack-export[clip,onnx]'"
    monkeypatch.setattr(packages.converter, "__file__", str(tmp_path / "converter/__init__.py"))
    assert install(wanted[2:]) == "pip install lighttrack-export"
