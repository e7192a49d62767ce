"""A folder that looks like an ARM root, and emulators that misbehave."""

import os
import struct
import sys
from pathlib import Path

from converter.checks.arm.root import ArmRecord
from converter.util.atomic import sha256

ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 183) + bytes(40)
HELLO = {"machine": "aarch64", "python": "3.11.2", "numpy": "2", "ncnn": "1", "half_arithmetic": True}


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


def built_root(folder: Path) -> Path:
    """A folder as ``lt-setup arm`` leaves it, but for a Python that runs."""
    for name in ("system/usr/bin", "system/lib", "python/numpy"):
        (folder / name).mkdir(parents=True)
    (folder / "system/usr/bin/python3.11").write_bytes(ELF)
    (folder / "python/numpy/__init__.py").write_text("version = 1\n")
    (folder / "system/lib/libc.so").symlink_to("libc.so.6")
    program(folder / "qemu-aarch64-static", "#!/bin/sh\n")
    names = ["system/usr/bin/python3.11", "python/numpy/__init__.py", "qemu-aarch64-static"]
    record = ArmRecord(
        python="3.11",
        qemu="qemu-aarch64-static",
        packages=["libc6_2.36-9_arm64.deb"],
        wheels={"ncnn": "1", "numpy": "2"},
        hello=HELLO,
        files=[(name, (folder / name).stat().st_size, sha256(folder / name)) for name in names],
        links=[("system/lib/libc.so", "libc.so.6")],
    )
    (folder / "arm-root.json").write_text(record.model_dump_json())
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
from converter.checks.device.guest import MAGIC, read_message, write_message
def answer(**header): write_message(sys.stdout.buffer, header)
def raw(text): sys.stdout.buffer.write(MAGIC + struct.pack("<I", len(text)) + text); sys.stdout.flush()
def receive(): return read_message(sys.stdin.buffer)
HELLO = dict(machine="aarch64", python="3.11.2", numpy="2.4.6", ncnn="1.0.20261020", half_arithmetic=True)
{code}
"""
