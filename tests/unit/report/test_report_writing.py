"""Reports appear whole or not at all, in the language that the name says."""

import os
import subprocess
import sys
from importlib.resources import files

import pytest
from report_results import full, result

import converter.report.writing as writing
from converter.errors import ConversionError, UsageError
from converter.report.writing import check_report_path, write_report
from converter.verifying.page import report_of


@pytest.mark.parametrize(("name", "start"), [("a.html", "<!DOCTYPE html>"), ("a.HTM", "<!DOCTYPE"), ("a.md", "## ✅")])
def test_name_says_the_language(tmp_path, name, start):
    path = tmp_path / name
    check_report_path(path)
    write_report(path, report_of(full(), "today"))
    assert path.read_text(encoding="utf-8").startswith(start)
    assert [one.name for one in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.gz", ".md", "html"])
def test_other_names_are_refused(tmp_path, name):
    for attempt in (check_report_path, lambda path: write_report(path, report_of(result(), "today"))):
        with pytest.raises(UsageError) as caught:
            attempt(tmp_path / name)
        assert str(caught.value) == f"--report {tmp_path / name}: expected .html or .md"
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written_are_refused_before_work_begins(tmp_path):
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "loop.html").symlink_to(tmp_path / "loop.html")
    for path, reason in (
        (tmp_path / "folder.html", "is a folder"),
        (tmp_path / "no" / "a.html", f"no folder {tmp_path / 'no'}"),
        (tmp_path / "file" / "a.html", "is not a folder"),
        (tmp_path / "loop.html", "link"),
        (tmp_path / f"{'x' * 300}.html", "name too long"),
    ):
        with pytest.raises(UsageError, match=reason) as caught:
            check_report_path(path)
        assert "\n" not in str(caught.value)


def test_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UsageError, match="no permission to write to"):
        check_report_path(tmp_path / "a.html")


def test_relative_path_is_one_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_report(writing.Path("a.md"), report_of(result(), "today"))
    assert (tmp_path / "a.md").is_file()


def test_earlier_report_is_replaced_and_a_link_stays_one(tmp_path):
    write_report(tmp_path / "real.md", report_of(result(), "yesterday"))
    (tmp_path / "link.md").symlink_to("real.md")
    write_report(tmp_path / "link.md", report_of(result(), "today"))
    assert (tmp_path / "link.md").is_symlink()
    assert (tmp_path / "real.md").read_text().startswith("## ✅")
    assert "Made today" in (tmp_path / "real.md").read_text()


@pytest.mark.parametrize("name", ["README.md", "index.html"])
def test_a_page_of_somebody_else_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("# Mine")
    with pytest.raises(UsageError, match=r"no run of this program wrote; nothing was touched: move it away or choose"):
        write_report(tmp_path / name, report_of(result(), "today"))
    assert (tmp_path / name).read_text() == "# Mine"
    (tmp_path / name).write_text("")
    write_report(tmp_path / name, report_of(result(), "today"))


@pytest.mark.parametrize("fails", ["write_bytes", "replace"])
def test_earlier_report_outlives_a_failure(tmp_path, monkeypatch, fails):
    path = tmp_path / "a.html"
    write_report(path, report_of(result(), "yesterday"))
    before = path.read_text()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((writing.Path, "write_bytes") if fails == "write_bytes" else (os, "replace")), full_disk)
    with pytest.raises(ConversionError, match="No space left on device") as caught:
        write_report(path, report_of(result(), "today"))
    assert "\n" not in str(caught.value)
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["a.html"]


def test_words_that_no_encoding_has_are_written_as_question_marks(tmp_path):
    write_report(tmp_path / "a.html", report_of(result(arch="broken \udcff name"), "today"))
    assert "broken ? name" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_templates_are_part_of_the_package():
    names = {one.name for one in (files("converter.report") / "templates").iterdir()}
    assert {"page.html.j2", "style.css", "summary.md.j2"} <= names


def test_reports_need_neither_torch_nor_a_runtime():
    code = "import sys, converter.report; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & {"torch", "ncnn", "onnx", "onnxruntime", "cv2", "matplotlib"} == set()
