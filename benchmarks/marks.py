"""Figures in a text: ``<!-- figure demo.share .0% -->61 %<!-- / -->`` is a value of the figures file in a form.

A list of lines stands as an indented block. What lies between the two comments is written by ``filled()``.
"""

import re
from collections.abc import Mapping
from typing import Any

MARK = re.compile(r"(<!-- figure (\S+)(?: (\S+))? -->)(.*?)(<!-- / -->)", re.DOTALL)

Figures = Mapping[str, Any]


def names(text: str) -> list[str]:
    """Of the figures in a text, in order."""
    return [mark[2] for mark in MARK.finditer(text)]


def filled(text: str, figures: Figures) -> str:
    """The text with the file's figures between its comments.

    Raises:
        KeyError: naming a figure that the file does not have.
    """
    return MARK.sub(lambda mark: f"{mark[1]}{_shown(_value(mark[2], figures), mark[3] or '')}{mark[5]}", text)


def _value(name: str, figures: Figures) -> Any:
    value: Any = figures
    for key in name.split("."):
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (LookupError, TypeError, ValueError):
            raise KeyError(f"no figure {name} in the figures file") from None
    return value


def _shown(value: Any, form: str) -> str:
    if isinstance(value, list):
        return "\n\n" + "\n".join(f"    {line}".rstrip() for line in value) + "\n\n"
    shown = format(value, form)
    return f"{shown[:-1]} %" if form.endswith("%") else shown
