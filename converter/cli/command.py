"""What the command lines have in common: logging, signals, and the one place that catches our errors."""

import errno
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from typer.exceptions import TyperException

from converter.cli.progress import interruption
from converter.errors import ConverterError, UsageError
from converter.util import process
from converter.util.version import version

HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
BUG = 70  # EX_SOFTWARE of sysexits.h


def new_app() -> typer.Typer:
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


def version_of(program: str):
    """The callback of ``--version``."""

    def callback(value: bool) -> None:
        if value:
            print(f"{program} {version()}")
            raise typer.Exit

    return callback


def option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    """An option of a command line, listed under a heading of its ``--help``."""
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel, **more)


def log_to_stderr(verbose: bool, quiet: bool) -> None:
    """Warnings and worse; everything of ours with ``verbose``, errors only with ``quiet``.

    Raises:
        UsageError: for both at once.
    """
    if verbose and quiet:
        raise UsageError("--verbose and --quiet contradict each other; pass one of them")
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING
    handler = RichHandler(console=Console(stderr=True), show_time=False, show_path=False)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], format="%(message)s", force=True)
    for name in ("converter", "official_patches"):
        logging.getLogger(name).setLevel(level)


def summary_console(as_json: bool) -> Console:
    """Where tables go: stdout, or stderr where stdout carries JSON."""
    return Console(stderr=as_json, width=None if sys.stdout.isatty() else 120)


def finite(option: str, value: float | None) -> float | None:
    if value is not None and not value < float("inf"):
        raise UsageError(f"{option} {value}: expected a finite number of 0 or more")
    return value


def format_names(names: list[str] | None) -> tuple[str, ...]:
    """What ``--format`` was given, each once; empty when it was not."""
    from converter.formats.format import format_of

    for name in names or ():
        format_of(name)
    return tuple(dict.fromkeys(names or ()))


def official_root(given: Path | None, network: Any) -> Path | None:
    """The official checkout to build a network from: what was given, or what the family's variable names.

    Args:
        network: the config.
    """
    from converter.families.family import family_names, family_of

    named = os.environ.get(family_of(network.family).root) if network.family in family_names() else None
    return given or (Path(named) if named else None)


def run(call: Callable[[Sequence[str]], int]) -> None:
    """Run a command line with the words of this process, and end the process with its code."""
    interruption.listen()
    process.keep_garbage()
    process.leave(call(sys.argv[1:]))


def invoke(app: typer.Typer, program: str, arguments: Sequence[str]) -> int:
    """The exit code of a command line; whatever ends it early becomes one line on stderr."""
    as_json = "--json" in arguments
    try:
        return app(list(arguments), prog_name=program, standalone_mode=False) or 0
    except BaseException as error:
        if interruption.number is not None:
            return _report(program, str(interruption), 128 + interruption.number, as_json)
        if isinstance(error, ConverterError):
            return _report(program, f"error: {error}", error.exit_code, as_json, *_findings(error))
        if isinstance(error, TyperException):
            line = f"error: {error.format_message().rstrip('.')}; see {program} --help"
            return _report(program, line, 2, as_json)
        # typer and rich exit where nobody reads stdout any more, typer also at an end of file; both with 1
        cause = (error.__context__ if isinstance(error, SystemExit | typer.Abort) else None) or error
        if isinstance(cause, OSError) and cause.errno in (errno.EPIPE, errno.ENOSPC):  # stdout, mostly
            return _report(program, f"error: cannot write: {cause.strerror}", 4, as_json)
        if not isinstance(error, Exception):
            raise
        line = f"error: bug: {type(cause).__name__}: {cause}; LT_DEBUG=1 shows where, please report it"
        return _report(program, line, BUG, as_json)


def checks_of(error: ConverterError) -> list[dict[str, Any]]:
    """The figures behind a failed verification."""
    report = getattr(error, "report", None)
    return [check.as_dict() for check in report.checks] if report is not None else []


def _findings(error):
    return checks_of(error), getattr(error, "result", None)


def _report(program, message, code, as_json, checks=(), result=None):
    """The one line on stderr; on stdout, where JSON was asked for, the same as JSON."""
    if os.environ.get("LT_DEBUG"):
        import traceback

        traceback.print_exc()
    line = " ".join(message.split())
    if as_json:
        answer = {"exit_code": code, "message": line.removeprefix("error: ")}
        whole = {**result, "error": answer} if result else {"error": {**answer, "checks": list(checks)}}
        with suppress(OSError):  # where stdout cannot be written, stderr says so
            print(json.dumps(whole, indent=2 if result else None))
    print(f"{program}: {line}", file=sys.stderr)
    return code
