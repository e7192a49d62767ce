"""Running apt, dpkg and pip: what they print, or one line that says what failed."""

import errno
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from converter.errors import DependencyError
from converter.util.process import python_environment

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


def run(command: Sequence[str], what: str, folder: Path | None = None, timeout: float = 900.0) -> str:
    """What a command prints to stdout.

    Args:
        what: it does, for the error message.

    Raises:
        DependencyError: when it is missing, fails or takes too long.
    """
    code, out, err = attempt(command, what, folder, timeout)
    if code:
        raise DependencyError(f"{what}: {reason(out + err) or f'{command[0]} ended with code {code}'}")
    return out


def attempt(
    command: Sequence[str], what: str, folder: Path | None = None, timeout: float = 900.0
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; raises as :func:`run`, but for a code other than 0."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise DependencyError(f"{what}: {command[0]} is not installed here") from None
    except subprocess.TimeoutExpired:
        raise DependencyError(f"{what}: {command[0]} took longer than {timeout:g} s and was ended") from None
    except OSError as error:
        raise DependencyError(f"{what}: {command[0]}: {error.strerror}") from None
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def _environment() -> Mapping[str, str]:
    """In English, for the messages are read here; pip imports nothing relative to a folder."""
    return {**python_environment(), "LC_ALL": "C", "LANGUAGE": "C", "DEBIAN_FRONTEND": "noninteractive"}


def reason(text: str) -> str:
    """The line of apt's, dpkg's or pip's messages that says why; a full disk and no network in words of ours."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if any(FULL in line for line in lines):
        return f"{FULL}; free some space or choose another folder"
    if found := next((line for line in lines for words in _NO_NETWORK if words in line), None):
        return f"no network: {_bare(found)}"
    marked = [line for line in lines if line.startswith(("E:", "ERROR:", "dpkg-deb: error:"))]
    return _bare(marked[-1] if marked else lines[-1]) if lines else ""


def _bare(line):
    for mark in ("E: ", "W: ", "ERROR: ", "WARNING: ", "dpkg-deb: error: "):
        line = line.removeprefix(mark)
    return line[:300]


def cannot_write(path: Path, error: OSError) -> DependencyError:
    """The same for a file of ours."""
    if error.errno == errno.ENOSPC:
        return DependencyError(f"{path}: {FULL}; free some space or choose another folder")
    return DependencyError(f"cannot write {path}: {error.strerror}; choose another folder")
