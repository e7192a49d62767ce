"""Running apt, dpkg and pip: what they print, or one line that says what failed."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from converter.errors import DependencyError
from converter.util.process import AWAY, python_environment

FULL = "No space left on device"
_NO_NETWORK = (
    "Temporary failure resolving",
    "Could not resolve",
    "Could not connect",
    "Cannot initiate the connection",
    "Network is unreachable",
    "Connection timed out",
    "Connection failed",
    "Name or service not known",
    "Failed to establish a new connection",
    "Connection refused",
    "NewConnectionError",
    "ConnectTimeoutError",
)
_ERROR = ("E:", "ERROR:", "dpkg-deb: error:")
_MARK = re.compile(r"(E|W|ERROR|WARNING|dpkg-deb: error): ")
TIMEOUT = 900.0  # seconds
TICK = 0.3  # seconds


def run(command: Sequence[str], what: str) -> str:
    """What a command prints to stdout.

    Args:
        what: it does, for the error message.

    Raises:
        DependencyError: when it is missing, fails or takes too long.
    """
    code, out, err = attempt(command, what)
    if code:
        raise DependencyError(f"{what}: {reason(out + err) or f'{command[0]} ended with code {code}'}")
    return out


def attempt(
    command: Sequence[str],
    what: str,
    folder: Path | None = None,
    tick: Callable[[], None] = lambda: None,
    seconds: float | None = None,
    **extra: str,
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; raises as :func:`run`, but for a code other than 0.

    What the command has started itself ends with it when it takes too long or the run is interrupted. It works away
    from the working folder, where a search path with an empty or a relative folder in it would find what somebody put
    there; so its words name whole paths.

    Args:
        folder: where it works.
        tick: called a few times a second while the command runs.
        seconds: after which it is ended (default: TIMEOUT).
        extra: of its environment.
    """
    seconds = TIMEOUT if seconds is None else seconds
    # in English, for the messages are read here
    spoken = {"LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        with subprocess.Popen(
            command,
            cwd=folder or AWAY,
            env={**python_environment(), **spoken, **extra},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        ) as process:
            try:
                out, err = _awaited(process, tick, seconds)
            except BaseException:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                raise
    except FileNotFoundError:
        raise DependencyError(f"{what}: {command[0]} is not installed here") from None
    except subprocess.TimeoutExpired:
        raise DependencyError(f"{what}: {command[0]} took longer than {seconds:g} s and was ended") from None
    except OSError as error:
        raise DependencyError(f"{what}: {command[0]}: {error.strerror}") from None
    return process.returncode, out.decode(errors="replace"), err.decode(errors="replace")


def _awaited(process: "subprocess.Popen[bytes]", tick: Callable[[], None], seconds: float) -> tuple[bytes, bytes]:
    end = time.monotonic() + seconds
    while True:
        try:
            return process.communicate(timeout=TICK)
        except subprocess.TimeoutExpired:
            if time.monotonic() > end:
                raise
            tick()


def bytes_in(folder: Path, pattern: str = "*") -> int:
    """Of all files there, also of those that are just coming."""
    total = 0
    with contextlib.suppress(OSError):  # a folder gone meanwhile; the next look sees the rest
        for path in folder.rglob(pattern):
            with contextlib.suppress(OSError):
                total += path.stat().st_size if path.is_file() else 0
    return total


def reason(text: str) -> str:
    """The line of apt's, dpkg's or pip's messages that says why; a full disk and no network in words of ours."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(FULL in line for line in lines):
        return f"{FULL}; free some space or choose another folder"
    offline = [line for line in lines if any(words in line for words in _NO_NETWORK)]
    if offline:
        return f"no network: {_MARK.sub('', offline[0], 1)[:300]}"
    marked = [line for line in lines if line.startswith(_ERROR)]
    return _MARK.sub("", (marked or lines or [""])[-1], 1)[:300]


def cannot_write(path: Path, error: OSError) -> DependencyError:
    """The same for a file of ours."""
    if error.errno == errno.ENOSPC:
        return DependencyError(f"{path}: {FULL}; free some space or choose another folder")
    return DependencyError(f"cannot write {path}: {error.strerror}; choose another folder")
