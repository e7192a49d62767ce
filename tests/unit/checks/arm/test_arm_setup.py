"""Building an ARM root: what apt and pip are told, what of their answers is understood, and what is said on failure."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from arm_root import ELF, hand_made, program

from converter.checks.apt.packages import candidates
from converter.checks.apt.sources import derived_sources
from converter.checks.arm import setup
from converter.checks.arm.root import ROOT
from converter.checks.arm.setup import _glibc, setup_arm
from converter.checks.arm.wheels import install_wheels, platforms, wheel_versions
from converter.errors import DependencyError, UsageError
from converter.util import commands, packages
from converter.util.commands import reason, run
from converter.util.stages import Stages

POLICY = """libc6:
  Installed: (none)
  Candidate: 2.36-9+deb12u14
  Version table:
     2.36-9+deb12u14 500
        500 http://deb.example/debian bookworm/main arm64 Packages
qemu-user-static:amd64:
  Installed: (none)
  Candidate: 1:7.2+dfsg-7
python3.11-minimal:
  Installed: (none)
  Candidate: (none)
N: Unable to locate package python3.12-minimal
"""


def sources(tmp_path, name, text, host="amd64"):
    path = tmp_path / name
    path.write_text(text)
    return "".join(derived_sources([path], host, "arm64").values())


def test_one_line_sources_are_asked_for_both_architectures(tmp_path):
    text = (
        "# deb http://a/debian old main\n"
        "deb http://deb.example/debian bookworm main contrib # comment\n"
        "deb [arch=amd64 signed-by=/usr/share/k.gpg] https://deb.example/x stable main\n"
        "deb-src http://deb.example/debian bookworm main\n"
    )
    assert sources(tmp_path, "a.list", text).splitlines() == [
        "deb [arch=amd64,arm64] http://deb.example/debian bookworm main contrib",
        "deb [arch=amd64,arm64 signed-by=/usr/share/k.gpg] https://deb.example/x stable main",
    ]


def test_stanzas_are_asked_for_both_architectures(tmp_path):
    text = (
        "Types: deb deb-src\n# a comment\nURIs: http://deb.example/debian\nSuites: bookworm bookworm-updates\n"
        "Components: main\nArchitectures: amd64\nSigned-By:\n -----BEGIN\n .\n abc\n\n\n"
        "Types: deb-src\nURIs: http://deb.example/src\nSuites: a\n\n"
        "Enabled: no\nTypes: deb\nURIs: http://deb.example/off\nSuites: a\n"
    )
    assert sources(tmp_path, "a.sources", text).splitlines() == [
        *("Types: deb", "Suites: bookworm bookworm-updates", "Components: main"),
        *("Signed-By: ", " -----BEGIN", " .", " abc"),
        *("Uris: http://deb.example/debian", "Architectures: amd64 arm64"),
    ]


@pytest.mark.parametrize("server", ["archive.ubuntu.com", "de.archive.ubuntu.com", "security.ubuntu.com"])
def test_ubuntu_has_arm64_elsewhere(tmp_path, server):
    assert sources(tmp_path, "a.list", f"deb http://{server}/ubuntu/ noble main\n").splitlines() == [
        f"deb [arch=amd64] http://{server}/ubuntu/ noble main",
        "deb [arch=arm64] http://ports.ubuntu.com/ubuntu-ports/ noble main",
    ]
    stanza = f"Types: deb\nURIs: http://{server}/ubuntu\nSuites: noble\nComponents: main\n"
    found = sources(tmp_path, "a.sources", stanza)
    assert found.count("Types: deb") == 2
    assert "Uris: http://ports.ubuntu.com/ubuntu-ports\nArchitectures: arm64" in found.replace(
        "Suites: noble\nComponents: main\n", ""
    )


def test_arm_machine_asks_for_itself_alone(tmp_path):
    text = "deb http://ports.ubuntu.com/ubuntu-ports noble main\n"
    assert (
        sources(tmp_path, "a.list", text, "arm64")
        == "deb [arch=arm64] http://ports.ubuntu.com/ubuntu-ports noble main\n"
    )


def test_other_files_and_unreadable_ones_are_left_out(tmp_path):
    (tmp_path / "a.list.save").write_text("deb http://a b c\n")
    (tmp_path / "empty.list").write_text("# nothing\n")
    files = [tmp_path / "a.list.save", tmp_path / "empty.list", tmp_path / "none.list"]
    assert derived_sources(files, "amd64", "arm64") == {}


def test_candidates_are_read_from_the_policy():
    names = ["libc6:arm64", "python3.11-minimal:arm64", "python3.12-minimal:arm64", "qemu-user-static:amd64"]
    assert candidates(POLICY, names, "arm64") == ["libc6:arm64", "qemu-user-static:amd64"]
    assert candidates("", names, "arm64") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Reading package lists...\nE: Unable to locate package libc6\n", "Unable to locate package libc6"),
        (
            "Err:1 http://deb.example\n  Temporary failure resolving 'deb.example'\nE: Failed to fetch x\n",
            "no network: Temporary failure resolving 'deb.example'",
        ),
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'\n"
            "ERROR: No matching distribution found for ncnn\n",
            "no network: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(...)'",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement ncnn==9\n"
            "ERROR: No matching distribution found for ncnn==9\n",
            "No matching distribution found for ncnn==9",
        ),
        (
            "dpkg-deb: error: paste subprocess was killed\ntar: ./x: Cannot write: No space left on device\n",
            "No space left on device; free some space or choose another folder",
        ),
    ],
)
def test_the_line_that_says_why_is_found(text, expected):
    assert reason(text) == expected


def test_commands_that_are_missing_fail_or_hang_are_named(monkeypatch):
    with pytest.raises(DependencyError, match=r"^packages: no-such-command is not installed here$"):
        run(["no-such-command"], "packages")
    with pytest.raises(DependencyError, match=r"^packages: oh dear$"):
        run([sys.executable, "-c", "import sys; sys.exit('oh dear')"], "packages")
    assert run([sys.executable, "-c", "import os; print(os.environ['LC_ALL'])"], "packages") == "C\n"
    monkeypatch.setattr(commands, "TIMEOUT", 0.5)
    with pytest.raises(DependencyError, match=r"took longer than 0\.5 s and was ended"):
        run([sys.executable, "-c", "import time; time.sleep(30)"], "packages")


def test_wheels_are_of_the_pinned_versions(monkeypatch, tmp_path):
    pinned = dict(line.split("==") for line in Path("constraints.txt").read_text().split() if "==" in line)
    assert wheel_versions() == {name: pinned[name] for name in ("ncnn", "numpy")}
    monkeypatch.setattr(packages.converter, "__file__", str(tmp_path / "site-packages/converter/__init__.py"))
    import numpy

    assert wheel_versions()["numpy"] == numpy.__version__


def test_a_wheel_may_need_any_library_up_to_that_of_the_packages():
    assert platforms(28)[:2] == ["manylinux2014_aarch64", "manylinux_2_17_aarch64"]
    assert platforms(28)[-1] == "manylinux_2_28_aarch64"


@pytest.mark.parametrize(
    ("name", "minor"), [("libc6_2.36-9+deb12u14_arm64.deb", 36), ("libc6_2.39.1-0ubuntu8_arm64.deb", 39)]
)
def test_version_of_the_c_library(name, minor):
    assert _glibc([Path("libgcc-s1_12.2.0_arm64.deb"), Path(name)]) == minor


def test_pip_that_is_missing_is_named(monkeypatch, tmp_path):
    program(tmp_path / "python", "#!/bin/sh\necho '/bin/python: No module named pip' >&2; exit 1\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(DependencyError, match=r"wheels of ncnn 1: pip is not installed beside this Python"):
        install_wheels({"ncnn": "1"}, "3.11", 28, tmp_path)


def test_pip_is_asked_for_another_machine(monkeypatch, tmp_path):
    program(tmp_path / "python", f"#!/bin/sh\necho \"$@\" > {tmp_path}/words; echo 'ERROR: no' >&2; exit 1\n")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(DependencyError, match=r"^aarch64 wheels of ncnn 1: no$"):
        install_wheels({"ncnn": "1"}, "3.12", 18, tmp_path)
    words = (tmp_path / "words").read_text()
    for expected in ("--only-binary=:all:", "--no-deps", "--python-version 3.12", "ncnn==1"):
        assert expected in words
    for platform in platforms(18):
        assert f"--platform {platform}" in words


STAGES = Stages()


@pytest.fixture
def bin(tmp_path, monkeypatch):
    """The only folder on the PATH, with a dpkg and an apt of a machine that works."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    program(folder / "dpkg", "#!/bin/sh\necho amd64\n")
    program(folder / "apt-config", f"#!/bin/sh\necho \"FILE='{tmp_path}/sources.list'\nPARTS='{tmp_path}/none/'\"\n")
    program(folder / "apt-get", "#!/bin/sh\nexit 0\n")
    program(folder / "apt-cache", "#!/bin/sh\nexit 0\n")
    return folder


