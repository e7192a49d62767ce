"""A folder that looks like an ARM root, and emulators that misbehave."""

import os
import struct
import sys
from pathlib import Path

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 183) + bytes(40)


def hand_made(folder: Path, qemu: str | None = None) -> Path:
    """The root of a system with a Python for aarch64 that nobody can run.

    Args:
        qemu: the text of a program beside it.
    """
    (folder / "usr/bin").mkdir(parents=True)
    (folder / "usr/bin/python3.11").write_bytes(ELF)
    if qemu is not None:
        program(folder / "qemu-aarch64-static", qemu)
    return folder


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def script(code: str) -> str:
    """An emulator that is a Python program: ``answer(header)`` gives a message, ``receive()`` takes one."""
    return f"""#!{sys.executable} -E
import struct, sys
sys.path[:0] = {[entry for entry in (os.getcwd(), *sys.path) if entry]!r}
from converter.checks.arm.guest import MAGIC, read_message, write_message
def answer(**header): write_message(sys.stdout.buffer, header)
def raw(text): sys.stdout.buffer.write(MAGIC + struct.pack("<I", len(text)) + text); sys.stdout.flush()
def receive(): return read_message(sys.stdin.buffer)
HELLO = dict(machine="aarch64", python="3.11.2", numpy="2.4.6", ncnn="1.0.20261020", half_arithmetic=True)
{code}
"""
