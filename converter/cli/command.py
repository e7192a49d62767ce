"""What the command lines have in common: logging, signals, and the one place that catches our errors."""

import errno
import logging
import os
import shlex
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import typer
from typer.core import TyperCommand
from typer.exceptions import TyperException
from typer.main import get_command

from converter.cli.ci import CiOutput
from converter.cli.parsing import Words, elsewhere, words_of
from converter.cli.progress import Interruption
from converter.cli.terminal import (
    LONGEST_MESSAGE,
    LogLines,
    Short,
    Stream,
    lost,
    put,
    put_json,
    take_any_end,
    take_any_text,
    within,
)
from converter.errors import ConversionError, ConverterError, UsageError, in_words, near_miss
from converter.util import process
from converter.util.atomic import remove_unfinished
from converter.util.packages import importing

BUG = 70  # EX_SOFTWARE of sysexits.h
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
CI_PATIENCE = 2.0  # seconds, with what a CI service gets of a run that does not unwind


@dataclass
class Session:
    """One call of a command; its function has it as the context's ``obj``.

    Attributes:
        interruption: what a signal to the process becomes.
        ci: what a CI service gets.
        began: when, by ``time.monotonic``; of a process's own call when the process was started.
        arguments: its words, without the program.
        as_json: whether ``--json`` was asked for.
        command_line: the call, as a shell reads it.
    """

    interruption: Interruption
    ci: CiOutput
    began: float = field(default_factory=time.monotonic)
    arguments: tuple[str, ...] = ()
    as_json: bool = False
    command_line: str = ""

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self.began


def log_to_stderr(verbose: bool, quiet: bool) -> None:
    """Warnings and worse; everything of ours with ``verbose``, nothing but errors with ``quiet``.

    Raises:
        UsageError: for both at once.
    """
    if verbose and quiet:
        raise UsageError("--verbose and --quiet contradict each other; pass one of them")
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING
    handler = LogLines(console=Stream(stderr=True), show_time=False, show_path=False)
    handler.setFormatter(Short("%(message)s"))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    for name in ("converter", "official_patches"):
        logging.getLogger(name).setLevel(level)


class Command:
    """A command line: a function with its options, and how a call of it ends.

    Args:
        program: its name.
        undone: what a call leaves behind that a signal has ended, in words.
        advice: option to what to say where the words with it are no command line.
    """

    def __init__(
        self,
        program: str,
        about: str,
        epilog: str,
        advice: Mapping[str, str] | None = None,
        undone: str = "nothing was published",
    ) -> None:
        self.program, self.advice, self.undone = program, advice or {}, undone

        class Advised(Words):
            advice = self.advice

        self.app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode="rich")
        self.entry = self.app.command(
            cls=Advised, help=about, epilog=epilog, context_settings={"help_option_names": ["-h", "--help"]}
        )

    def main(self) -> None:
        """Run it with the words of this process, and end the process with its code."""
        take_any_text()
        take_any_end()
        session = Session(Interruption(self.undone), CiOutput(self.program), time.monotonic() - process.age())
        session.interruption.listen(lambda: self._end(session))
        process.keep_garbage()
        process.leave(self._shown(self.call(sys.argv[1:], session), session))

    def _shown(self, code: int, session: Session) -> int:
        """The exit code once everything is printed.

        A verdict stays what it is, whoever reads it. Where what was printed is all that was asked for, such as JSON, a
        run without it has failed.
        """
        error = lost(sys.stdout)
        if error is None:
            return code
        judged = bool(code) or session.ci.result is not None
        kept = bool(code) or (judged and not session.as_json)
        stands = "; the verdict stands" if judged else ""
        line = f"cannot write to stdout: {error.strerror}{stands}"
        put(f"{self.program}: {'warning' if kept else 'error'}: {line}", sys.stderr)
        return code if kept else ConversionError.exit_code

    def _end(self, session: Session) -> None:
        """End the process where the main thread does not: after a signal, in the middle of what it does."""
        try:
            remove_unfinished()
            if session.interruption.stages:
                session.interruption.stages.stop_at_once()
            if session.interruption.rescue:
                session.interruption.undone = session.interruption.rescue()
            error = Interruption.Interrupted()
            line, code = _ending(self.program, error, session.interruption, {})
            _report(self.program, line, code, session.as_json, error)
            leaving = threading.Thread(target=self._left_for_ci, args=(code, session, error, line), daemon=True)
            leaving.start()
            leaving.join(CI_PATIENCE)  # the main thread may hold what it waits for
        finally:
            os._exit(128 + (session.interruption.number or 0))

    def call(self, arguments: Sequence[str], session: Session | None = None) -> int:
        """Its exit code; whatever ends it early becomes one line on stderr.

        Args:
            session: that of the process; None where nobody listens to signals.
        """
        session = session or Session(Interruption(self.undone), CiOutput(self.program))
        session.command_line = shlex.join([self.program, *arguments])
        session.arguments = tuple(arguments)
        try:
            with importing():
                code = self.app(list(arguments), prog_name=self.program, standalone_mode=False, obj=session) or 0
            return self._left_for_ci(code, session)
        except BaseException as error:
            if isinstance(error, TyperException):
                _read_output_alone(self.app, arguments, session)
            if session.interruption.number is not None and not session.interruption.ends():
                threading.Event().wait()  # the other thread ends the process
            line, code = _ending(self.program, error, session.interruption, self.advice, arguments)
            _report(self.program, line, code, session.as_json, error)
            return self._left_for_ci(code, session, error if code else None, line)

    def _left_for_ci(self, code: int, session: Session, error: BaseException | None = None, line: str = "") -> int:
        """The exit code once a CI service has its files; one that cannot be written fails a run that did not."""
        try:
            session.ci.leave(error, line.removeprefix("error: "))
            return code
        except BaseException as failure:
            text, own = _ending(self.program, failure, session.interruption, self.advice)
            put(f"{self.program}: {text.replace('error', 'warning', 1) if code else text}", sys.stderr)
            return code or own


