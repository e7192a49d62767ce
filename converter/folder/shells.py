"""Two small shell processes that clean up behind a process that dies without a word."""

import os
import subprocess
from pathlib import Path

# Waits for our end, and ends its process group, in which pnnx and its children are; they may ignore any other signal.
_KILLER = 'trap "" HUP INT TERM; read -r _; kill -KILL 0'
# Waits for the other's end, puts back an old export that was moved aside, tidies up.
_JANITOR = """
trap "" HUP INT TERM; read -r _
target=$1 aside=$2 staging=$3 work=$4; shift 4
[ ! -e "$aside" ] || [ -e "$target" ] || mv -- "$aside" "$target"
rm -rf -- "$aside" "$staging" "$work" || { sleep 0.2; rm -rf -- "$aside" "$staging" "$work"; }
[ $# = 0 ] || rmdir -- "$@"
"""


def start_shells(target: Path, aside: Path, staging: Path, work: Path, *made: Path) -> list[subprocess.Popen[bytes]]:
    """The two that outlive us, the one that waits for us first; none where there can be none.

    The second's input ends when the first has ended, and with it everything that could still write.

    Args:
        target, aside: where an old export is, and where it is for a moment.
        staging, work: folders to remove.
        made: folders to remove where they are empty.
    """
    if os.name != "posix":
        return []
    shells: list[subprocess.Popen[bytes]] = []
    reading, writing = os.pipe()
    try:
        for script, words, stdin, stdout in (
            (_KILLER, (), subprocess.PIPE, writing),
            (_JANITOR, (target, aside, staging, work, *made), reading, subprocess.DEVNULL),
        ):
            shells.append(
                subprocess.Popen(
                    ["/bin/sh", "-c", script, "sh", *map(str, words)],
                    stdin=stdin,
                    stdout=stdout,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    process_group=0,
                )
            )
    except OSError:
        pass
    finally:
        os.close(reading)
        os.close(writing)
    return shells
