"""How the words of a command line are read, where typer's own way would leave a mistake unexplained."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from converter.errors import UsageError

REPEATED = "an option with several values is repeated, as in --search-size 256 --search-size 288"
_TWO_SIDES = re.compile(r"(\d+) ?[xX×*,/] ?(\d+)")


class Words(TyperCommand):
    """A command that refuses a path whose ``~`` nobody expanded: a shell does so at the beginning of a word only."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        for parameter in self.params:
            value: Any = ctx.params.get(parameter.name or "")
            for path in value if isinstance(value, list | tuple) else (value,):
                if isinstance(path, Path) and path.parts[:1] and path.parts[0].startswith("~") and not path.exists():
                    _refuse(parameter.opts[0] if parameter.opts[0].startswith("-") else "", path)
        return rest


def _refuse(option: str, path: Path) -> None:
    try:
        meant = path.expanduser()
    except RuntimeError:
        meant = Path.home().joinpath(*path.parts[1:])
    before = f"{option} " if option else ""
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
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            raise UsageError(f"{option} {text[:80]}: expected a number of pixels")
        return int(text)

    return read
