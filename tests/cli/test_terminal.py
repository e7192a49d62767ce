"""What a person sees: on terminals of several kinds, in pipes that are closed early, quietly, and after Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from terminals import CTRL_C, PATIENCE, Terminal
from test_killed import children

from commands import BENCH, EXPORT, VERIFY, command, environment, lt_bench, lt_export, lt_verify
from conftest import TINY

STRICT = ("--rtol", "1e-12")
STAGES = ("models", "reference", "verify")
BAR = "\x1b[2K"  # a line that is drawn again
SOON = 10.0  # seconds; where nobody else computes it is one


def test_a_terminal_shows_a_bar_and_then_the_verdict_and_nothing_under_it(tiny, tiny_export):
    terminal = Terminal(VERIFY, (tiny_export, "--resume", tiny))
    assert terminal.end() == 0
    assert BAR in terminal.shown
    assert terminal.shown.rpartition("\x1b[?25h")[2].count("\x1b[?25l") == 0  # the cursor is there again
    assert [line.split()[0] for line in terminal.lines[:3]] == list(STAGES)
    assert terminal.lines[3].startswith("verified LightTrackM_Subnet in ")
    _, _, below = terminal.shown.partition("verified LightTrackM_Subnet")
    assert BAR not in below


@pytest.mark.parametrize(
    ("extra", "coloured"), [({"TERM": "dumb"}, False), ({"NO_COLOR": "1", "CI": "true"}, False), ({"CI": "1"}, True)]
)
def test_a_terminal_without_movement_has_a_line_a_stage(tiny, tiny_export, extra, coloured):
    terminal = Terminal(VERIFY, (tiny_export, "--resume", tiny), **extra)
    assert terminal.end() == 0
    assert BAR not in terminal.shown
    assert "\x1b[?25" not in terminal.shown
    assert ("\x1b[1;32m" in terminal.shown) == coloured
    assert [line.split()[0] for line in terminal.lines[:3]] == list(STAGES)
    assert "verified LightTrackM_Subnet in " in terminal.lines[3]


def test_a_pipe_has_a_line_a_stage_and_no_escape_codes(tiny, tiny_export):
    done = lt_verify(tiny_export, "--resume", tiny, TERM="xterm")
    assert [line.split()[0] for line in done.err.splitlines()] == list(STAGES)
    assert done.out.startswith("verified LightTrackM_Subnet in ")
    assert "\x1b" not in done.out + done.err


def test_colours_that_are_forced_move_nothing(tiny, tiny_export):
    done = lt_verify(tiny_export, "--resume", tiny, FORCE_COLOR="1", TERM="xterm")
    assert BAR not in done.err
    assert done.out.startswith("\x1b[1;32mverified ")


def test_the_verdict_of_an_export_comes_first(tiny, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    assert lt_export(*words).out.splitlines()[0] == f"verified LightTrackM_Subnet in {tmp_path / 'out'}"
    refused = lt_export(*words, *STRICT)
    assert refused.out.splitlines()[0] == "NOT VERIFIED LightTrackM_Subnet: nothing was published"
    assert lt_export(*words, "--no-verify").out.startswith("NOT VERIFIED (--no-verify): ")


def test_quiet_is_silent_on_success_and_one_line_on_failure(tiny, tiny_export, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "-q")
    bench = (tiny_export, "--threads", 1, "--rounds", 1, "--runs", 1, "-q")
    verify = (tmp_path / "out", "--resume", tiny, "-q")
    for done in (lt_export(*words), lt_export(*words, "--no-verify"), lt_verify(*verify), lt_bench(*bench)):
        assert (done.code, done.out, done.err) == (0, "", "")
    weights = tmp_path / "out/lighttrack_update.bin"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\x80\x3f")
    failed = (lt_export(*words, *STRICT), lt_verify(*verify, *STRICT))
    for done in failed:
        assert (done.code, done.out) == (1, "")
        assert done.err == done.error_line + "\n"


@pytest.mark.parametrize(
    "encoding", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}]
)
def test_a_terminal_takes_what_its_encoding_has(tiny, tiny_export, encoding):
    words = command(tiny_export, "--resume", tiny, *STRICT, module=VERIFY)
    done = subprocess.run(words, env=environment(**encoding), capture_output=True, timeout=300)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith(b"NOT VERIFIED LightTrackM_Subnet in ")
    if encoding != {"LC_ALL": "C", "PYTHONUTF8": "0"}:  # where Python itself may take UTF-8
        assert b"max |d|" in done.stdout
        assert b"\xce" not in done.stdout
    assert b"Traceback" not in done.stderr


def piped(words, lines, both=False):
    """Exit code, what a reader that goes after so many lines has read, and stderr."""
    stderr = subprocess.STDOUT if both else subprocess.PIPE
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=stderr, text=True)
    read = "".join(process.stdout.readline() for _ in range(lines))
    process.stdout.close()
    said = "" if both else process.stderr.read()
    return process.wait(300), read, said


@pytest.mark.parametrize(("options", "code"), [((), 0), (STRICT, 1), (("--json",), 0), (("--json", *STRICT), 1)])
def test_a_reader_that_goes_changes_no_verdict(tiny, tiny_export, options, code):
    ended, read, said = piped(command(tiny_export, "--resume", tiny, *options, module=VERIFY), 1)
    assert ended == code, said
    assert read.startswith("{" if "--json" in options else ("NOT VERIFIED ", "verified ")[code == 0])
    errors = [line for line in said.splitlines() if "error" in line]
    assert [line.startswith("lt-verify: error: verification failed") for line in errors] == [True] * code
    assert "Traceback" not in said
    assert "Broken pipe" not in said


def test_an_export_is_published_whoever_reads(tiny, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    ended, read, _ = piped(command(*words), 1, both=True)  # goes in the middle of the work
    assert (ended, read.split()[0]) == (0, "network")
    assert (tmp_path / "out/manifest.json").is_file()


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_a_stream_that_was_never_open(tiny_export, closed, tmp_path):
    line = f'exec "$0" "$@" {"1" if closed == "stdout" else "2"}>&-'
    words = ["sh", "-c", line, *command(tiny_export, "--golden", "nowhere", module=VERIFY)]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 2
    assert done.stdout == ""
    assert ("error: " in done.stderr) == (closed == "stdout")


@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_that_nobody_reads_to_its_end_is_no_failure(word):
    script = f"from {BENCH} import main; import sys; sys.stdin.readline(); sys.argv = ['lt-bench', {word!r}]; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.close()
    assert (process.stderr.read(), process.wait(300)) == ("", 0)


def test_ctrl_c_ends_a_run_and_says_what_is_left_of_it(tiny, tmp_path):
    out = tmp_path / "answer.json"
    (tmp_path / "tmp").mkdir()
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out/in", "--json")
    terminal = Terminal(EXPORT, words, stdout=out, TMPDIR=str(tmp_path / "tmp"))
    terminal.until("trace")
    terminal.press(CTRL_C)
    assert terminal.end() == 130
    assert terminal.lines[-1] == "lt-export: interrupted by SIGINT; nothing was published"
    assert terminal.shown.rpartition("\x1b[?25l")[2].count("\x1b[?25h") >= 1  # the cursor is there again
    assert json.loads(out.read_text())["error"]["exit_code"] == 130
    deadline = time.monotonic() + SOON
    while sorted(path.name for path in tmp_path.rglob("*")) != ["answer.json", "tmp"]:
        assert time.monotonic() < deadline, list(tmp_path.rglob("*"))
        time.sleep(0.05)


def test_ctrl_c_is_for_the_command_alone(tiny, tiny_export):
    """Its processes, which may have begun to start just now, say nothing of it."""
    terminal = Terminal(VERIFY, (tiny_export, "--resume", tiny))
    terminal.until(r"verify +\S")
    deadline = time.monotonic() + PATIENCE
    while not children(terminal.process.pid):
        assert time.monotonic() < deadline
    terminal.press(CTRL_C)
    assert terminal.end() == 130
    assert terminal.lines[-1] == "lt-verify: interrupted by SIGINT; nothing was verified"
    assert "Traceback" not in terminal.shown
    assert "Fatal" not in terminal.shown


def test_ctrl_c_waits_for_no_process_that_hangs(tiny, tiny_export):
    """Who waits for an answer of a runtime for a minute does not take a signal for one."""
    terminal = Terminal(BENCH, (tiny_export, "--rounds", 100000, "--seconds", 300, "--threads", 1))
    terminal.until("measure .* of 100000")
    for number in children(terminal.process.pid):
        os.kill(number, signal.SIGSTOP)
    before = time.monotonic()
    terminal.press(CTRL_C)
    assert terminal.end() == 130
    assert time.monotonic() - before < SOON
    assert terminal.lines[-1] == "lt-bench: interrupted by SIGINT; nothing was measured"


STUCK = """
import time
from pathlib import Path
import typer
from converter.cli.command import Command
from converter.cli.progress import StageLines
from converter.util.atomic import replacing

command = Command("lt-stuck", "", "", undone="nothing was done")

@command.entry
def stuck(context: typer.Context):
    with StageLines(context.obj.interruption, quiet=False) as stages, replacing(Path("page.html")) as draft:
        stages.begin("stuck")
        draft.write_text("half a page")
        print("stuck", flush=True)
        while True:
            try:
                time.sleep(60)
            except BaseException:  # as an extension module may
                pass

command.main()
"""


def test_ctrl_c_ends_what_no_exception_ends(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "stuck\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=SOON)[1] == "lt-stuck: interrupted by SIGINT; nothing was done\n"
    assert process.returncode == 130
    assert list(tmp_path.iterdir()) == []


SLOW_START = """
import sys, time
from converter.cli import start

def slowly(name):
    print("importing", flush=True)
    time.sleep(60)

start.import_module = slowly
sys.argv[0] = "/bin/lt-export"
start.lt_export()
"""


def test_ctrl_c_while_python_starts():
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_START], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1] == "lt-export: interrupted by SIGINT; nothing was begun\n"
    assert process.returncode == 130
