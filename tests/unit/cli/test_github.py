"""What GitHub Actions reads: annotations that nothing in a message can end, and a summary that GitHub takes."""

from pathlib import Path

import pytest
from report_results import full, layers, result

from converter.cli.github import SUMMARY_LIMIT, TOO_LONG, annotation, append_summary
from converter.report.markdown import markdown_of
from converter.verifying.page import report_of


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    return tmp_path


def test_an_annotation_is_one_line_whatever_is_in_it():
    said = annotation("50 % off\r\n::set-output name=verified::true: a, b", Path("a,b: 1%\n::stop-commands::x"))
    assert said == (
        "::error file=a%2Cb%3A 1%25%0A%3A%3Astop-commands%3A%3Ax::"
        "50 %25 off%0D%0A::set-output name=verified::true: a, b"
    )
    assert annotation("no file", None) == "::error::no file"


def test_files_are_named_from_the_checkout_on(workspace, monkeypatch):
    (workspace / "models").mkdir()
    monkeypatch.chdir(workspace / "models")
    assert (
        annotation("x", Path("a.pth")) == annotation("x", workspace / "models/a.pth") == "::error file=models/a.pth::x"
    )
    assert annotation("x", Path("/elsewhere/a.pth")) == "::error file=/elsewhere/a.pth::x"
    monkeypatch.delenv("GITHUB_WORKSPACE")
    assert annotation("x", Path("a.pth")) == "::error file=a.pth::x"


def test_a_report_is_appended_to_what_is_there(tmp_path):
    path = tmp_path / "summary.md"
    report = report_of(full(), "today")
    append_summary(path, report)
    append_summary(path, report)
    assert path.read_text() == 2 * f"\n{markdown_of(report)}"


def test_one_that_is_too_long_keeps_its_verdict(tmp_path):
    path = tmp_path / "summary.md"
    report = report_of(full(False), "today")
    path.write_bytes(b"x" * (SUMMARY_LIMIT - 1 - len(markdown_of(report).encode())))
    append_summary(path, report)  # the last that fits
    assert path.stat().st_size == SUMMARY_LIMIT
    path.write_bytes(b"x" * (SUMMARY_LIMIT - len(markdown_of(report).encode())))
    append_summary(path, report)
    text = path.read_text().lstrip("x")
    assert path.stat().st_size <= SUMMARY_LIMIT
    assert text.startswith("\n## ❌ Not verified")
    assert "- cls is off\n" in text
    assert TOO_LONG.partition(";")[0] in text
    assert "<details>" not in text


def test_one_that_does_not_fit_at_all_is_refused(tmp_path):
    path = tmp_path / "summary.md"
    path.write_bytes(b"x" * SUMMARY_LIMIT)
    with pytest.raises(ValueError, match=f"it holds {SUMMARY_LIMIT} bytes"):
        append_summary(path, report_of(result(), "today"))
    assert path.stat().st_size == SUMMARY_LIMIT


def test_a_large_report_fits(tmp_path):
    append_summary(tmp_path / "summary.md", report_of(result(layers=layers(False, 5000, walks=20)), "today"))
    assert TOO_LONG.partition(";")[0] not in (tmp_path / "summary.md").read_text()
