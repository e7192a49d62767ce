"""An ARM root is found and looked at before it is used; what is wrong with it is said, and what to do."""

import os
from pathlib import Path

import pytest
from arm_root import ELF, built_root, hand_made, program

from converter.checks.arm.root import arm_root, default_folder
from converter.errors import DependencyError


@pytest.fixture
def built(tmp_path):
    return built_root(tmp_path / "arm64")


def test_sound_root_is_used_as_it_was_built(built):
    root = arm_root(built)
    assert root.record.wheels == {"ncnn": "1", "numpy": "2"}
    assert root.python == built / "system/usr/bin/python3.11"
    assert root.command(Path("/a/guest.py"), "1") == [
        *(str(built / "qemu-aarch64-static"), "-L", str(built / "system")),
        *(str(built / "system/usr/bin/python3.11"), "-s", "/a/guest.py", "1"),
    ]
    environment = root.environment("cortex-a76")
    assert environment["PYTHONPATH"] == str(built / "python")
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_relative_folder_becomes_absolute(built, monkeypatch):
    monkeypatch.chdir(built.parent)
    assert arm_root(Path("arm64")).folder == built


def change(path):
    path.write_bytes(path.read_bytes()[:-1] + b"!")


def shorten(path):
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("name", "harm", "said"),
    [
        ("python/numpy/__init__.py", change, r"numpy/__init__\.py has changed"),
        ("python/numpy/__init__.py", shorten, r"numpy/__init__\.py has changed"),
        ("python/numpy/__init__.py", Path.unlink, r"numpy/__init__\.py: No such file"),
        ("system/usr/bin/python3.11", change, r"python3\.11 has changed"),
        ("system/usr/bin/python3.11", Path.unlink, r"python3\.11: No such file"),
        ("qemu-aarch64-static", Path.unlink, r"no program .*qemu-aarch64-static"),
        ("qemu-aarch64-static", lambda path: path.chmod(0o644), r"no program .*qemu-aarch64-static"),
        ("system/lib/libc.so", Path.unlink, r"libc\.so is no link to libc\.so\.6 any more"),
        ("system/lib/libc.so", lambda path: (path.unlink(), path.symlink_to("other")), r"libc\.so is no link to libc"),
        ("arm-root.json", shorten, r"arm-root\.json: "),
        ("arm-root.json", lambda path: path.write_text("[]"), r"arm-root\.json: "),
        (
            "arm-root.json",
            lambda path: path.write_text(path.read_text().replace('"kind"', '"sort"')),
            r"arm-root\.json: sort ",
        ),
        (
            "arm-root.json",
            lambda path: path.write_text(path.read_text().replace('"schema_version":1', '"schema_version":2')),
            r"arm-root\.json: schema_version ",
        ),
    ],
)
def test_damage_is_named_with_what_to_do(built, name, harm, said):
    harm(built / name)
    with pytest.raises(DependencyError, match=rf"^ARM root .* is damaged: .*{said}.*; lt-setup arm .* rebuilds it$"):
        arm_root(built)


def test_half_built_root_is_recognised(built):
    (built / "arm-root.json").unlink()
    with pytest.raises(DependencyError, match=r"is half-built: no arm-root\.json in it; lt-setup arm"):
        arm_root(built)


def test_only_python_packages_are_half_a_root(tmp_path):
    (tmp_path / "python").mkdir()
    with pytest.raises(DependencyError, match="is half-built"):
        arm_root(tmp_path)


def test_root_of_another_machine_is_refused(built):
    python = built / "system/usr/bin/python3.11"
    data = bytearray(python.read_bytes())
    data[18] = 62  # x86-64
    python.write_bytes(data)
    with pytest.raises(DependencyError, match=r"python3\.11 in it is no aarch64 program"):
        arm_root(built)


def test_missing_root_says_how_to_build_it(tmp_path, monkeypatch):
    with pytest.raises(DependencyError, match=r"no such folder; lt-setup arm .*none builds it$"):
        arm_root(tmp_path / "none")
    monkeypatch.setenv("LT_ARM_ROOT", str(tmp_path / "none"))
    with pytest.raises(DependencyError, match=r"no such folder; lt-setup arm builds it$"):
        arm_root(default_folder())


def test_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(DependencyError, match=r"no arm-root\.json and no usr/bin/python3\.N in it"):
        arm_root(tmp_path)


def test_root_built_by_hand_is_used_with_its_newest_python(tmp_path):
    folder = hand_made(tmp_path / "hand", "#!/bin/sh\n")
    for name in ("python3", "python3.9", "python3.12", "python3.12-config"):
        (folder / "usr/bin" / name).write_bytes(ELF)
    root = arm_root(folder)
    assert root.record is None
    assert root.python.name == "python3.12"
    assert root.system == folder
    assert root.qemu == folder / "qemu-aarch64-static"


def test_root_built_by_hand_takes_qemu_from_the_path(tmp_path, monkeypatch):
    folder = hand_made(tmp_path / "hand")
    bin = tmp_path / "bin"
    bin.mkdir()
    monkeypatch.setenv("PATH", str(bin))
    with pytest.raises(DependencyError, match=r"no qemu-aarch64-static in it or on the PATH$"):
        arm_root(folder)
    program(bin / "qemu-aarch64", "#!/bin/sh\n")
    assert arm_root(folder).qemu == bin / "qemu-aarch64"
    program(bin / "qemu-aarch64-static", "#!/bin/sh\n")
    assert arm_root(folder).qemu == bin / "qemu-aarch64-static"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LT_ARM_ROOT": "/opt/arm", "XDG_CACHE_HOME": "/cache", "HOME": "/home/a"}, "/opt/arm"),
        ({"XDG_CACHE_HOME": "/cache", "HOME": "/home/a"}, "/cache/lighttrack-export/arm64"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/a"}, "/home/a/.cache/lighttrack-export/arm64"),
        ({"HOME": "/home/a"}, "/home/a/.cache/lighttrack-export/arm64"),
    ],
)
def test_default_folder(monkeypatch, environment, expected):
    for name in ("LT_ARM_ROOT", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert default_folder() == Path(expected)
    assert os.path.isabs(default_folder())
