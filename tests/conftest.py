"""What several tests need: checkpoints, exports and marks."""

import fcntl
import json
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pnnx
import pytest

from commands import ROOT, lt_export

pytest_plugins = ("folders",)
TESTS = Path(__file__).parent
REAL = ("cli", "runtime", "trained")
DEVICES = ("runtime", "trained")
SET_UP = {"emulated_arm": "arm", "llvmpipe": "vulkan", "rknn_toolkit": "rknn"}  # fixture to a test's mark
TRAINED = {"shared", "official", "official_stark", "official_nanotrack"}  # fixtures whose folders may be missing

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of this process: several threads are slow beside what the tests start

LOUD = 6e4
MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
# the least that a path name can ask for: stride 8, output of a first block, one layer per tower
TINY = "back_00000000000000000000+cls_002222222+reg_012222222_ops_10"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks follow from where a test lies and from what it asks for, so that no file can forget them."""
    for item in items:
        folder, asked = item.path.relative_to(TESTS).parts[0], set(item.fixturenames)
        if TRAINED & asked and folder != "trained":
            raise pytest.UsageError(f"{item.nodeid} needs {', '.join(TRAINED & asked)}: it belongs in tests/trained")
        if folder in REAL:
            item.add_marker("real")
        for fixture, mark in SET_UP.items():
            if fixture in asked:
                if folder not in DEVICES:
                    raise pytest.UsageError(f"{item.nodeid} needs {fixture}: make test-{mark} looks in {DEVICES}")
                item.add_marker(mark)
        if "ncnn_cpp" in asked:
            item.add_marker("cpp")


def hide(folder: Path, package: str) -> str:
    """A folder for PYTHONPATH behind which a package cannot be found."""
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {package!r}:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
    )
    return str(folder)


def damage(folder: Path, package: str, source: str) -> str:
    """A folder for PYTHONPATH in which a package lies that runs this instead of its own code."""
    (folder / package).mkdir()
    (folder / package / "__init__.py").write_text(source)
    return str(folder)


def contents(folder: Path) -> dict[str, bytes]:
    """Name to bytes of everything in a folder."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def save_seeded(path: Path, path_name: str, **sizes: int) -> Path:
    import torch

    from converter.network.demo import seeded_state

    torch.save({"epoch": 7, "arch": "LightTrackM_Subnet", "state_dict": seeded_state(path_name, **sizes)}, path)
    return path


@pytest.fixture(scope="session")
def kept(tmp_path_factory) -> Path:
    """A folder that all processes of this test run share."""
    folder = tmp_path_factory.getbasetemp()
    kept = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "kept"
    kept.mkdir(exist_ok=True)
    return kept


