"""The result of lt-verify as test cases: no problem is lost, and nothing fails that has passed."""

from dataclasses import replace

import pytest
from report_results import (
    arm,
    check,
    checks,
    clip,
    dumps,
    full,
    half,
    layers,
    output,
    result,
    subject,
    verification,
    vulkan,
)

from converter.folder.exported import FileProblem
from converter.report.junit import FAILED, PASSED, Case
from converter.verifying.cases import cases_of

CHECKS = {"layers": layers, "clip": clip, "dumps": dumps, "fp16": half, "arm": arm, "vulkan": vulkan}
WRONG = check("update", "noise 2", output("cls", 0.5), same=False)


def bad(found):
    return [case for case in cases_of(found) if case.outcome != PASSED]


def test_a_case_for_every_comparison_and_every_check():
    names = [(case.group, case.name) for case in cases_of(full())]
    compared = [("proof", f"ncnn {each.graph} alone, {each.feed}") for each in checks()]
    assert names == [*compared, *(("checks", key) for key in CHECKS), ("checks", "files")]
    assert bad(full()) == []


def test_what_was_not_asked_for_is_no_case():
    assert [case.group for case in cases_of(result(subject=subject(manifest=False)))] == ["proof"] * len(checks())


@pytest.mark.parametrize("key", CHECKS)
def test_a_check_that_failed_says_why(key):
    failed = CHECKS[key](False)
    assert bad(result(**{key: failed})) == [Case("checks", key, FAILED, failed.failure())]


def test_a_comparison_that_failed_says_why_and_no_other_does():
    report = verification(*checks(), WRONG)
    line = "ncnn update (alone, noise 2): cls is off by 5.00e-01, allowed 1.00e-03, more than 10 times as much: "
    line += "the model is wrong"
    assert report.report.failure() == f"verification failed in 1 of 5 checks, worst in {line}"
    found = result(verification=report, problems=(report.report.failure(),))
    assert bad(found) == [Case("proof", "ncnn update alone, noise 2", FAILED, line)]


def test_files_that_have_changed_are_one_case():
    files = (FileProblem("a.bin", "is missing"), FileProblem("b.bin", "has changed since the export"))
    found = result(files=files, problems=tuple(map(str, files)))
    line = "a.bin is missing; b.bin has changed since the export"
    assert bad(found) == [Case("checks", "files", FAILED, line)]


def test_whatever_else_failed_is_a_case_of_its_own():
    problems = ("update of ncnn is missing", "clip: cannot be read")
    assert bad(result(problems=problems)) == [Case("run", "complete", FAILED, "; ".join(problems))]
    assert bad(replace(result(), problems=("x",), verification=verification())) == [
        Case("run", "complete", FAILED, "x")
    ]
