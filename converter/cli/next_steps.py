"""The command lines that a run ends with; each can be run as it is printed."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import UsageError, VerificationError
from converter.folder.workspace import check_target
from converter.report.blocks import NOTE, Section, Text

if TYPE_CHECKING:
    from converter.spec.options import ExportOptions
    from converter.verifying.result import VerifyResult


def program(name: str) -> str:
    """How a command of ours is called from here: as the one that runs was, where the PATH has another or none."""
    beside = Path(sys.argv[0]).with_name(name)
    on_path = shutil.which(name)
    same = on_path is not None and beside.exists() and beside.samefile(on_path)
    return str(beside) if Path(sys.argv[0]).name.startswith("lt-") and beside.exists() and not same else name


def verify_words(options: "ExportOptions", folder: Path, config: Path | None) -> list[object]:
    """The command that verifies an export."""
    words: list[object] = [program("lt-verify"), folder, "--resume", options.checkpoint]
    words += ["--config", config] if config else []
    words += ["--official", options.official] if options.official else []
    for name, value in (("--atol", options.atol), ("--rtol", options.rtol)):
        words += [] if value is None else [name, value]
    return [*words, *(["--allow-pickle"] if options.allow_pickle else [])]


def reason_of_export(error: VerificationError, config: Path | None, arguments: Sequence[str]) -> Section | None:
    """The command that finds the first wrong layer of models that were not published; None where none does.

    Args:
        error: that ended the run.
        arguments: of the run.
    """
    options: ExportOptions = error.options
    folder = options.output.with_name(f"{options.output.name}-unverified")
    if error.report is None or options.golden or options.protect_fp16 or options.arm or not _readable(options.formats):
        return None
    try:
        check_target(folder)
    except UsageError:
        return None
    export = [program("lt-export"), *arguments, "--no-verify", "--output", folder]
    verify = [*verify_words(options, folder, config), "--layers", "--seed", options.seed]
    verify += [word for image in options.images for word in ("--image", image)]
    return _reason(f"{_line(export)} && {_line(verify)}")


def reason_of_verify(result: "VerifyResult", with_network: bool, arguments: Sequence[str]) -> Section | None:
    """Likewise of a proof that failed.

    Args:
        with_network: whether the network itself was the reference; layers are looked up in it.
    """
    report, formats = result.verification.report, result.subject.tracker.formats
    compared = bool(report.checks) and not report
    if not compared or not with_network or "layers" in result.checks or not _readable(formats):
        return None
    return _reason(_line([program("lt-verify"), *arguments, "--layers"]))


def _readable(formats: Sequence[str]) -> bool:
    """Whether the layers of all formats can be read."""
    from converter.checks.layers.walk import reader_of  # nothing of it is needed where all is well

    try:
        for format in formats:
            reader_of(format)
    except UsageError:
        return False
    return True


def _line(words: Sequence[object]) -> str:
    return shlex.join(map(str, words))


def _reason(line: str) -> Section:
    return Section("next", "What comes next", NOTE, "this finds the first layer that is wrong:", (Text(line),))
