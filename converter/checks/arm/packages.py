"""Which packages make a C library and a Python for arm64, and the emulator out of one."""

import subprocess
import tarfile
from pathlib import Path

from converter.checks.apt.packages import PrivateApt
from converter.errors import DependencyError
from converter.util.commands import cannot_write
from converter.util.process import AWAY
from converter.util.stages import Step, no_step

GUEST = "arm64"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8")
# Package and the program in it; newer distributions keep it in the second, and the first has a link.
QEMUS = (("qemu-user-static", "qemu-aarch64-static"), ("qemu-user", "qemu-aarch64"))


def python_packages(version: str) -> tuple[str, ...]:
    return (f"python{version}-minimal", f"libpython{version}-minimal", f"libpython{version}-stdlib")


def chosen_python(apt: PrivateApt) -> str:
    """The oldest Python that the distribution has and the wheels are made for.

    Raises:
        DependencyError: when there is none.
    """
    wanted = {version: [f"{name}:{GUEST}" for name in python_packages(version)] for version in PYTHONS}
    there = apt.available([name for names in wanted.values() for name in names])
    for version, names in wanted.items():
        if set(names) <= set(there):
            return version
    raise apt.lacks(", ".join(name for name in wanted[PYTHONS[0]] if name not in there))


def fetch_qemu(apt: PrivateApt, target: Path, step: Step = no_step) -> str:
    """The emulator out of its package, for this machine.

    Returns:
        the name of the package's file.

    Raises:
        DependencyError: when no package has it.
    """
    for package, program in QEMUS:
        name = f"{package}:{apt.host}"
        if apt.available([name]):
            (deb,) = apt.download([name], step)
            if _copy_member(deb, f"./usr/bin/{program}", target):
                return deb.name
    raise apt.lacks(f"qemu-user-static for {apt.host}")


def _copy_member(deb: Path, member: str, target: Path) -> bool:
    """One plain file of a package; the rest, hundreds of MB, stays packed."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE, cwd=AWAY) as unpacking:
        try:
            with tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
                for entry in tar:
                    if entry.name == member and entry.isfile() and (plain := tar.extractfile(entry)):
                        target.write_bytes(plain.read())
                        target.chmod(0o755)
                        return True
        except tarfile.TarError as error:
            raise DependencyError(f"unpacking {deb.name}: {error}") from None
        except OSError as error:
            raise cannot_write(target, error) from None
        finally:
            unpacking.kill()
    return False