@pytest.fixture(scope="session")
def once(kept) -> Callable[[str, Callable[[Path], object]], Path]:
    """(name, what makes a file or folder) -> its path: the process that asks first makes it, the others wait for it."""

    def made_once(name: str, make: Callable[[Path], object]) -> Path:
        path, made = kept / name, kept / f".{name}.made"
        with (kept / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                make(path)
                made.touch()
        return path

    return made_once


@pytest.fixture(scope="module", autouse=True)
def traces_are_forgotten():
    """torch keeps the classes of every module that it has traced, 50 MB an export, for as long as a process lives."""
    yield
    if torch := sys.modules.get("torch"):
        torch.jit._recursive.concrete_type_store = torch.jit._recursive.ConcreteTypeStore()
        torch.jit._state._clear_class_state()
        torch._C._jit_clear_class_registry()


@pytest.fixture(scope="session", autouse=True)
def conversions_are_kept(kept, tmp_path_factory):
    """What pnnx makes of a graph is made once for all tests that convert it; see ``pnnx_once.py``."""
    (kept / "pnnx").mkdir(exist_ok=True)
    script = tmp_path_factory.getbasetemp() / "pnnx_once"
    words = (sys.executable, "-I", "-S", str(ROOT / "tests/support/pnnx_once.py"), pnnx.EXEC_PATH, str(kept / "pnnx"))
    script.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
    script.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        binary = pnnx.EXEC_PATH
        patch.setattr(pnnx, "EXEC_PATH", str(script))
        yield binary


@pytest.fixture
def pnnx_runs(conversions_are_kept, monkeypatch):
    """Every conversion of the test is one of its own, for tests of what differs from run to run."""
    monkeypatch.setattr(pnnx, "EXEC_PATH", conversions_are_kept)


@pytest.fixture(scope="session")
def seeded(once) -> Path:
    """A LightTrack-Mobile checkpoint with seeded weights."""
    return once("mobile.pth", lambda path: save_seeded(path, MOBILE))


@pytest.fixture(scope="session")
def tiny(once) -> Path:
    """A checkpoint of the smallest network, for tests that run many exports."""
    return once("tiny.pth", lambda path: save_seeded(path, TINY))


@pytest.fixture(scope="session")
def loud(once, tiny) -> Path:
    """The same network with sums that pass 65504: one layer of a tower is larger, the next one smaller by as much."""
    import torch

    def make(path: Path) -> None:
        checkpoint = torch.load(tiny, weights_only=True)
        state = checkpoint["state_dict"]
        for key in ("head.cls_tower.0.BN.weight", "head.cls_tower.0.BN.bias"):
            state[key] *= LOUD
        state["head.cls_perd.cls_pred.weight"] /= LOUD
        torch.save(checkpoint, path)

    return once("loud.pth", make)


@pytest.fixture(scope="session")
def loud_picture(tmp_path_factory) -> Path:
    """Blocks, nearly all white: the smallest network answers them with larger values than any other input."""
    import numpy as np
    from PIL import Image

    blocks = np.clip(np.random.default_rng(0).integers(0, 256, (15, 15, 3)) * 2.5 + 225, 0, 255).astype(np.uint8)
    pixels = np.kron(blocks, np.ones((8, 8, 1), np.uint8))
    path = tmp_path_factory.mktemp("pictures") / "loud.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="session")
def stark_weights(once) -> dict[str, Path]:
    """Corner head -> checkpoint of a STARK-Lightning with it, for small crops."""
    import stark

    return {
        head: once(f"{head}.pth.tar", lambda path, head=head: stark.save(path, head, **stark.SMALL))
        for head in stark.HEADS
    }


@pytest.fixture(scope="session")
def nanotrack_weights(once) -> dict[str, Path]:
    """Version -> checkpoint of a NanoTrack with seeded weights, neck and all."""
    import nanotracks

    return {
        version: once(f"{version}.pth", lambda path, version=version: nanotracks.save(path, version))
        for version in nanotracks.VERSIONS
    }


def export_into(folder: Path, *words: object) -> None:
    """An export in a folder, and beside the folder, as .json, what the command printed."""
    done = lt_export(*words, "--output", folder, "--json")
    assert done.code == 0, done.err
    folder.with_suffix(".json").write_text(done.out)


@pytest.fixture(scope="session")
def exported(seeded, once) -> tuple[Path, dict]:
    """An export of the seeded checkpoint and the manifest that the command printed; not to be changed."""
    folder = once("mobile", lambda folder: export_into(folder, "--resume", seeded))
    return folder, json.loads(folder.with_suffix(".json").read_text())


@pytest.fixture(scope="session")
def tiny_export(tiny, once) -> Path:
    """An export of the smallest network; copy it before changing it."""
    return once("tiny", lambda folder: export_into(folder, "--resume", tiny, "--path-name", TINY))


@pytest.fixture(scope="session")
def tiny_both(tiny, once) -> Path:
    """An export of the smallest network in both formats; copy it before changing it."""
    formats = ("--format", "ncnn", "--format", "onnx")
    return once("both", lambda folder: export_into(folder, "--resume", tiny, "--path-name", TINY, *formats))
