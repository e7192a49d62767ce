"""JUnit's XML, read back by a validating parser."""

from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import xmlschema

SCHEMA = xmlschema.XMLSchema(Path(__file__).with_name("junit.xsd"))


@dataclass(frozen=True)
class Read:
    """What a file holds: (class, name) of every case -> (outcome, message); counts as the file says."""

    cases: dict[tuple[str, str], tuple[str, str]]
    counts: dict[str, int]

    def bad(self) -> dict[tuple[str, str], tuple[str, str]]:
        return {name: case for name, case in self.cases.items() if case[0] in ("failure", "error")}


def read_junit(path: Path) -> Read:
    """Raises an error where the file is not valid."""
    SCHEMA.validate(path)
    (suite,) = ElementTree.parse(path).getroot()
    cases = {}
    for case in suite:
        outcome = next(((child.tag, child.get("message")) for child in case), ("passed", ""))
        assert [child.text for child in case] in ([], [outcome[1]])
        cases[case.get("classname"), case.get("name")] = outcome
    counts = {name: int(suite.get(name)) for name in ("tests", "failures", "errors", "skipped")}
    outcomes = [outcome for outcome, _ in cases.values()]
    failures, errors, skipped = map(outcomes.count, ("failure", "error", "skipped"))
    assert counts == {"tests": len(cases), "failures": failures, "errors": errors, "skipped": skipped}
    return Read(cases, counts)
