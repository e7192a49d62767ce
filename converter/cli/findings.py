"""The result of lt-verify on a terminal: a verdict that can be read in five seconds, and the figures behind it."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.text import Text

from converter.cli.summary import print_checks


def print_result(console: Console, result: Mapping[str, Any], verbose: bool = False) -> None:
    """Every section that there is, then the verdict.

    Args:
        result: as ``lt-verify --json`` prints it.
    """
    for problem in result["files"]["problems"]:
        console.print(Text(f"{problem['file']} {problem['problem']}", "bold red"), soft_wrap=True)
    if any(model["names_from"] != "manifest" for model in result["models"]):
        _print_names(console, result["models"])
    verification = result.get("verification")
    if verification and verification["checks"]:
        print_checks(console, verification["checks"], verbose)
        feeds = ", ".join(verification["feeds"])
        console.print(f"compared with {result['reference']}, worst of: {feeds}", style="dim", highlight=False)
    _print_more(console, result, verbose)
    if result["verdict"] == "passed" and result["missing"]:
        console.print(Text("verified in part:", "bold yellow"), Text(_parts(result)), soft_wrap=True)
    elif result["verdict"] == "passed":
        console.print(Text("verified", "bold green"), Text(_subject(result)), soft_wrap=True)
    else:
        console.print(Text("NOT VERIFIED", "bold red"), Text(_subject(result)), soft_wrap=True)
        if "layers" not in result and verification and verification["status"] == "failed":
            console.print("--layers names the first layer that is wrong", style="dim")


def _print_more(console, result, verbose):
    """The sections that were asked for."""
    for name, module, function in (
        ("layers", "converter.checks.layers.table", "print_layers"),
        ("dumps", "converter.checks.dumps.table", "print_dumps"),
        ("clip", "converter.checks.clip.table", "print_clip"),
        ("fp16", "converter.checks.half.table", "print_half"),
        ("arm", "converter.checks.arm.table", "print_arm"),
    ):
        if name in result:
            section = result[name]
            for part in section if isinstance(section, list) else [section]:
                getattr(import_module(module), function)(console, part, verbose)


def _print_names(console, models):
    """Which blob was taken for what."""
    for model in models:
        names = ", ".join(
            f"{tensor['name']} = {tensor['meaning']} {'x'.join(map(str, tensor['shape']))}"
            for tensor in model["tensors"]
        )
        found = {"names": "named so in the file", "trial": "found by trying", "--rename": "given"}[model["names_from"]]
        console.print(f"{model['format']} {model['name']:<9} {names}  ({found})", highlight=False, soft_wrap=True)


def _parts(result):
    parts = " and ".join(f"{model['format']} {model['name']}" for model in result["models"])
    missing = " and ".join(
        dict.fromkeys(f"{each['format']} {name}" for each in result["missing"] for name in each["graphs"])
    )
    return f"{parts} of {_subject(result)}; {missing} is missing"


def _subject(result):
    files = ", ".join(file["name"] for model in result["models"] for file in model["files"])
    return f"{result['arch']} in {result['folder'] or files}"
