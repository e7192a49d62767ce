"""``lt-setup``: what is there and what is missing, and taking away what it built."""

import json
import os
import subprocess
import sys
import tomllib
from importlib.metadata import version

import pytest
from arm_root import built_root

from commands import ROOT, SETUP, command, environment, lt_setup, lt_verify
from conftest import damage, hide

LIBRARY = "libGL.so.1: cannot open shared object file"
MAIN = {"torch", "pnnx", "ncnn", "numpy", "PIL", "pydantic", "yaml", "jinja2", "rich", "typer", "packaging"}


def test_everything_is_listed_with_its_versions(tmp_path):
    done = lt_setup(
        "--json", XDG_CACHE_HOME=str(tmp_path), LT_ARM_ROOT="", LT_CPP_ROOT="", LT_RKNN_ROOT="", LT_VULKAN_ROOT=""
    )
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert result["ready"] is True
    assert result["python"] == {"version": sys.version.split()[0], "requirement": ">=3.11", "ok": True}
    packages = {package["name"]: package for package in result["packages"]}
    assert {name for name, package in packages.items() if package["needed"]} == MAIN
    assert {"onnx", "onnxsim", "onnxruntime", "cv2", "matplotlib", "psutil", "distributed"} == packages.keys() - MAIN
    pinned = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    for package in packages.values():
        assert package["tested"] == pinned[package["distribution"]]
        assert package["version"] == version(package["distribution"])
        assert (package["state"], package["reason"], package["remedy"]) == ("ok", "", "")
    assert packages["torch"]["requirement"] == "==2.13.*"
    arm, cpp, rknn, vulkan = result["setups"]
    assert (cpp["name"], rknn["name"]) == ("cpp", "rknn")
    assert (vulkan["name"], vulkan["bytes"]) == ("vulkan", 0)
    assert (rknn["name"], rknn["state"], rknn["remedy"]) == ("rknn", "missing", "lt-setup rknn")
    assert (arm["name"], arm["state"], arm["bytes"], arm["remedy"]) == ("arm", "missing", 0, "lt-setup arm")
    assert result["cache"] == {"folder": str(tmp_path / "lighttrack-export"), "bytes": 0}


def test_what_its_processes_print_is_read_whatever_the_terminal_takes():
    words = command("--json", module=SETUP)
    done = subprocess.run(words, env=environment(PYTHONIOENCODING="utf-16"), capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode("utf-16")
    assert json.loads(done.stdout.decode("utf-16"))["ready"] is True


def test_the_main_job_cannot_run_without_a_needed_package(tmp_path):
    done = lt_setup("--json", PYTHONPATH=hide(tmp_path, "pnnx"))
    assert done.code == 5
    result = json.loads(done.out)
    assert result["ready"] is False
    state = next(package for package in result["packages"] if package["name"] == "pnnx")
    remedy = f"pip install -c {ROOT}/constraints.txt lighttrack-export"
    assert (state["state"], state["version"], state["remedy"]) == ("missing", None, remedy)
    message = f"lt-export cannot run here: pnnx is missing: {remedy}"
    assert result["error"] == {"exit_code": 5, "message": message}
    assert done.error_line == f"lt-setup: error: {result['error']['message']}"


def test_what_is_optional_is_named_with_the_reason_and_does_not_fail(tmp_path):
    hide(tmp_path, "matplotlib")
    path = damage(tmp_path, "cv2", f"raise ImportError({LIBRARY!r})\n")
    cache = tmp_path / "cache/lighttrack-export"
    built_root(cache / "arm64")
    (cache / "arm64/system/usr/bin/python3.11").write_bytes(b"changed")
    done = lt_setup(
        PYTHONPATH=path,
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        LT_ARM_ROOT="",
        LT_CPP_ROOT="",
        LT_RKNN_ROOT="",
        LT_VULKAN_ROOT="",
    )
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    first = "ok Setup: lt-export can make and verify ncnn models here; optional: cv2, matplotlib cannot be used"
    assert lines[0] == first
    assert [line.split()[:2] for line in lines if line.startswith(("missing", "broken"))] == [
        ["broken", "cv2"],
        ["missing", "matplotlib"],
        ["broken", "arm"],
        ["missing", "cpp"],
        ["missing", "rknn"],
        *([] if any(line.startswith("vulkan: ") for line in lines) else [["missing", "vulkan"]]),
    ]
    assert f"matplotlib is missing: pip install -c {ROOT}/constraints.txt 'lighttrack-export[bench]'" in lines
    cv2 = next(line for line in lines if line.startswith("opencv"))
    assert cv2.startswith(
        f"opencv-python-headless (cv2) cannot be imported ({LIBRARY}): pip install --force-reinstall "
    )
    assert any(line.startswith("arm cannot be used (ARM root ") and line.endswith(": lt-setup arm") for line in lines)
    assert lines[-1].startswith("on disk: caches 0 MB in ")


def test_a_needed_package_that_ends_its_process_is_broken_and_the_rest_is_looked_at(tmp_path):
    path = damage(tmp_path, "ncnn", "import os\nos.abort()\n")
    done = lt_setup("-q", PYTHONPATH=path)
    assert (done.code, done.out) == (5, "")
    said = "ncnn cannot be imported (the import ended its process with signal 6"
    assert done.err.startswith(f"lt-setup: error: lt-export cannot run here: {said}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vulcan",), "vulcan: expected arm or cpp or rknn or vulkan, or nothing, for a list"),
        (("vulcan",), "did you mean 'vulkan'?"),
        (("--remove", "arms"), "arms: expected arm"),
        (("arm", "--remove", "arm"), "lt-setup arm --remove arm: pass one of the two"),
        (("--folder", "there"), "--folder there: pass the NAME of what is in it"),
    ],
)
def test_wrong_usage_is_said(words, said):
    done = lt_setup(*words, "--json")
    assert done.code == 2
    assert said in done.error_line
    assert json.loads(done.out)["error"]["exit_code"] == 2


