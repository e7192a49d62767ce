"""Checks as JUnit's XML, which every CI service shows as a list of tests."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from converter.errors import ConversionError
from converter.util.atomic import replacing

PASSED, FAILED, ERROR, SKIPPED = "passed", "failure", "error", "skipped"
# what XML 1.0 has no characters for, and C1 controls, which some readers obey
_NO_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """A test case.

    Attributes:
        group: what the names are of: ``proof``, ``checks``, ``run``.
        name: the same in every run of the same check, so that a CI service can follow it.
        outcome: passed, failure, error (it could not be carried out) or skipped, as JUnit calls them.
        message: why it did not pass, in a line.
    """

    group: str
    name: str
    outcome: str = PASSED
    message: str = ""


@dataclass(frozen=True)
class Suite:
    """All cases of one run.

    Attributes:
        name: of the program.
        seconds: that the run took.
        timestamp: when it ended, in ISO 8601 without a zone, UTC.
    """

    name: str
    cases: Sequence[Case]
    seconds: float
    timestamp: str


def case(group: str, name: str, passed: bool, failure: str) -> Case:
    """A check that was carried out; ``failure`` is its line where it did not pass."""
    return Case(group, name) if passed else Case(group, name, FAILED, failure)


def junit_of(suite: Suite) -> str:
    """A whole XML file."""
    outcomes = [each.outcome for each in suite.cases]
    counts = {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(FAILED)),
        "errors": str(outcomes.count(ERROR)),
    }
    time = f"{suite.seconds:.3f}"
    root = ElementTree.Element("testsuites", counts | {"time": time})
    more = {"name": suite.name, "skipped": str(outcomes.count(SKIPPED)), "time": time, "timestamp": suite.timestamp}
    element = ElementTree.SubElement(root, "testsuite", counts | more)
    for each in suite.cases:
        names = {"classname": f"{suite.name}.{each.group}", "name": _text(each.name)}
        shown = ElementTree.SubElement(element, "testcase", names)
        if each.outcome != PASSED:
            message = _text(each.message) or each.outcome
            ElementTree.SubElement(shown, each.outcome, {"message": message}).text = message
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def write_junit(path: Path, suite: Suite) -> None:
    """Write the XML file, whole or not at all; an earlier one stays until then.

    Raises:
        ConversionError: when it cannot be written.
    """
    try:
        with replacing(path) as draft:
            draft.write_text(junit_of(suite), encoding="utf-8")
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "a link that leads to itself"
        raise ConversionError(f"cannot write {path}: {reason}; the list of tests is lost, the result is not") from None


def _text(words: str) -> str:
    """Words of others in one line."""
    return _NO_TEXT.sub("\N{REPLACEMENT CHARACTER}", " ".join(words.split()))
