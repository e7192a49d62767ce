"""How an option is declared; the aliases of the files beside this one are all that the commands name."""

from typing import Any

import typer


def option(*names: str, panel: str, help: str, metavar: str | None = None, **more: Any) -> Any:
    """An option of a command line, listed under a heading of its ``--help``."""
    return typer.Option(*names, metavar=metavar, help=help, rich_help_panel=panel, show_default=False, **more)
