"""What README and ``--help`` promise of the commands as such."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from importlib.metadata import version

import pytest
from clips import save_video

from commands import command, environment, lt
from conftest import TINY
from converter.installation import look
from documents import MODULES

COMMANDS = {program: partial(lt, module) for program, module in MODULES.items()}
OF_CHECKPOINTS = ("lt-export", "lt-verify", "lt-bench")
READ_FIRST = ("lt-bench", "lt-track", "lt-cpp")


@pytest.fixture
def words(tiny, tiny_export, tmp_path):
    """Program -> a command line of it that has work to do."""
    (paths := tmp_path / "paths.txt").write_text(f"{TINY}\n")
    tracked = ("--clip", save_video(tmp_path / "tracked.avi", 4), "--box", "40,30,20,16")
    return {
        "lt-export": ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out"),
        "lt-verify": (tiny_export, "--resume", tiny),
        "lt-bench": (tiny_export, "--resume", tiny, "--rounds", 1, "--runs", 1),
        "lt-track": (tiny_export, save_video(tmp_path / "drawn.avi", 4), "--box", "40,30,20,16"),
        "lt-cpp": (tiny_export, "-o", tmp_path / "cpp"),
        "lt-calibrate": (tiny, "--path-name", TINY, *tracked, "--samples", 2, "-o", tmp_path / "calib"),
        "lt-quantize": (tiny, "--path-name", TINY, *tracked, *tracked, "--samples", 2, "-o", tmp_path / "small"),
        "lt-matrix": (tiny, "--paths", paths, "-o", tmp_path / "matrix"),
        "lt-setup": (),
    }


@pytest.mark.parametrize("program", OF_CHECKPOINTS)
def test_a_known_error_has_a_traceback_only_where_it_was_asked_for(words, program):
    call = COMMANDS[program]
    line = f"{program}: error: checkpoint nowhere.pth: no such file, expected a file written by torch.save"
    plain = call(*words[program], "--resume", "nowhere.pth")
    assert (plain.code, plain.out, plain.error_line) == (3, "", line)
    debugged = call(*words[program], "--resume", "nowhere.pth", LT_DEBUG="1")
    assert (debugged.code, debugged.out) == (3, "")
    assert debugged.err.count("Traceback (most recent call last)") == 1
    trace, _, last = debugged.err.rstrip().rpartition("\n")
    assert last == plain.error_line
    assert re.search(r'File ".*\.py", line \d+, in \w+\n', trace)
    assert "CheckpointError: checkpoint nowhere.pth: " in trace


BUGS = [ZeroDivisionError("a made-up\nbug"), EOFError("a bug"), OSError(5, "a bug"), SystemExit(9), GeneratorExit()]
MADE_UP = [(program, error) for program in COMMANDS for error in BUGS]
# these hash nothing but models or a checkpoint at first, and one that cannot be read is no bug
MADE_UP = [(program, error) for program, error in MADE_UP if error is not BUGS[2] or program not in READ_FIRST]


def break_checksums(monkeypatch, error):
    """What every command does on its way; lt-setup looks around."""

    def broken(*_, **__):
        raise error

    monkeypatch.setattr(hashlib, "sha256", broken)
    monkeypatch.setattr(hashlib, "file_digest", broken)
    monkeypatch.setattr(look, "look", broken)


@pytest.mark.parametrize(("program", "error"), MADE_UP)
def test_a_bug_of_ours_is_one_line_and_a_code_of_its_own(words, program, error, monkeypatch):
    break_checksums(monkeypatch, error)
    shown = " ".join(str(error).split())
    said = f"internal error: {type(error).__name__}: {shown}; please report it; LT_DEBUG=1 shows more"
    call = COMMANDS[program]
    plain = call(*words[program])
    assert (plain.code, plain.out) == (70, "")
    assert plain.error_line == f"{program}: {said}"
    debugged = call(*words[program], "--json", LT_DEBUG="1")
    assert debugged.code == 70
    assert json.loads(debugged.out) == {"error": {"exit_code": 70, "message": said, "checks": []}}
    trace, _, last = debugged.err.rstrip().rpartition("\n")
    assert last == plain.error_line
    assert "Traceback (most recent call last)" in trace
    assert ", in broken\n" in trace


@pytest.mark.parametrize("program", COMMANDS)
def test_help_lists_the_exit_code_of_a_bug(program):
    shown = " ".join(COMMANDS[program]("--help").out.split())
    for said in ("2 wrong usage", "5 missing or unusable dependency", "70 a bug of ours", "LT_DEBUG=1"):
        assert said in shown


@pytest.mark.parametrize("program", COMMANDS)
def test_what_stops_a_run_is_no_bug(words, program, monkeypatch):
    break_checksums(monkeypatch, KeyboardInterrupt())
    assert COMMANDS[program](*words[program]).code == 128 + signal.SIGINT


def unbuffered(stdout):
    """The code and the errors of a command that writes there."""
    words, variables = command("--list-presets"), environment(PYTHONUNBUFFERED="1")
    done = subprocess.run(words, env=variables, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stderr


def test_output_that_cannot_be_written_is_no_bug():
    """A reader that goes early, as ``head`` does, changes nothing."""
    with open("/dev/full", "w") as full:
        assert unbuffered(full) == (4, "lt-export: error: cannot write to stdout: No space left on device\n")
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as pipe:
        assert unbuffered(pipe) == (0, "")


@pytest.mark.parametrize("program", COMMANDS)
def test_version_is_the_packages_and_costs_nothing(program):
    shown = f"{program} {version('lighttrack-export')}\n"
    assert re.fullmatch(r"lt-\w+ \d+\.\d+\.\d+\S*\n", shown)
    done = COMMANDS[program]("--version")
    assert (done.code, done.out, done.err) == (0, shown, "")
    words = [sys.executable, "-X", "importtime", *command("--version", module=MODULES[program])[1:]]
    apart = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=60)
    assert (apart.returncode, apart.stdout) == (0, shown)
    lines = apart.stderr.splitlines()
    assert [line for line in lines if not line.startswith("import time:")] == []
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert "typer" in imported
    assert imported & {"torch", "ncnn", "pnnx", "onnx", "onnxruntime", "numpy", "pydantic"} == set()


@pytest.mark.parametrize("program", COMMANDS)
def test_a_traceback_has_no_control_characters(words, program, monkeypatch):
    break_checksums(monkeypatch, ValueError("a \x1b[31mred\x07 bug"))
    debugged = COMMANDS[program](*words[program], LT_DEBUG="1")
    assert debugged.code == 70
    assert "a \\x1b[31mred\\x07 bug" in debugged.err
    assert not {"\x1b", "\x07"} & set(debugged.err)
