"""A family and a format are files of their own: a copy of the tree with those of a toy added serves both."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from commands import ROOT, SUPPORT, Finished

ADDED = ROOT / "tests/support/toy"
BOX = "60,50,24,20"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The packages and configs as they are, and the toy's files beside them."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("converter", "official_patches", "configs"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    for path in (path for path in ADDED.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        place = copy / path.relative_to(ADDED)
        assert not place.exists(), f"{place} is there already: the toy has to add files only"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    return copy


# calls in one process, which imports torch once: a line of JSON each, and one for the answer
CALLS = """
import json, os, sys
from dataclasses import asdict
from commands import lt, surroundings

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a runtime prints cannot get between the answers
for line in sys.stdin:
    module, variables, *words = json.loads(line)
    with surroundings(None, variables):
        print(json.dumps(asdict(lt(module, *words))), file=answers, flush=True)
"""


@pytest.fixture(scope="module")
def command(tree):
    """(name, words, variables of the environment) -> how that command of the tree ended."""
    path = os.pathsep.join(map(str, (tree, SUPPORT)))
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", CALLS],
        env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def command(name, *words, **variables):
        print(json.dumps([f"converter.cli.{name}", variables, *map(str, words)]), file=process.stdin, flush=True)
        return Finished(**json.loads(process.stdout.readline()))

    yield command
    process.stdin.close()
    process.stdout.close()
    assert process.wait(60) == 0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Seeded weights of the toy network."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"features": (8, 3, 3, 3), "cls": (1, 8, 1, 1), "reg": (4, 8, 1, 1)}
    state = {}
    for name, shape in shapes.items():
        state[f"{name}.weight"] = torch.randn(shape, generator=generator)
        state[f"{name}.bias"] = torch.randn(shape[:1], generator=generator)
    path = tmp_path_factory.mktemp("toy") / "toy.pth"
    torch.save({"state_dict": state}, path)
    return path


@pytest.fixture(scope="module")
def exported(command, checkpoint):
    """An export of the toy in all three formats: the folder, and what was printed."""
    folder = checkpoint.parent / "export"
    formats = [word for name in ("ncnn", "onnx", "onnxref") for word in ("--format", name)]
    done = command("export", "--arch", "ToyNet", "--resume", checkpoint, "--output", folder, *formats)
    assert done.code == 0, done.err
    return folder, done.out


def test_the_toy_is_exported_in_every_format(exported):
    folder, printed = exported
    assert "verified" in printed
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["verification"]["status"] == "passed"
    assert {check["format"] for check in manifest["verification"]["checks"]} == {"ncnn", "onnx", "onnxref"}
    assert {graph["files"][0]["name"] for graph in manifest["graphs"]} == {
        *("toy_init.param", "toy_update.param"),
        *("toy_init.onnx", "toy_backbone.onnx", "toy_neck_head.onnx"),
        *("toy_init.onnxref", "toy_backbone.onnxref", "toy_neck_head.onnxref"),
    }
    assert manifest["formats"]["onnxref"] == {"split": "three", "dynamic_search": False, "models": 3}


def test_the_toy_is_verified_tracked_and_measured(command, exported, checkpoint, tmp_path):
    folder, _ = exported
    generator = np.random.default_rng(0)
    for index in range(3):
        pixels = generator.integers(0, 256, (120, 160, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    page = folder.parent / "page.html"
    clip = ("--clip", tmp_path, "--box", BOX)
    verified = command("verify", folder, "--resume", checkpoint, *clip, "--report", page, "--json")
    assert verified.code == 0, verified.err
    verdict = json.loads(verified.out)
    assert verdict["verification"]["status"] == "passed"
    assert "onnxref" in page.read_text()
    measured = command("bench", folder, "--resume", checkpoint, "--rounds", 1, "--runs", 1, "--threads", 1, "--json")
    assert measured.code == 0, measured.err
    assert {"torch", "ncnn", "onnxruntime", "onnx"} == {
        entry["runtime"] for entry in json.loads(measured.out)["results"]
    }


def test_lt_track_knows_the_toy_and_its_format(command, exported, tmp_path):
    folder, _ = exported
    generator = np.random.default_rng(0)
    for index in range(3):
        pixels = generator.integers(0, 256, (120, 160, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    for format in ("ncnn", "onnxref"):
        done = command("track", folder, tmp_path, "--box", BOX, "--format", format, "--json")
        assert done.code == 0, done.err
        answer = json.loads(done.out)
        assert (answer["export"]["format"], len(answer["frames"])) == (format, 3)


def test_models_of_the_toy_format_are_verified_without_a_manifest(command, exported, checkpoint):
    folder, _ = exported
    files = {"init": "toy_init", "backbone": "toy_backbone", "neck-head": "toy_neck_head"}
    words = [word for graph, stem in files.items() for word in (f"--{graph}", folder / f"{stem}.onnxref")]
    done = command("verify", "--arch", "ToyNet", "--resume", checkpoint, *words)
    assert done.code == 0, done.err


def test_a_wrong_model_of_the_toy_format_is_caught(command, exported, checkpoint, tmp_path):
    folder, _ = exported
    wrong = shutil.copytree(folder, tmp_path / "wrong")
    path = wrong / "toy_neck_head.onnxref"
    weight = torch.load(checkpoint)["state_dict"]["cls.weight"].numpy().tobytes()
    data = path.read_bytes()
    assert data.count(weight) == 1
    path.write_bytes(data.replace(weight, (np.frombuffer(weight, np.float32) * 1.1).astype(np.float32).tobytes()))
    done = command("verify", wrong, "--resume", checkpoint)
    assert done.code == 1
    assert "onnxref neck_head" in done.err


def test_layers_that_nobody_can_read_are_refused_before_anything_is_run(command, exported, checkpoint):
    folder, _ = exported
    done = command("verify", folder, "--resume", checkpoint, "--layers")
    assert done.code == 2
    assert "layers of format 'onnxref' cannot be read, known are ncnn, onnx and rknn" in " ".join(done.err.split())


def test_the_toys_own_options_are_refused_as_everybodys(command, checkpoint):
    done = command("export", "--arch", "ToyNet", "--resume", checkpoint, "--format", "onnxref", "--rename", "cls=a.b")
    assert done.code == 2
    assert "is no name for cls in onnxref, expected letters, digits and underscores" in done.err
    done = command("export", "--arch", "ToyNet", "--resume", checkpoint, "--format", "tflite")
    assert done.code == 2
    assert "--format tflite: expected one of ncnn, onnx, onnxref, rknn" in " ".join(done.err.split())


def test_the_tree_with_the_toy_keeps_the_import_rule(tree):
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=tree, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_something_to_set_up_is_found_by_its_file(command, tmp_path):
    folder, cache = tmp_path / "lighttrack-export/toy", {"XDG_CACHE_HOME": str(tmp_path)}
    wrong = command("setup", "train", **cache)
    assert wrong.code == 2
    assert "train: expected arm or cpp or rknn or toy or vulkan, or nothing" in wrong.err
    built = command("setup", "toy", "--json", **cache)
    assert built.code == 0, built.err
    assert json.loads(built.out) == {"folder": str(folder), "built": True, "pieces": 1}
    assert (folder / "toy").read_bytes() == b"toy"
    listed = json.loads(command("setup", "--json", **cache).out)
    toy = next(setup for setup in listed["setups"] if setup["name"] == "toy")
    assert (toy["state"], toy["summary"], toy["folder"], toy["pieces"]) == ("ok", "a toy", str(folder), 1)
    assert command("setup", "--remove", "toy", **cache).out == f"removed {folder}\n"
    assert not folder.exists()
