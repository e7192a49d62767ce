"""Packages are imported in other processes, and compared with what is required and tested."""

from pathlib import Path

import pytest

from conftest import damage
from converter.installation import packages
from converter.installation.packages import PackageState, package_states
from converter.installation.result import Installation
from converter.util.packages import PACKAGES

PSUTIL = next(package for package in PACKAGES if package.name == "psutil")
PNNX = next(package for package in PACKAGES if package.name == "pnnx")


@pytest.fixture
def state(tmp_path, monkeypatch):
    """(package, source of its module, version in its metadata) -> how it is found."""

    def look(package, source=None, version=None):
        if source is not None:
            monkeypatch.setenv("PYTHONPATH", damage(tmp_path, package.name, source))
        if version:
            about = tmp_path / f"{package.distribution}-{version}.dist-info"
            about.mkdir()
            (about / "METADATA").write_text(f"Name: {package.distribution}\nVersion: {version}\n")
            monkeypatch.syspath_prepend(tmp_path)
        steps = []
        (result,) = package_states(lambda *step: steps.append(step), [package])
        assert steps == [(1, 1)]
        return result

    return look


def test_a_sound_package(state):
    result = state(PSUTIL)
    assert result
    assert (result.state, result.reason, result.remedy) == ("ok", "", "")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("print('noise'); raise ImportError('libGL.so.1: no such file')", "libGL.so.1: no such file"),
        ("import os; os.abort()", "the import ended its process with signal 6"),
        ("import sys; sys.exit('no licence')", "the import ended its process with code 1; it said: no licence"),
    ],
)
def test_a_package_that_cannot_be_imported(state, source, reason):
    result = state(PSUTIL, source)
    assert not result
    assert (result.state, result.reason) == ("broken", reason)
    assert result.remedy.startswith("pip install --force-reinstall --no-deps psutil==")
    assert result.failure() == f"psutil cannot be imported ({reason})"


@pytest.mark.parametrize(("harm", "reason"), [("os.abort()", "signal 6"), ("raise ImportError('harm')", "harm")])
def test_what_lies_behind_a_package_that_fails_is_imported_alone(tmp_path, monkeypatch, harm, reason):
    imports = tmp_path / "imports"
    said = f"import os\nprint(os.getpid(), __name__, file=open({str(imports)!r}, 'a'))\n"
    sources = {"typer": said, "jinja2": said, "cv2": f"{said}{harm}\n", "psutil": said}
    for name, source in sources.items():
        monkeypatch.setenv("PYTHONPATH", damage(tmp_path, name, source))
    chosen = [next(package for package in PACKAGES if package.name == name) for name in sources]
    steps = []
    states = package_states(lambda *step: steps.append(step), chosen)
    assert [(state.package.name, bool(state)) for state in states] == [
        *(("typer", True), ("jinja2", True), ("cv2", False), ("psutil", True))
    ]
    assert reason in states[2].reason
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    processes = [line.split() for line in imports.read_text().splitlines()]
    together = [name for number, name in processes if number == processes[0][0]]
    assert together == ["typer", "jinja2", "cv2"]
    alone = dict(processes[len(together) :])
    assert sorted(alone.values()) == ["cv2", "psutil"]


def test_an_import_that_hangs_is_ended(state, monkeypatch):
    monkeypatch.setattr(packages, "DEADLINE", 1.0)
    result = state(PSUTIL, "import time; time.sleep(60)")
    assert (result.state, result.reason) == ("broken", "the import took longer than 1 s and was ended")


def test_a_program_that_does_not_start(state, tmp_path):
    result = state(PNNX, f"EXEC_PATH = {str(tmp_path / 'none')!r}")
    assert not result
    assert "No such file" in result.reason
    (tmp_path / "pnnx/__init__.py").write_text("EXEC_PATH = '/bin/true'")
    (again,) = package_states(lambda *_: None, [PNNX])
    assert again.reason == "/bin/true ended with code 0: no output"


def test_a_version_that_is_not_required_cannot_be_used(state):
    result = state(PSUTIL, version="5.9")
    assert not result
    assert (result.state, result.failure()) == ("wrong version", "psutil 5.9 is installed, expected >=6")
    assert result.remedy.startswith("pip install ")


def test_another_version_than_the_tested_one_is_said_and_used(state):
    result = state(PSUTIL, version="99.0")
    assert (bool(result), result.state, result.version, result.remedy) == (True, "not tested", "99.0", "")


def installation(*states, python="3.11.7", fits=True):
    return Installation(python, ">=3.11", fits, states, (), Path("/cache"), 0)


def test_the_main_job_runs_without_what_is_optional():
    missing = PackageState(PSUTIL, "", ">=6", "", "missing", remedy="pip install psutil")
    assert installation(missing)
    assert not installation(PackageState(PNNX, "", ">=2", "", "missing", remedy="pip install pnnx"), missing)


def test_an_old_python_cannot_run_it():
    result = installation(python="3.9.1", fits=False)
    assert not result
    assert result.failure() == "lt-export cannot run here: Python 3.9.1 runs this, expected >=3.11"
    assert result.section().state == "bad"
