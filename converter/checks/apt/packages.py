"""The distribution's packages, fetched and unpacked into a folder by an ordinary user.

apt is told by a private configuration, derived from the system's, to see an architecture and to keep its lists and its
cache to itself. Nothing is installed and nothing outside the folder changes.
"""

import re
import shlex
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from converter.checks.apt.sources import derived_sources
from converter.errors import DependencyError
from converter.util.commands import attempt, bytes_in, cannot_write, reason, run
from converter.util.stages import Step, no_step

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


class PrivateApt:
    """apt for an architecture with everything of its own in a folder.

    Args:
        folder: a new one.
        guest: the architecture, as dpkg calls it; the machine's own by default.

    Raises:
        DependencyError: when there is no apt, or it cannot be asked.
    """

    def __init__(self, folder: Path, guest: str = "") -> None:
        self.folder, self.config, self.trouble = folder, folder / "apt.conf", ""
        self.host = run(["dpkg", "--print-architecture"], f"{guest} packages".lstrip()).strip()
        self.guest = guest or self.host
        self.what = f"{self.guest} packages"
        files = _system_sources(self.what)
        architectures = dict.fromkeys((self.guest, self.host))
        config = _CONFIG.format(
            guest=self.guest, architectures=" ".join(f'"{name}";' for name in architectures), folder=folder
        )
        try:
            for name in ("state/lists/partial", "cache/archives/partial", "sources"):
                (folder / name).mkdir(parents=True)
            (folder / "state" / "status").touch()
            self.config.write_text(config)
            for name, text in derived_sources(files, self.host, self.guest).items():
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
        return DependencyError(f"{self.what}: the system's sources have no {packages}{self.trouble}")

    def available(self, names: Sequence[str]) -> list[str]:
        """Those of some packages (``name:architecture``) that there are."""
        _, out, _ = self._apt("apt-cache", "policy", *names)
        return candidates(out, names, self.guest)

    def dependencies(self, names: Sequence[str]) -> list[str]:
        """What some packages need, one step far; of alternatives all."""
        switches = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        words = [f"--no-{switch}" for switch in switches]
        _, out, _ = self._apt("apt-cache", "depends", *words, *names)
        return re.findall(r"^ +\|?(?:Pre)?Depends: ([^<\s]+)", out, re.MULTILINE)

    def with_dependencies(self, names: Sequence[str], follow: Callable[[str], bool]) -> list[str]:
        """Packages for apt's own architecture, and what they need, as ``name:architecture``.

        Args:
            names: without an architecture.
            follow: whether a package that is needed has to come too.

        Raises:
            DependencyError: when the sources lack one of the names.
        """
        wanted = [f"{name}:{self.guest}" for name in names]
        there = self.available(wanted)
        if missing := [name for name in wanted if name not in there]:
            raise self.lacks(", ".join(missing))
        found, next_ones = dict.fromkeys(wanted), wanted
        while next_ones:
            needed = [name for name in self.dependencies(next_ones) if follow(name)]
            next_ones = [f"{name.split(':')[0]}:{self.guest}" for name in needed]
            next_ones = [name for name in dict.fromkeys(next_ones) if name not in found]
            found.update(dict.fromkeys(next_ones))
        return list(found)

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
            raise DependencyError(f"{self.what}: {reason(out + err) or f'{len(files)} of {len(names)} files came'}")
        return files

    def _apt(
        self, program: str, *words: str, folder: Path | None = None, tick: Callable[[], None] = lambda: None
    ) -> tuple[int, str, str]:
        # temporary files in its folder: those of an apt that was ended are removed with it
        return attempt(
            [program, "-c", str(self.config), "-q", *words], self.what, folder, tick, TMPDIR=str(self.folder)
        )


def candidates(policy: str, names: Sequence[str], guest: str) -> list[str]:
    """The names that ``apt-cache policy`` has a version to install for, in their order.

    The names of packages of apt's own architecture come back bare.
    """
    there, current = set(), ""
    for line in policy.splitlines():
        if line.endswith(":") and not line[0].isspace():
            current = line[:-1]
        elif line.strip().startswith("Candidate:") and line.split(":", 1)[1].strip() not in ("", "(none)"):
            there.add(current)
    return [name for name in names if name in there or name.removesuffix(f":{guest}") in there]


def _system_sources(what: str) -> list[Path]:
    said = run(["apt-config", "shell", "FILE", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"], what)
    values = dict(word.partition("=")[::2] for word in shlex.split(said))
    parts = Path(values.get("PARTS") or "/etc/apt/sources.list.d")
    inside = sorted(parts.iterdir()) if parts.is_dir() else []
    return [Path(values.get("FILE") or "/etc/apt/sources.list"), *inside]


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