def test_what_was_built_is_removed_damaged_or_not(tmp_path):
    root = built_root(tmp_path / "cache/arm64")
    (root / "system/usr/bin/python3.11").write_bytes(b"changed")
    left = tmp_path / "cache/.arm64.99999999.part"
    left.mkdir()
    done = lt_setup("--remove", "arm", "--folder", root, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out) == {"folder": str(root), "removed": True}
    assert list((tmp_path / "cache").iterdir()) == []
    again = lt_setup("--remove", "arm", "--folder", root)
    assert (again.code, again.out) == (0, f"nothing to remove: {root} does not exist\n")


def add_a_file(root):
    (root / "system/photo.jpg").write_bytes(b"mine")


def add_a_link(root):
    (root / "system/more").symlink_to("/")


def forget_the_record(root):
    (root / "arm-root.json").unlink()


def spoil_the_record(root):
    (root / "arm-root.json").write_text("{}")


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (add_a_file, "holds 'system/photo.jpg', which lt-setup arm did not put there; nothing was touched"),
        (add_a_link, "holds 'system/more', which lt-setup arm did not put there; nothing was touched"),
        (forget_the_record, "was not built by lt-setup arm (no arm-root.json in it); nothing was touched"),
        (spoil_the_record, "arm-root.json: "),
    ],
)
def test_what_is_not_ours_is_not_removed(tmp_path, harm, said):
    root = built_root(tmp_path / "arm64")
    harm(root)
    before = sorted(root.rglob("*"))
    done = lt_setup("--remove", "arm", "--folder", root)
    assert done.code == 2
    assert said in done.error_line
    assert sorted(root.rglob("*")) == before


def test_a_link_to_a_root_is_not_removed(tmp_path):
    root = built_root(tmp_path / "arm64")
    (tmp_path / "link").symlink_to(root)
    done = lt_setup("--remove", "arm", "--folder", tmp_path / "link")
    assert done.code == 2
    assert "expected a folder that lt-setup arm built; nothing was touched" in done.error_line
    assert (root / "arm-root.json").is_file()


def test_a_folder_with_something_else_is_not_built_into(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    done = lt_setup("arm", "--folder", tmp_path)
    assert done.code == 2
    assert f"ARM root {tmp_path} holds 'photo.jpg', which is no part of one; nothing was touched" in done.error_line
    assert os.listdir(tmp_path) == ["photo.jpg"]


def test_the_earlier_name_says_what_it_is_called_now(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    done = lt_verify("--setup-arm", "--arm-root", tmp_path)
    assert done.code == 2
    assert "lt-verify --setup-arm is called lt-setup arm now" in " ".join(done.err.split())


def test_the_commands_of_the_project_are_installed():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts["lt-setup"] == "converter.cli.start:lt_setup"
    assert "2 wrong usage" in " ".join(lt_setup("--help").out.split())