def failed(target):
    with pytest.raises(DependencyError) as caught:
        setup_arm(target, STAGES)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 5
    return str(caught.value)


def test_no_apt_is_said_and_nothing_is_left(tmp_path, bin):
    (bin / "dpkg").unlink()
    assert failed(tmp_path / "cache/arm64") == "arm64 packages: dpkg is not installed here"
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_network_is_said(tmp_path, bin):
    program(
        bin / "apt-get", "#!/bin/sh\necho \"W: Failed to fetch x  Temporary failure resolving 'deb.example'\" >&2\n"
    )
    said = failed(tmp_path / "arm64")
    assert said.startswith("arm64 packages: the system's sources have no python3.11-minimal:arm64, ")
    assert said.endswith("(no network: Failed to fetch x  Temporary failure resolving 'deb.example')")


def test_distribution_without_these_packages_is_said(tmp_path, bin):
    said = failed(tmp_path / "arm64")
    assert said.startswith(
        "arm64 packages: the system's sources have no python3.11-minimal:arm64, libpython3.11-minimal"
    )


def test_packages_that_do_not_come_are_said(tmp_path, bin):
    policy = 'for name; do case $name in *:arm64) echo "${name%:*}:\n  Candidate: 1";; esac; done'
    program(bin / "apt-cache", f"#!/bin/sh\n{policy}\n")
    program(
        bin / "apt-get",
        "#!/bin/sh\ncase \" $* \" in *' download '*) echo 'E: Failed to fetch it' >&2; exit 100;; esac\n",
    )
    assert failed(tmp_path / "arm64") == "arm64 packages: Failed to fetch it"


