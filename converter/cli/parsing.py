"""How the words of a command line are read, where typer's own way would leave a mistake unexplained."""

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from converter.errors import CheckpointError, UsageError
from converter.util.paths import why_unusable

REPEATED = "an option with several values is repeated, as in --search-size 256 --search-size 288"
CHECKPOINTS = ("checkpoint", "--resume")
_TWO_SIDES = re.compile(r"(\d+) ?[xX×*,/] ?(\d+)")


class Words(TyperCommand):
    """A command whose paths are looked at before anything else is: each of them, whatever its option is for."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        check_working_folder()
        for parameter in self.params:
            value: Any = ctx.params.get(parameter.name or "")
            for path in value if isinstance(value, list | tuple) else (value,):
                if isinstance(path, Path):
                    check_path(parameter.opts[0], path)
        return rest


def check_working_folder() -> None:
    """Raises:
    UsageError: when the working folder does not exist any more; no path can be told without it.
    """
    try:
        os.getcwd()
    except OSError:
        raise UsageError("the working folder does not exist any more; cd to another one first") from None


def check_path(option: str, path: Path) -> None:
    """Refuse a path that no option can mean, and one whose ``~`` nobody expanded: a shell does so at the beginning of a
    word only.

    Args:
        option: or the argument's name.

    Raises:
        CheckpointError: of a checkpoint.
        UsageError: of anything else.
    """
    before = f"{option} " if option.startswith("-") else ""
    if problem := why_unusable(path):
        raise (CheckpointError if option in CHECKPOINTS else UsageError)(f"{before}{path}: {problem}")
    if path.parts[:1] and path.parts[0].startswith("~") and not os.path.lexists(path):
        _refuse_home(before, path)


def _refuse_home(before: str, path: Path) -> None:
    try:
        meant = path.expanduser()
    except RuntimeError:
        meant = Path.home().joinpath(*path.parts[1:])
    raise UsageError(
        f"{before}{path}: the shell left ~ as it is (it expands it neither behind = nor in quotes), and there is no "
        f"such path; write {before}{meant}"
    )


def pixels(option: str) -> Callable[[str], int]:
    """A reader of the edge of a square crop, for typer.

    Args:
        option: whose value it is.
    """

    def read(text: str) -> int:
        if sides := _TWO_SIDES.fullmatch(text):
            advice = f"pass {option} {sides[1]}" if sides[1] == sides[2] else "pass one of the two"
            if "/" in text:
                advice = f"pass --template-size {sides[1]} --search-size {sides[2]}"
            raise UsageError(f"{option} {text}: crops are square, expected the length of one edge in pixels; {advice}")
        if not text.lstrip("-").isdecimal():
            raise UsageError(f"{option} {text}: expected a number of pixels")
        return int(text)

    return read
