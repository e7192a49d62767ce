"""What ``--setup-arm`` says at the end."""

from typing import Any

from rich.console import Console
from rich.text import Text


def print_root(console: Console, root: Any, built: bool) -> None:
    """What ``--setup-arm`` made or found.

    Args:
        root: a :class:`converter.checks.arm.root.ArmRoot`.
    """
    versions = ", ".join(f"{name} {version}" for name, version in root.record.wheels.items())
    console.print(Text("ready" if built else "is there already", "bold green"), Text(str(root.folder)), soft_wrap=True)
    console.print(
        f"aarch64 Python {root.record.hello['python']}, {versions}, {root.qemu}", style="dim", highlight=False
    )
