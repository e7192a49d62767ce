"""A Report through one of the templates beside this module."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from converter.report.blocks import BAD, NOTE, OK, OPEN, Block
from converter.report.text import harmless

Filters = dict[str, Callable[[Any], object]]
STATES = {OK: "passed", BAD: "failed", NOTE: "", OPEN: "not checked"}


def render(template: str, filters: Filters, **values: object) -> str:
    """The text of ``template``; every value is escaped for HTML unless a filter gives Markup."""
    environment = _environment().overlay()
    environment.filters = {**environment.filters, **filters}
    return environment.get_template(template).render(**values, states=STATES)


def _kind(block: Block) -> str:
    return type(block).__name__.lower()


def _harmless(value: object) -> object:
    """Of Markdown a terminal is one of the readers, and HTML has no control characters."""
    if isinstance(value, Markup):
        return Markup(harmless(value))
    return harmless(value) if isinstance(value, str) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("converter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_harmless,
    )
    environment.filters["kind"] = _kind
    return environment