def _read_output_alone(app: typer.Typer, arguments: Sequence[str], session: Session) -> None:
    """Words that are no command line may still ask for JSON or JUnit's XML: all other options are passed over."""
    command = get_command(app)
    options = [each for each in command.params if each.name in ("as_json", "junit")]
    lenient = {"ignore_unknown_options": True, "allow_extra_args": True}
    alone = TyperCommand(command.name, params=options, context_settings=lenient, add_help_option=False)
    alone.make_context(command.name, list(arguments), resilient_parsing=True, obj=session)


def _ending(
    program: str,
    error: BaseException,
    interruption: Interruption,
    advice: Mapping[str, str],
    words: Sequence[str] = (),
) -> tuple[str, int]:
    """(line, exit code) of what ended a command early."""
    line, code = _cause(program, error, interruption, advice, words)
    return within(" ".join(line.split()), LONGEST_MESSAGE - len(f"{program}: ")), code


def _cause(
    program: str, error: BaseException, interruption: Interruption, advice: Mapping[str, str], words: Sequence[str]
) -> tuple[str, int]:
    """Likewise, in lines of any length."""
    if interruption.number is not None:
        return interruption.line(), 128 + interruption.number
    if isinstance(error, ConverterError):
        return f"error: {error}", error.exit_code
    if isinstance(error, TyperException):
        return f"error: {_refusal(program, error, words, advice)}", 2
    if isinstance(error, SystemExit) and not error.code and interruption.stages is None:
        return "", 0  # of typer, which has shown a shell's completion; no work has begun
    if isinstance(error, KeyboardInterrupt):  # of whoever calls this in a process of his own
        raise error
    cause = (error.__context__ if isinstance(error, SystemExit | typer.Abort) else None) or error
    if isinstance(cause, OSError) and (reason := _surroundings(cause)):
        return f"error: {reason}", 4
    if isinstance(cause, MemoryError):
        return "error: there is not enough memory for this; close other programs", 4
    return f"internal error: {type(cause).__name__}: {cause}; please report it; LT_DEBUG=1 shows more", BUG


def _surroundings(error: OSError) -> str | None:
    """What is wrong with the machine, where an error is about that; None where it is ours."""
    if error.errno in FULL:
        return f"cannot write{f' {error.filename}' if error.filename else ''}: {error.strerror}; free some space"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return f"{error.strerror}; raise the limit (ulimit -n)"
    try:
        os.getcwd()
    except OSError:
        return "the working folder does not exist any more; cd to another one first"
    return None


def _refusal(program: str, error: TyperException, words: Sequence[str], advice: Mapping[str, str]) -> str:
    """What is wrong with the words of a command line, and what to do."""
    parameter = getattr(error, "param", None)
    option = getattr(error, "option_name", "") or getattr(parameter, "metavar", "")
    possible = {each.lstrip("-"): each for each in getattr(error, "possibilities", None) or ()}
    known = advice.get(option)
    if error.message.startswith("No such option"):
        known = known or elsewhere(program, option)
    nearest = near_miss(option.lstrip("-"), possible)
    if nearest and not known:
        return f"{error.message}; did you mean {possible[nearest]}?"
    message = error.message if possible else error.format_message().rstrip(".")
    given = [each for each in words_of(error, words) if each.value is not None and each.parameter is parameter]
    if parameter is not None and given and message.startswith("Invalid value"):
        message = f"{given[-1]}: {in_words(error.message.rstrip('.'))}"
    return f"{message}; {known or f'see {program} --help'}"


def _report(program: str, message: str, code: int, as_json: bool, error: BaseException) -> None:
    """The one line on stderr; on stdout, where JSON was asked for, the same as JSON."""
    if os.environ.get("LT_DEBUG") and error.__traceback__:
        import traceback

        traceback.print_exc()
    if as_json:
        answer = {"exit_code": code, "message": message.removeprefix("error: ")}
        report, result = getattr(error, "report", None), getattr(error, "result", None)
        checks = [check.as_dict() for check in report.checks] if report is not None else []
        found = result.as_dict() if result is not None else {}
        whole = {**found, "error": answer} if found else {"error": {**answer, "checks": checks}}
        put_json(whole)
    put(f"{program}: {message}", sys.stderr)
