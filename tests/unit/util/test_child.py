"""A child process is asked in time, and how it ended is said in words."""

import subprocess
import sys
import time

import pytest

from converter.util import child
from converter.util.child import LOG_TAIL, Child, ChildEnded, last_words, tail


def started(code):
    """A child that runs Python code."""
    words = [sys.executable, "-c", f"import os, signal, sys, time\n{code}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return Child(lambda log: subprocess.Popen(words, stderr=log, **pipes))


def line(stdin, stdout):
    """One line to the process and one back."""
    stdin.write(b"question\n")
    stdin.flush()
    if answer := stdout.readline():
        return answer.decode().strip()
    raise EOFError


ECHO = "for line in sys.stdin: print(line.strip(), 'answered', flush=True)"


def test_questions_are_answered_one_after_the_other():
    process = started(ECHO)
    try:
        assert [process.ask(line, 30) for _ in range(3)] == ["question answered"] * 3
        assert process.process.poll() is None
    finally:
        process.stop()
    assert process.process.returncode is not None


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("sys.exit(3)", "ended with code 3"),
        ("print('bad file', file=sys.stderr); sys.exit(1)", "ended with code 1; it said: bad file"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed with SIGSEGV"),
        (
            "print('a\\nb\\n\\n c ', file=sys.stderr, flush=True); os.kill(os.getpid(), signal.SIGABRT)",
            "crashed with SIGABRT; it said: b | c",
        ),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            "was ended by SIGKILL, as the system does where memory runs out",
        ),
        ("os.kill(os.getpid(), signal.SIGTERM)", "was ended by SIGTERM"),
    ],
)
def test_how_it_ended_is_said(code, how):
    process = started(code)
    try:
        with pytest.raises(ChildEnded) as ended:
            process.ask(line, 30)
        assert (ended.value.late, ended.value.how, str(ended.value)) == (False, how, how)
    finally:
        process.stop()


def test_time_that_is_up_ends_it():
    process, start = started("time.sleep(60)"), time.monotonic()
    try:
        with pytest.raises(ChildEnded) as ended:
            process.ask(line, 0.2)
        assert (ended.value.late, ended.value.how) == (True, "was ended by SIGKILL")
    finally:
        process.stop()
    assert time.monotonic() - start < 30


def test_a_process_that_closes_its_pipe_and_stays_is_ended(monkeypatch):
    monkeypatch.setattr(child, "GRACE", 0.2)
    process = started("os.close(1); time.sleep(60)")
    try:
        with pytest.raises(ChildEnded) as ended:
            process.ask(line, 30)
        assert (ended.value.late, ended.value.how) == (False, "stopped answering")
    finally:
        process.stop()


def test_an_error_of_the_exchange_itself_is_not_the_childs():
    process = started(ECHO)
    try:
        with pytest.raises(ZeroDivisionError):
            process.ask(lambda stdin, stdout: 1 / 0, 30)
        assert process.ask(line, 30) == "question answered"
    finally:
        process.stop()


def test_a_process_that_cannot_be_started_is_an_error():
    with pytest.raises(FileNotFoundError):
        Child(lambda log: subprocess.Popen(["/nowhere/at/all"], stderr=log))


@pytest.mark.parametrize(
    ("text", "lines", "words"),
    [("", 2, ""), ("a\n", 2, "a"), ("a\nb\nc\n", 2, "b | c"), ("a\n\n  b \n \n", 2, "a | b"), ("a\nb", 1, "b")],
)
def test_last_words(text, lines, words):
    assert last_words(text, lines) == words


def test_of_a_long_log_the_end_is_read(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"\xff" * 10 * LOG_TAIL + b"\nthe end\n")
    with path.open("rb") as log:
        said = tail(log)
    assert len(said) == LOG_TAIL
    assert last_words(said, 1) == "the end"
