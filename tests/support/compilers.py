"""C++ compilers of this machine, and what tests compile with them."""

import shutil
import subprocess
from pathlib import Path

import pytest

COMPILERS = ("g++", "clang++")
STRICT = ("-std=c++17", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffp-contract=off")
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-O1", "-g")


def compiler(name: str) -> str:
    """Skips the test where there is none."""
    if shutil.which(name) is None:
        pytest.skip(f"no {name} here; apt-get install {name.removesuffix('++').replace('g', 'g++', 1)}")
    return name


def compiled(name: str, source: Path, program: Path, *flags: str | Path) -> Path:
    done = subprocess.run([compiler(name), *STRICT, *map(str, flags), source, "-o", program], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return program
