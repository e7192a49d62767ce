"""A C library and a Python for arm64 from the distribution's packages, unpacked into a folder by an ordinary user.

apt is told by a private configuration, derived from the system's, to see arm64 and to keep its lists and its cache
to itself. Nothing is installed and nothing outside the folder changes.
"""

import re
import shlex
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from converter.checks.apt.commands import attempt, bytes_in, cannot_write, reason, run
from converter.checks.apt.sources import GUEST, derived_sources
from converter.errors import DependencyError
from converter.util.stages import Step, no_step

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LIBRARIES = ("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libffi8")
# Package and the program in it; newer distributions keep it in the second, and the first has a link.
QEMUS = (("qemu-user-static", "qemu-aarch64-static"), ("qemu-user", "qemu-aarch64"))
WHAT = "arm64 packages"

_CONFIG = """\
APT::Architecture "{guest}";
#clear APT::Architectures;
APT::Architectures {{ {architectures} }};
APT::Sandbox::User "root";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
#clear DPkg::Post-Invoke;
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
Dir::State "{folder}/state";
Dir::State::status "{folder}/state/status";
Dir::Cache "{folder}/cache";
Dir::Etc::sourcelist "{folder}/none.list";
Dir::Etc::sourceparts "{folder}/sources";
"""


def python_packages(version: str) -> tuple[str, ...]:
    return (f"python{version}-minimal", f"libpython{version}-minimal", f"libpython{version}-stdlib")


class PrivateApt:
    """apt for arm64 with everything of its own in a folder.

    Args:
        folder: a new one.

    Raises:
        DependencyError: when there is no apt, or it cannot be asked.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.config, self.trouble = folder, folder / "apt.conf", ""
        self.host = run(["dpkg", "--print-architecture"], WHAT).strip()
        files = _system_sources()
        architectures = dict.fromkeys((GUEST, self.host))
        config = _CONFIG.format(
            guest=GUEST, architectures=" ".join(f'"{name}";' for name in architectures), folder=folder
        )
        try:
            for name in ("state/lists/partial", "cache/archives/partial", "sources"):
                (folder / name).mkdir(parents=True)
            (folder / "state" / "status").touch()
            self.config.write_text(config)
            for name, text in derived_sources(files, self.host).items():
                (folder / "sources" / name).write_text(text)
        except OSError as error:
            raise cannot_write(folder, error) from None

    def update(self) -> None:
        """Fetch the lists of packages; a source that fails is remembered, for :meth:`lacks`."""
        code, out, err = self._apt("apt-get", "update")
        if code or re.search(r"^(E|W|Err)[:0-9]", out + err, re.MULTILINE):
            said = reason("\n".join(line for line in (out + err).splitlines() if line[:2] in ("E:", "W:")))
            self.trouble = f" ({said})" if said else ""

    def lacks(self, packages: str) -> DependencyError:
        """The error that some packages are missing, with what went wrong before."""
        return DependencyError(f"{WHAT}: the system's sources have no {packages}{self.trouble}")

    def available(self, names: Sequence[str]) -> list[str]:
        """Those of some packages (``name:architecture``) that there are."""
        _, out, _ = self._apt("apt-cache", "policy", *names)
        return candidates(out, names)

    def download(self, names: Sequence[str], step: Step = no_step) -> list[Path]:
        """Fetch packages.

        Args:
            step: told of the bytes.

        Raises:
            DependencyError: naming what cannot be had.
        """
        there = self.available(names)
        if missing := [name for name in names if name not in there]:
            raise self.lacks(", ".join(missing))
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        _, listed, _ = self._apt("apt-get", "download", "--print-uris", *names)
        total = sum(int(size) for size in re.findall(r"^'\S+' \S+ (\d+)", listed, re.MULTILINE))
        code, out, err = self._apt(
            *("apt-get", "download", *names), folder=folder, tick=lambda: step(bytes_in(folder), total)
        )
        files = sorted(folder.iterdir())
        if code or len(files) < len(names):
            raise DependencyError(f"{WHAT}: {reason(out + err) or f'{len(files)} of {len(names)} files came'}")
        return files

    def _apt(
        self, program: str, *words: str, folder: Path | None = None, tick: Callable[[], None] = lambda: None
    ) -> tuple[int, str, str]:
        # temporary files in its folder: those of an apt that was ended are removed with it
        return attempt([program, "-c", str(self.config), "-q", *words], WHAT, folder, tick, TMPDIR=str(self.folder))


def candidates(policy: str, names: Sequence[str]) -> list[str]:
    """The names that ``apt-cache policy`` has a version to install for, in their order.

    The names of packages of apt's own architecture come back bare.
    """
    there, current = set(), ""
    for line in policy.splitlines():
        if line.endswith(":") and not line[0].isspace():
            current = line[:-1]
        elif line.strip().startswith("Candidate:") and line.split(":", 1)[1].strip() not in ("", "(none)"):
            there.add(current)
    return [name for name in names if name in there or name.removesuffix(f":{GUEST}") in there]


def _system_sources() -> list[Path]:
    said = run(["apt-config", "shell", "FILE", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"], WHAT)
    values = dict(word.partition("=")[::2] for word in shlex.split(said))
    parts = Path(values.get("PARTS") or "/etc/apt/sources.list.d")
    inside = sorted(parts.iterdir()) if parts.is_dir() else []
    return [Path(values.get("FILE") or "/etc/apt/sources.list"), *inside]


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


def unpack(debs: Sequence[Path], folder: Path) -> None:
    """The files of packages, owned by whoever unpacks them.

    Raises:
        DependencyError: when dpkg-deb fails.
    """
    for deb in debs:
        run(["dpkg-deb", "-x", str(deb), str(folder)], f"unpacking {deb.name}")
    lib = folder / "lib"
    if not lib.exists():  # where /lib is a link, another package makes it
        lib.symlink_to("usr/lib")


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
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as unpacking:
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