def test_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/arm64 is a file or lies in one"):
        setup_arm(tmp_path / "file/arm64", STAGES)
    assert failed(Path("/proc/arm64")).startswith("cannot write /proc/arm64: ")


def test_folder_of_something_else_is_left_alone(tmp_path, bin):
    (tmp_path / "photo.jpg").write_text("")
    with pytest.raises(UsageError, match=r"holds 'bin', which is no part of one; nothing was touched"):
        setup_arm(tmp_path, STAGES)
    with pytest.raises(UsageError, match=r"is a file or lies in one, expected a folder"):
        setup_arm(tmp_path / "photo.jpg", STAGES)


def test_root_built_by_hand_is_left_alone(tmp_path):
    folder = hand_made(tmp_path / "hand", "#!/bin/sh\n")
    with pytest.raises(UsageError, match="built by hand"):
        setup_arm(folder, STAGES)
    assert (folder / "usr/bin/python3.11").read_bytes() == ELF


def test_half_built_root_stays_until_a_new_one_is_finished(tmp_path, bin, caplog):
    target = tmp_path / "arm64"
    (target / "system").mkdir(parents=True)
    (bin / "dpkg").unlink()
    failed(target)
    assert "is half-built" in caplog.text
    assert [path.name for path in target.iterdir()] == ["system"]


def test_what_killed_builds_left_is_removed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    dead, alive = int(done.stdout), os.getppid()
    for name in (
        f".arm64.{dead}.part",
        f".arm64.{dead}.part.old",
        f".arm64.{alive}.part",
        ".arm64.x.part",
        ".b.1.part",
    ):
        (tmp_path / name).mkdir()
    made = []
    ROOT.build(tmp_path / "arm64", made.append, "it is missing")
    part = made[0]
    assert part.name == f".arm64.{os.getpid()}.part"
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"arm64", f".arm64.{alive}.part", ".arm64.x.part", ".b.1.part"}


def test_full_disk_is_said(tmp_path, bin, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(setup, "_build", full)
    assert "No space left on device; free some space" in failed(tmp_path / "arm64")
    assert not list(tmp_path.glob(".arm64*"))


def test_what_a_command_has_started_ends_with_it(tmp_path):
    """apt has a process for every source, which writes on."""
    child = tmp_path / "child"

    def interrupted():
        if child.is_file() and child.read_text().endswith("\n"):
            raise KeyboardInterrupt

    script = f"sleep 300 & echo $! > {child}.new; mv {child}.new {child}; wait"
    with pytest.raises(KeyboardInterrupt):
        commands.attempt(["sh", "-c", script], "waiting", tick=interrupted)
    deadline = time.monotonic() + 10
    while is_running(int(child.read_text())):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
