"""How an option is declared; the aliases of the files beside this one are all that the commands name."""

from typing import Any

import typer


def option(words: str, help: str, panel: str, **more: Any) -> Any:
    """An option of a command line.

    Args:
        words: its names and, unless it is a flag, what stands for its value: ``--output -o DIR``.
        panel: the heading under which ``--help`` lists it.
    """
    names = [word for word in words.split() if word.startswith("-")]
    metavar = words.split()[len(names) :]
    return typer.Option(
        *names, metavar=metavar[0] if metavar else None, help=help, rich_help_panel=panel, show_default=False, **more
    )
