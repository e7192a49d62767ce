"""A Report through one of the templates beside this module."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from converter.report.blocks import BAD, NOTE, OK, OPEN, Block, Report

Filters = dict[str, Callable[[Any], object]]
STATES = {OK: "passed", BAD: "failed", NOTE: "", OPEN: "not checked"}


def render(template: str, report: Report, filters: Filters) -> str:
    """The text of ``template``; everything in the report is escaped for HTML unless a filter gives Markup."""
    environment = _environment().overlay()
    environment.filters = {**environment.filters, **filters}
    return environment.get_template(template).render(report=report, states=STATES)


def _kind(block: Block) -> str:
    return type(block).__name__.lower()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("converter.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["kind"] = _kind
    return environment
