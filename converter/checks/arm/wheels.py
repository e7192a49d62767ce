"""ncnn and numpy for aarch64: their wheels, which pip fetches and unpacks for another machine."""

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from converter.errors import DependencyError
from converter.util.atomic import scratch
from converter.util.commands import attempt, bytes_in, reason
from converter.util.packages import tested_versions
from converter.util.process import python_module
from converter.util.stages import Step, no_step

PACKAGES = ("ncnn", "numpy")
OLDEST_GLIBC = 17  # manylinux_2_17, which manylinux2014 is another name of


def wheel_versions() -> dict[str, str]:
    """What to fetch: the versions of ``constraints.txt``, in an installation without it those that are installed."""
    pinned = tested_versions()
    try:
        return {name: pinned.get(name) or metadata.version(name) for name in PACKAGES}
    except metadata.PackageNotFoundError as error:
        raise DependencyError(f"which version of {error.name} to fetch is not known: it is not installed") from None


def platforms(glibc: int) -> list[str]:
    """pip's names of machines on which a wheel may count, with glibc 2.``glibc``."""
    newer = [f"manylinux_2_{minor}_aarch64" for minor in range(OLDEST_GLIBC, glibc + 1)]
    return ["manylinux2014_aarch64", *newer]


def install_wheels(versions: Mapping[str, str], python: str, glibc: int, folder: Path, step: Step = no_step) -> None:
    """Unpack wheels for aarch64, of which nothing is run.

    Args:
        python: as "3.11".
        glibc: minor version of the one that they will run on.
        folder: for what is in them; made here.
        step: told of the bytes.

    Raises:
        DependencyError: when pip is missing or cannot get one.
    """
    wheels = f"aarch64 wheels of {' and '.join(f'{name} {version}' for name, version in versions.items())}"
    words = ["--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", python, "--no-compile"]
    words += ["--disable-pip-version-check", "--no-input", "--no-user", "--target", str(folder)]
    for platform in platforms(glibc):
        words += ["--platform", platform]
    wanted = [f"{name}=={version}" for name, version in versions.items()]
    with scratch("lt-wheels-") as work:  # pip keeps there what is just coming
        code, out, err = attempt(
            python_module("pip", "install", *words, *wanted),
            wheels,
            tick=lambda: step(bytes_in(work, "*.whl"), 0),
            TMPDIR=str(work),
        )
    if code:
        if "No module named pip" in err:
            raise DependencyError(f"{wheels}: pip is not installed beside this Python; python -m ensurepip installs it")
        raise DependencyError(f"{wheels}: {reason(out + err) or f'pip ended with code {code}'}")
