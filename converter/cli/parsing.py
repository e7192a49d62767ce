"""How the words of a command line are read, where typer's own way would leave a mistake unexplained."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import chain, pairwise, repeat
from pathlib import Path
from types import MappingProxyType
from typing import Any

from typer.core import TyperCommand
from typer.exceptions import TyperException
from typer.main import get_command

from converter.errors import CheckpointError, UsageError
from converter.util.paths import why_unusable

REPEATED = "an option with several values is repeated, as in --search-size 256 --search-size 288"
CHECKPOINTS = ("checkpoint", "--resume")
_TWO_SIDES = re.compile(r"(\d+) ?[xX×*,/] ?(\d+)")
_NUMBERS = ("N", "X", "X,Y,W,H", "PIXELS", "SECONDS")  # of a path or a name the last counts, as scripts append it
_ON_OFF = ("on", "off", "yes", "no", "true", "false", "0", "1")
_NO_HYPHENS = "‐‑‒–—―−"  # what word processors and web pages make of - and --


@dataclass(frozen=True)
class Given:
    """One thing on a command line.

    Attributes:
        parameter: typer's; None for an option that there is not.
        name: as it was typed; empty for an argument.
        value: None of a flag.
    """

    parameter: Any
    name: str
    value: str | None

    def __str__(self) -> str:
        return " ".join(word if word else "''" for word in (self.name or None, self.value) if word is not None)


class Words(TyperCommand):
    """A command that refuses what typer takes without a word, and almost never is meant.

    That is: an empty value, one option with two numbers, a word in the wrong place, and a path that no option can mean.

    Attributes:
        advice: option to what to say where the words with it are no command line.
    """

    advice: Mapping[str, str] = MappingProxyType({})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given = list(self.given(args))
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        if not ctx.resilient_parsing:
            check_working_folder()
            _check_places(given, rest, self.advice, len(self.arguments))
            _check_values(given)
            self._check_paths(ctx)
        return rest

    @property
    def arguments(self) -> list[Any]:
        """What is given without an option before it, in its order."""
        return [each for each in self.params if each.param_type_name == "argument"]

    def given(self, args: Sequence[str]) -> Iterator[Given]:
        """What is on a command line, in its order."""
        by_name = {name: each for each in self.params for name in (*each.opts, *each.secondary_opts)}
        arguments = self.arguments or [None]
        places = chain(arguments, repeat(arguments[-1]))
        words = iter(args)
        for word in words:
            name, equals, value = word.partition("=")
            if word == "--":
                yield from (Given(next(places), "", rest) for rest in words)
            elif not word.startswith("-") or word == "-":
                yield Given(next(places), "", word)
            elif (parameter := by_name.get(name)) is not None:
                is_flag = getattr(parameter, "is_flag", False)
                yield Given(parameter, name, None if is_flag else value if equals else next(words, ""))
            elif (parameter := by_name.get(word[:2])) is not None and not getattr(parameter, "is_flag", False):
                yield Given(parameter, word[:2], word[2:])
            else:
                yield Given(None, word, None)

    def _check_paths(self, ctx: Any) -> None:
        for parameter in self.params:
            value: Any = ctx.params.get(parameter.name or "")
            for path in value if isinstance(value, list | tuple) else (value,):
                if isinstance(path, Path):
                    check_path(parameter.opts[0], path)


def words_of(error: TyperException, words: Sequence[str]) -> list[Given]:
    """What was given to a command that has refused its command line."""
    command = getattr(getattr(error, "ctx", None), "command", None)
    return list(command.given(words)) if isinstance(command, Words) else []


def elsewhere(program: str, option: str) -> str | None:
    """Which other command of ours has an option, in words; None where none has."""
    for name in ("export", "verify", "bench", "track", "setup"):
        command = import_module(f"converter.cli.{name}").command  # they import this module
        names = {name for each in get_command(command.app).params for name in each.opts}
        if command.program != program and option in names:
            return f"it is an option of {command.program}, not of {program}"
    return None


def _check_values(given: Sequence[Given]) -> None:
    """Refuse empty values, and two numbers where there is one place."""
    before: dict[str, Given] = {}
    for each in given:
        if each.parameter is None:
            continue
        if each.value == "":
            place = each.name or each.parameter.metavar.strip("[]")
            raise UsageError(f"{place} is empty, expected a value (was a variable not set?)")
        if not each.name or each.parameter.multiple:
            continue
        other = before.setdefault(each.parameter.name, each)
        if each.value is None and (each.name in each.parameter.opts) != (other.name in each.parameter.opts):
            raise UsageError(f"{other} and {each} contradict each other; pass one of them")
        if each.value != other.value and each.parameter.metavar in _NUMBERS:
            raise UsageError(f"{other} and {each}: expected one value, as {each.name} is not repeatable")


def _check_places(given: Sequence[Given], rest: Sequence[str], advice: Mapping[str, str], places: int) -> None:
    """Refuse words that stand where none is expected, and say to which option they probably belong.

    Args:
        places: how many arguments there are, the last of which may take several words.
    """
    words = [each for each in given if not each.name and each.value]
    for each in words:
        if str(each)[0] in _NO_HYPHENS and not os.path.exists(str(each)):
            meant = str(each).lstrip("-" + _NO_HYPHENS)
            raise UsageError(f"{each} begins with {str(each)[0]!r}, which is no hyphen; did you mean --{meant}?")
    if not rest and len(words) < max(2, places + 1):
        return
    for before, each in pairwise(given):
        if not each.name and before.name and not os.path.exists(str(each)) and (said := _behind(before, each, advice)):
            raise UsageError(said)
    if rest:
        expected = _expected(words[:places])
        quotes = "" if os.path.exists(rest[0]) else "; a value with blanks in it needs quotes"
        raise UsageError(f"unexpected {' '.join(rest)}: {expected}{quotes}")


def _expected(taken: Sequence[Given]) -> str:
    """What stands without an option before it, by the words that take its places."""
    names = [each.parameter.metavar.strip("[]") for each in taken]
    if not names:
        return "expected only options"
    if len(names) == 1:
        return f"expected one {names[0]}, and {taken[0]} is it already"
    return f"expected {' '.join(names)}, and {' '.join(map(str, taken))} are they already"


def _behind(option: Given, word: Given, advice: Mapping[str, str]) -> str | None:
    """What to say of a word that stands behind an option that has its value already; None where they seem apart."""
    value, text = option.value, str(word)
    if value is None:
        flag = f"{option.name} takes no value; leave {text} out" if text.lower() in _ON_OFF else None
        return f"unexpected {text}: {advice[option.name]}" if option.name in advice else flag
    if option.parameter.multiple and Path(text).suffix == Path(value).suffix:
        return f"{option} {text}: an option with several values is repeated, as in {option} {option.name} {text}"
    if not (_is_number(value) and _is_number(text)):
        return None
    form = option.parameter.metavar or ""
    if "," in form:
        return f"{option} {text}: expected one word without blanks, {form}"
    return f"{option} {text}: {option.name} takes one value"


def _is_number(text: str) -> bool:
    try:
        return bool(float(text.rstrip(",")) + 1)
    except ValueError:
        return False


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
        if not re.fullmatch(r"-?[0-9]{1,9}", text):
            number = text.strip().removesuffix("px").rstrip()
            advice = f"; pass {option} {number}" if re.fullmatch(r"[0-9]{1,9}", number) else ""
            raise UsageError(f"{option} {text[:80]}: expected a number of pixels{advice}")
        return int(text)

    return read
