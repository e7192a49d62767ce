"""Which release this is."""

from functools import cache
from importlib import metadata

PROJECT = "lighttrack-export"


@cache
def version() -> str:
    return metadata.version(PROJECT)
