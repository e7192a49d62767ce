"""The toolkit as something to set up: a virtual environment of its own, fetched into a folder and tried there.

It is the user's own command that fetches it: rknn-toolkit2 is Rockchip's, under a licence of its own, and no part of
this project. Its declared requirements (torch 2.4 with CUDA, 5.6 GB) are left out; what is installed in their place was
found to answer the same.
"""

import json
import logging
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from converter.errors import ConversionError, DependencyError
from converter.formats.rknn.process import Toolkit
from converter.formats.rknn.root import ENVIRONMENT, RECORD, ROOT, RknnRecord, RknnRoot, default_folder, rknn_root
from converter.util.commands import attempt, reason
from converter.util.process import program
from converter.util.setups import Setup, Tool
from converter.util.stages import Stages
from converter.util.unpacked import contents

log = logging.getLogger(__name__)

PYTHON = (3, 11)
TORCH = "torch==2.13.0"  # brings what it needs itself; which that is, depends on the build that pip finds
PINNED = (
    "rknn-toolkit2==2.5.0",
    "numpy==1.26.4",
    "onnx==1.18.0",
    "protobuf==4.25.4",
    "onnxruntime==1.26.0",
    "opencv-python-headless==4.11.0.86",
    "scipy==1.17.1",
    "psutil==7.2.2",
    "ruamel.yaml==0.19.1",
    "tqdm==4.70.1",
    "fast-histogram==0.14",
    "setuptools==80.9.0",  # 81 has no pkg_resources
    "flatbuffers==25.12.19",
    "packaging==26.4",
)
SIZE = "some 450 MB, with torch's build for the CPU; 1.5 GB on the disk"
HOW = "python3.11 is in Debian 12's packages (apt-get install python3.11-venv), and pyenv or conda build it elsewhere"
ABOUT = (
    "import json, platform, sys; "
    "print(json.dumps([list(sys.version_info[:2]), platform.machine(), platform.python_version()]))"
)


def setup_rknn(folder: Path, stages: Stages) -> tuple[RknnRoot, bool]:
    """Build a root, unless a sound one of the same versions is there.

    Args:
        folder: where; absent, empty, or an earlier root, which is replaced when the new one is finished.
        stages: told of each step.

    Returns:
        the root, and whether it was built now.

    Raises:
        UsageError: for a folder that holds something else.
        DependencyError: naming what is missing.
    """
    folder = Path(os.path.abspath(folder))
    try:
        root = sound(folder)
    except DependencyError as error:
        why = str(error)
    else:
        there = root.record.versions if root.record else {}
        other = [f"{name} {there.get(name)}" for name, version in wanted().items() if there.get(name) != version]
        if not other:
            return root, False
        why = f"RKNN root {folder} has {', '.join(other)}, wanted are {', '.join((TORCH, *PINNED))}"
    ROOT.build(folder, lambda part: _build(part, stages), why)
    return rknn_root(folder), True


def sound(folder: Path) -> RknnRoot:
    """A root all of whose files are as they were installed.

    Raises:
        DependencyError: when it is missing, half-built or damaged, with what to do.
    """
    root = rknn_root(folder)
    problem = next(root.record.problems(root.folder), None) if root.record else None
    if problem:
        raise ROOT.damaged(folder, problem)
    return root


def wanted() -> dict[str, str]:
    """Distribution to version, torch without the name of its build."""
    return dict(each.split("==") for each in (TORCH, *PINNED))


def _build(part: Path, stages: Stages) -> None:
    with stages("python") as notes:
        python, version = find_python()
        code, out, err = attempt([python, "-I", "-m", "venv", str(part / ENVIRONMENT)], "a virtual environment")
        if code:
            raise DependencyError(f"{python} makes no virtual environment: {reason(out + err)}; {HOW}")
        notes.append(f"{python}, {version}")
    with stages("packages") as notes:
        total = len(PINNED) + 1
        log.info("fetching rknn-toolkit2 and what it needs: %s", SIZE)
        stages.progress.step(0, total)
        _install(part, [TORCH])
        for index, package in enumerate(PINNED, start=1):
            stages.progress.step(index, total)
            _install(part, ["--no-deps", package])
        notes.append(f"{total} of {total}, {SIZE}")
    with stages("try") as notes:
        root = RknnRoot(part)
        _compile(root)
        versions = _tried(root)
        notes.append(", ".join(f"{name} {number}" for name, number in versions.items()))
    files, links = contents(part)
    record = RknnRecord(packages=[TORCH, *PINNED], files=files, links=links, python=version, versions=wanted())
    (part / RECORD).write_text(record.model_dump_json(indent=1) + "\n")


def find_python() -> tuple[str, str]:
    """A Python 3.11 that runs here, and its version.

    Raises:
        DependencyError: with the way to get one, or that the toolkit has no wheel for this machine.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        raise DependencyError(
            f"lt-setup rknn: this is {platform.system()} on {platform.machine()}, and rknn-toolkit2 is set up on Linux "
            "on x86_64; export there"
        )
    for candidate in _pythons():
        code, out, _ = attempt([candidate, "-I", "-c", ABOUT], candidate)
        try:
            numbers, _, version = json.loads(out) if code == 0 else ((), "", "")
        except ValueError:
            continue
        if tuple(numbers) == PYTHON:
            return candidate, version
    raise DependencyError(f"lt-setup rknn: rknn-toolkit2 wants Python 3.11, and no python3.11 runs here: {HOW}")


def _pythons() -> Iterator[str]:
    """Programs that may be one; this Python first, if it is."""
    if sys.version_info[:2] == PYTHON:
        yield getattr(sys, "_base_executable", None) or sys.executable
    for name in ("python3.11", "python3", "python"):
        if found := program(name):
            yield found


def _install(part: Path, words: list[str]) -> None:
    command = [str(RknnRoot(part).python), "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    code, out, err = attempt([*command, "--only-binary=:all:", "--no-compile", *words], words[-1])
    if code:
        raise DependencyError(f"{words[-1]}: {reason(out + err) or f'pip ended with code {code}'}")


def _compile(root: RknnRoot) -> None:
    """Modules are compiled once, so that no later run writes here."""
    attempt([str(root.python), "-I", "-m", "compileall", "-q", str(root.folder / ENVIRONMENT / "lib")], "compiling")


def _tried(root: RknnRoot) -> dict[str, str]:
    """What the new environment says of itself."""
    toolkit = Toolkit(root, "rknn-toolkit2")
    try:
        answer, _ = toolkit.call("hello")
    except ConversionError as error:
        cuda = "; torch's build for the CPU is enough: set PIP_EXTRA_INDEX_URL to the index that has it"
        advice = cuda if any(word in str(error) for word in ("libcu", "CUDA", "libnv")) else ""
        raise DependencyError(f"what was installed does not run: {error}{advice}") from None
    finally:
        toolkit.stop()
    return dict(answer["versions"])


def _tool(root: RknnRoot) -> Tool:
    record = root.record
    assert record is not None
    summary = f"rknn-toolkit2 {root.toolkit}, Python {record.python}"
    return Tool(root.folder, summary, {"python": record.python, "versions": dict(record.versions)})


def _build_tool(folder: Path, stages: Stages) -> tuple[Tool, bool]:
    root, built = setup_rknn(folder, stages)
    return _tool(root), built


SETUP = Setup(
    name="rknn",
    purpose="builds and simulates RKNN models",
    folder=default_folder,
    look=lambda folder: _tool(sound(folder)),
    build=_build_tool,
    remove=ROOT.remove,
)
