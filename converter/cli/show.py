"""What the commands print at the end: the verdict, then sections."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from converter.errors import VerificationError
from converter.exporting.made import Exported
from converter.exporting.next_steps import next_section
from converter.exporting.page import verdict_line as export_verdict
from converter.proof.section import proof_section
from converter.proof.verify import Report
from converter.report.blocks import Section
from converter.report.terminal import print_section
from converter.report.text import listed

if TYPE_CHECKING:
    from converter.verifying.result import VerifyResult

LISTED = 6  # inputs, by name


def show_result(console: Console, result: "VerifyResult", after: Section | None, verbose: bool = False) -> None:
    """The result of lt-verify.

    Args:
        after: what comes next, where there is something.
    """
    from converter.verifying.page import CHECKS, names_section, verdict_line  # not for lt-export

    _print_verdict(console, verdict_line(result), "" if not result else "yellow" if result.in_part else "green")
    for problem in result.files:
        console.print(Text(str(problem), "bold red"), soft_wrap=True)
    if names := names_section(result):
        print_section(console, names, verbose)
    verification = result.verification
    if verification.report.checks:
        print_section(console, _proof(verification.report), verbose)
        _print_inputs(console, verification.feeds)
    for key in CHECKS:
        if key in result.checks:
            print_section(console, result.checks[key].section(), verbose)
    if after:
        print_section(console, after)


def show_export(console: Console, exported: Exported, verify: Sequence[object], verbose: bool = False) -> None:
    """What an export holds, the figures of its proof, and what comes next.

    Args:
        verify: the words of the command that verifies it.
    """
    manifest = exported.manifest
    _print_verdict(console, export_verdict(exported), "green" if exported else "yellow")
    if exported.report:
        print_section(console, _proof(exported.report), verbose)
        _print_inputs(console, manifest.verification.feeds)
    for each in (exported.steps, exported.arm):
        if each is not None:
            print_section(console, each.section(), verbose)
    print_section(console, next_section(manifest, exported.folder, verify), verbose)


def show_refused(console: Console, error: VerificationError, after: Section | None, verbose: bool = False) -> None:
    """The figures of models that did not pass, and so were not published; arguments as :func:`show_result`."""
    _print_verdict(console, f"NOT VERIFIED {error.options.arch}: nothing was published", "")
    if error.report is not None:
        print_section(console, _proof(error.report), verbose)
    for each in (error.result.steps, error.result.arm) if error.result is not None else ():
        if each is not None:
            print_section(console, each.section(), verbose)
    if after:
        print_section(console, after)


def _proof(report: Report) -> Section:
    return proof_section(report.checks, reference=report.reference)


def _print_inputs(console: Console, feeds: tuple[str, ...]) -> None:
    inputs = listed(feeds) if len(feeds) <= LISTED else f"{len(feeds)} inputs; -v shows each"
    console.print(f"compared on {inputs}", style="dim", highlight=False, soft_wrap=True)


def _print_verdict(console: Console, line: str, colour: str) -> None:
    """Its first words stand out."""
    console.print(Text(line, f"bold {colour or 'red'}"), soft_wrap=True)
