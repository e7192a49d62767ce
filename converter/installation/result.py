"""What a machine has and lacks for the commands, and how that is shown."""

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.installation.packages import OK, PackageState
from converter.report.blocks import BAD, NOTE, Block, Column, Row, Section, Table, Text
from converter.report.blocks import OK as GOOD

MAIN_JOB = "lt-export can make and verify ncnn models here"
NOT_MAIN_JOB = "lt-export cannot run here"


@dataclass(frozen=True)
class SetupState:
    """Something to set up, as it is here.

    Attributes:
        name: as ``lt-setup NAME``.
        state: OK, MISSING or BROKEN (it cannot be used).
        summary: its versions, or why it cannot be used.
        size: bytes of its folder.
    """

    name: str
    purpose: str
    folder: Path
    state: str
    summary: str
    size: int
    figures: dict[str, Any]

    def __bool__(self) -> bool:
        return self.state == OK

    @property
    def remedy(self) -> str:
        return "" if self else f"lt-setup {self.name}"


@dataclass(frozen=True)
class Installation:
    """True where the main job, the export to ncnn, can run.

    Attributes:
        python: its version.
        requires_python: what the project declares, as ">=3.11".
        python_fits: whether the one is in the other.
        packages: in the order of their table.
        setups: what is set up beside packages.
        cache: the folder of the project among the user's caches.
        cache_size: bytes in it.
    """

    python: str
    requires_python: str
    python_fits: bool
    packages: tuple[PackageState, ...]
    setups: tuple[SetupState, ...]
    cache: Path
    cache_size: int

    def __bool__(self) -> bool:
        return self.python_fits and all(package for package in self.packages if package.needed)

    def failure(self) -> str:
        """What the main job lacks, with the first thing to do."""
        problems = [package for package in self.packages if package.needed and not package]
        reasons = [problem.failure() for problem in problems]
        if not self.python_fits:
            reasons.insert(0, f"Python {self.python} runs this, expected {self.requires_python}")
        cures = [problem.remedy for problem in problems if problem.remedy]
        return f"{NOT_MAIN_JOB}: {', '.join(reasons)}{f': {cures[0]}' if cures else ''}"

    def section(self) -> Section:
        """A row for everything, and what can be done about what is missing."""
        lacking = [package.package.name for package in self.packages if not package.needed and not package]
        optional = f"; optional: {', '.join(lacking)} cannot be used" if lacking else ""
        summary = f"{MAIN_JOB}{optional}" if self else self.failure()
        return Section("setup", "Setup", GOOD if self else BAD, summary, self._blocks())

    def as_dict(self) -> dict[str, Any]:
        return {
            "ready": bool(self),
            "python": {"version": self.python, "requirement": self.requires_python, "ok": self.python_fits},
            "platform": _machine(),
            "packages": [_package_dict(package) for package in self.packages],
            "setups": [
                {
                    "name": setup.name,
                    "purpose": setup.purpose,
                    "state": setup.state,
                    "folder": str(setup.folder),
                    "bytes": setup.size,
                    "summary": setup.summary,
                    "remedy": setup.remedy,
                    **setup.figures,
                }
                for setup in self.setups
            ],
            "cache": {"folder": str(self.cache), "bytes": self.cache_size},
        }

    def _blocks(self) -> tuple[Block, ...]:
        titles = (("", 0), ("name", 0), ("version", 0), ("wanted", 2), ("what for", 1))
        columns = tuple(Column(title, priority=priority) for title, priority in titles)
        state = OK if self.python_fits else "wrong version"
        cells = (state, "python", self.python, self.requires_python, f"runs it all, on {_machine()}")
        rows = [Row(cells, "" if self.python_fits else BAD)]
        rows += map(_package_row, self.packages)
        rows += [Row((setup.state, setup.name, "", "", setup.purpose), "" if setup else NOTE) for setup in self.setups]
        ready = [Text(f"{setup.name}: {setup.summary}") for setup in self.setups if setup]
        return (Table(columns, tuple(rows)), *ready, *self._remedies(), Text(self._disk()))

    def _remedies(self) -> list[Block]:
        """What to do, each command once: what the main job lacks before the rest."""
        commands: dict[str, list[str]] = {}
        for package in sorted(self.packages, key=lambda package: not package.needed):
            if package.remedy:
                commands.setdefault(package.remedy, []).append(package.failure())
        for setup in self.setups:
            if not setup:
                commands.setdefault(setup.remedy, []).append(f"{setup.name} {setup.summary}")
        return [Text(f"{', '.join(names)}: {command}", NOTE) for command, names in commands.items()]

    def _disk(self) -> str:
        parts = [f"{setup.name} {_megabytes(setup.size)} in {setup.folder}" for setup in self.setups if setup.size]
        return f"on disk: caches {_megabytes(self.cache_size)} in {self.cache}{''.join(f', {part}' for part in parts)}"


def _package_row(package: PackageState) -> Row:
    wanted = package.tested or package.requirement
    state = "" if package.state == OK else BAD if package.needed and not package else NOTE
    cells = (package.state, package.package.name, package.version, wanted, package.package.purpose)
    return Row(cells, state)


def _package_dict(package: PackageState) -> dict[str, Any]:
    return {
        "name": package.package.name,
        "distribution": package.package.distribution,
        "purpose": package.package.purpose,
        "needed": package.needed,
        "state": package.state,
        "version": package.version or None,
        "requirement": package.requirement,
        "tested": package.tested or None,
        "reason": package.reason,
        "remedy": package.remedy,
    }


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f} MB"
