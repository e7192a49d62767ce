"""Imports go one way, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import converter

ROOT = Path(converter.__file__).parent.parent

TORCH = {
    "converter.network.load",
    "converter.network.trace",
    "converter.network.checkpoint",
    "converter.network.safetensors",
    "converter.network.torch_file",
    "converter.network.memory",
    "converter.network.saved",
    "converter.network.supernet",
    "converter.matrix.worker",
    "converter.formats.onnx.convert",
    "converter.network.demo",
    "converter.network.reference",
    "converter.checks.half.analysis",
    "converter.checks.half.sums",
    "converter.checks.half.winograd",
    "converter.checks.layers.torch_side",
    "converter.bench.torch_side",
}
RUNTIMES = {
    # converter.checks.device.guest does so in a function that only the emulated Python calls
    "ncnn": {
        "converter.formats.ncnn.convert",
        "converter.formats.ncnn.runner",
        "converter.checks.device.guest",
        "converter.checks.vulkan.listing",
    },
    "pnnx": {"converter.formats.ncnn.convert"},
    "onnx": {
        "converter.formats.onnx.convert",
        "converter.formats.onnx.file",
        "converter.formats.onnx.half",
        "converter.formats.onnx.layers",
        "converter.formats.onnx.proof",
        "converter.formats.onnx.qdq",
        "converter.formats.onnx.quantiser",
        "converter.formats.onnx.share",
        "converter.formats.onnx.small",
        "converter.formats.rknn.build",
        "converter.formats.rknn.convert",
        "converter.formats.rknn.proof",
        "converter.formats.rknn.quantiser",
        "converter.formats.rknn.recipe",
        "converter.formats.rknn.runner",
    },
    "onnxsim": {"converter.formats.onnx.convert"},
    "onnxruntime": {"converter.formats.onnx.runner"},
    "cv2": {"converter.util.opencv"},
    "jinja2": {"converter.report.templating"},
    "matplotlib": {"converter.bench.picture", "converter.bench.plot", "converter.quantize.plot"},
}


def imported_names(source, package):
    """Everything that a source imports, wherever in it: ``from a import b`` counts as a and a.b.

    What stands under ``if TYPE_CHECKING`` is never imported.
    """
    names, tree = set(), ast.parse(source)
    tree.body = [
        node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            if called in ("import_module", "__import__"):
                names.add(node.args[0].value)
    return names


def read_modules():
    """Module name -> names it imports, of every module of the project."""
    modules = {}
    for package in ("converter", "official_patches"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            inside = name if path.name == "__init__.py" else name.rpartition(".")[0]
            modules[name] = imported_names(path.read_text(encoding="utf-8"), inside)
    return modules


MODULES = read_modules()


def importers(package):
    """Modules that import a package or anything in it."""
    return {name for name, names in MODULES.items() if any(within(imported, package) for imported in names)}


def within(name, package):
    return name == package or name.startswith(f"{package}.")


def own_imports(name):
    return {imported for imported in MODULES[name] if imported in MODULES and imported != name}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import torch.nn as nn", {"torch.nn"}),
        ("def f():\n    from package import module", {"package", "package.module"}),
        ("from . import module", {"package.inner", "package.inner.module"}),
        ("from ..other import Name", {"package.other", "package.other.Name"}),
        ("importlib.import_module('torch')", {"torch"}),
        ("x = __import__('ncnn')", {"ncnn"}),
        ("'import torch'  # import torch", set()),
    ],
)
def test_imports_are_found_in_every_form(source, expected):
    assert imported_names(source, "package.inner") == expected


def test_all_modules_are_looked_at():
    assert MODULES.keys() >= {
        "converter",
        "converter.families.family",
        "converter.formats.ncnn.runner",
        "converter.cli.export",
    }
    assert MODULES.keys() >= {
        "official_patches.checkout",
        "official_patches.lighttrack.modes",
        "official_patches.patching",
    }


def test_only_what_runs_a_network_imports_the_official_patches():
    outside = {name for name in importers("official_patches") if not within(name, "official_patches")}
    assert outside == {
        *("converter.network.load", "converter.network.reference", "converter.network.trace"),
        "converter.checks.layers.torch_side",
    }


def test_official_patches_import_nothing_of_the_converter():
    assert {name for name in importers("converter") if within(name, "official_patches")} == set()


def test_torch_is_imported_only_where_networks_are_handled():
    elsewhere = {name for name in importers("torch") if not within(name, "official_patches")}
    assert {name for name in elsewhere if not within(name, "converter.families")} <= TORCH


@pytest.mark.parametrize(("runtime", "allowed"), RUNTIMES.items())
def test_runtime_is_imported_only_in_its_own_files(runtime, allowed):
    assert importers(runtime) <= allowed


def test_ncnn_and_pnnx_are_imported_where_this_test_believes():
    assert importers("ncnn") == RUNTIMES["ncnn"]
    assert importers("pnnx") == RUNTIMES["pnnx"]


def test_nothing_imports_in_circles():
    TopologicalSorter({name: own_imports(name) for name in MODULES}).prepare()


def test_spec_and_errors_stand_on_their_own():
    assert own_imports("converter.spec.tensors") == set()
    assert own_imports("converter.errors") == set()


def modules_after(statement):
    code = f"import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = {"torch", "ncnn", "pnnx"}
LIGHT = (
    "converter.api",
    "converter.families.family",
    "converter.families.lighttrack.path_name",
    "converter.spec.network",
    "converter.folder.workspace",
    "converter.exporting.pipeline",
    "converter.checks.dumps.diagnose",
    "converter.checks.half.report",
    "converter.checks.half.masks",
    "converter.checks.layers.walk",
    "converter.bench.run",
    "converter.track.run",
    "converter.track.api",
    "converter.bench.plot",
    "converter.bench.section",
    "converter.bench.timed",
    "converter.checks.device.run",
    "converter.checks.arm.setup",
    "converter.checks.device.guest",
)


@pytest.fixture(scope="module")
def after_all_light_ones():
    """What is imported by all of them in one process."""
    return modules_after(f"import {', '.join(LIGHT)}")


@pytest.mark.parametrize("name", LIGHT)
def test_light_module_does_not_import_torch(after_all_light_ones, name):
    modules = modules_after(f"import {name}") if after_all_light_ones & HEAVY else after_all_light_ones
    assert name in modules
    assert modules & HEAVY == set()


@pytest.mark.parametrize(
    "name", ["converter.cli.export", "converter.cli.bench", "converter.cli.track", "converter.cli.setup"]
)
def test_command_line_imports_nothing_heavy(name):
    modules = modules_after(f"import {name}")
    assert name in modules
    assert modules & {"torch", "ncnn", "pnnx", "numpy", "pydantic", "yaml", "PIL"} == set()


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("converter.cli.export", "--path-name"),
        ("converter.cli.bench", "--rounds"),
        ("converter.cli.track", "--groundtruth"),
    ],
)
def test_help_imports_nothing_heavy(name, option):
    command = [sys.executable, "-X", "importtime", "-m", name, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert option in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "typer" in imported
    assert imported & {"torch", "ncnn", "pnnx", "numpy", "pydantic"} == set()
