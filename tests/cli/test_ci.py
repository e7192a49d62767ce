"""What the commands leave for a CI service: --junit, annotations, and GitHub's job summary."""

import json
import os
import shutil
import signal
import subprocess

import pytest
from default_inputs import INPUTS
from junit import read_junit

import converter.report.junit as renderer
from commands import command, environment, lt_bench, lt_export, lt_verify
from conftest import TINY

PROOF = [f"ncnn {run}, {name}" for name in INPUTS for run in ("init alone", "update alone", "update chained")]
STRICT = ("--atol", 0, "--rtol", 1e-12)
OLD = '<testsuites><testsuite tests="1" name="lt-export"></testsuite></testsuites>'


@pytest.fixture
def words(tiny, tmp_path):
    """A command line of lt-export."""
    return "--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "--junit", tmp_path / "a.xml"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.xml"


def test_an_export_has_a_case_for_every_comparison(words, file):
    assert lt_export(*words).code == 0
    assert list(read_junit(file).cases.items()) == [(("lt-export.proof", name), ("passed", "")) for name in PROOF]


def test_an_export_without_proof_has_passed_nothing(words, file):
    assert lt_export(*words, "--no-verify").code == 0
    ((name, (outcome, said)),) = read_junit(file).cases.items()
    assert (name, outcome) == (("lt-export.proof", "outputs"), "skipped")
    assert said == "--no-verify: nothing was compared, so nothing is proved"


def test_an_export_that_fails_is_written_too(words, file):
    done = lt_export(*words, *STRICT)
    assert done.code == 1
    read = read_junit(file)
    assert [name for _, name in read.cases] == PROOF
    assert read.counts["failures"] == len(read.bad()) == len(PROOF)
    worst = done.error_line.partition("worst in ")[2].removesuffix("; nothing was published")
    assert worst in [said for _, said in read.cases.values()]


def test_a_verification_has_a_case_for_every_check(tiny_export, tiny, file):
    done = lt_verify(tiny_export, "--resume", tiny, "--layers", "--fp16-report", "--junit", file, "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["verdict"] == "passed"
    names = [*(f"proof {name}" for name in PROOF), "checks layers", "checks fp16", "checks files"]
    assert [f"{group.removeprefix('lt-verify.')} {name}" for group, name in read_junit(file).cases] == names
    assert read_junit(file).bad() == {}


def test_every_problem_of_a_verdict_is_in_the_file(tiny_export, tiny, tmp_path, file):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    (export / "lighttrack_init.param").unlink()
    done = lt_verify(export, "--resume", tiny, "--junit", file, "--json")
    assert done.code == 1
    result = json.loads(done.out)
    bad = read_junit(file).bad()
    said = [line for _, line in bad.values()]
    assert len(result["problems"]) > 1
    assert all(any(problem in line for line in said) for problem in result["problems"])
    assert bad["lt-verify.checks", "files"] == ("failure", "lighttrack_init.param is missing")


@pytest.mark.parametrize(
    ("more", "code"),
    [(("--resume", "nowhere.pth"), 3), (("--seed", "x"), 2), (("--nope",), 2), (("--layers",), 2)],
)
def test_what_keeps_a_run_from_a_verdict_is_an_error(tiny_export, file, more, code):
    for line in (("--junit", file, *more), (*more, f"--junit={file}")):
        file.write_text(OLD)
        done = lt_verify(tiny_export, *line)
        assert done.code == code
        said = done.error_line.removeprefix("lt-verify: error: ")
        assert read_junit(file).cases == {("lt-verify.run", "complete"): ("error", said)}


def test_a_bug_of_ours_is_an_error(words, file, monkeypatch):
    import hashlib

    def broken(*_, **__):
        raise ZeroDivisionError("a made-up bug")

    monkeypatch.setattr(hashlib, "file_digest", broken)
    assert lt_export(*words).code == 70
    assert read_junit(file).cases["lt-export.run", "complete"][0] == "error"


def test_a_signal_is_an_error(words, file, tmp_path):
    process = subprocess.Popen(command(*words), env=environment(), stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline().startswith("network ")
    process.send_signal(signal.SIGTERM)
    assert "interrupted by SIGTERM" in process.communicate(timeout=60)[1]
    assert process.returncode == 128 + signal.SIGTERM
    said = "interrupted by SIGTERM; nothing was published"
    assert read_junit(file).cases == {("lt-export.run", "complete"): ("error", said)}


@pytest.mark.parametrize("first", [True, False])
def test_a_file_that_could_not_be_written_is_refused_before_any_work(tiny_export, tiny, tmp_path, first):
    (tmp_path / "folder.xml").mkdir()
    (tmp_path / "loop.xml").symlink_to(tmp_path / "loop.xml")
    for path, reason in (
        (tmp_path / "folder.xml", "is a folder, expected a file to write"),
        (tmp_path / "out.param", "expected .xml"),
        (tmp_path / "no/a.xml", f"no folder {tmp_path / 'no'}; make it first"),
        (tmp_path / "loop.xml", "link"),
    ):
        line = ("--junit", path, "--json") if first else ("--json", "--junit", path)
        done = lt_verify(tiny_export, "--resume", tiny, *line)
        assert done.code == 2
        assert reason in done.error_line
        assert json.loads(done.out)["error"]["exit_code"] == 2
    assert lt_export("--resume", tiny, "--junit", tmp_path).code == 2


@pytest.mark.parametrize(("more", "code", "word"), [((), 4, "error"), (STRICT, 1, "warning")])
def test_a_file_that_cannot_be_written_is_never_in_place_of_a_verdict(
    tiny_export, tiny, file, monkeypatch, more, code, word
):
    def full_disk(_):
        raise OSError(28, "No space left on device")

    file.write_text(OLD)
    monkeypatch.setattr(renderer, "junit_of", full_disk)
    done = lt_verify(tiny_export, "--resume", tiny, "--junit", file, "--json", *more)
    assert done.code == code
    assert json.loads(done.out)["verdict"] == ("failed" if more else "passed")
    reason = "No space left on device; the list of tests is lost, the result is not"
    assert done.err.splitlines()[-1] == f"lt-verify: {word}: cannot write {file}: {reason}"
    assert file.read_text() == OLD
    assert sorted(os.listdir(file.parent)) == ["a.xml"]


def test_words_in_a_wrong_order_overwrite_no_model(tmp_path):
    (tmp_path / "a.param").write_text("a model")
    assert lt_verify("--init", "--junit", "a.param", "--nope", cwd=tmp_path).code == 2
    assert (tmp_path / "a.param").read_text() == "a model"


def test_help_writes_nothing(file):
    assert lt_export("--junit", file, "--version").code == 0
    assert not file.exists()


def test_a_failure_is_annotated_on_stderr(tiny_export, tiny, tmp_path):
    where = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tiny_export.parent)}
    done = lt_verify(tiny_export, "--resume", tiny, *STRICT, "--json", **where)
    assert json.loads(done.out)["verdict"] == "failed"
    lines = [line for line in done.err.splitlines() if line.startswith("::")]
    said = done.error_line.removeprefix("lt-verify: error: ").replace("%", "%25")
    assert lines == [f"::error file={tiny_export.name}/manifest.json::{said}"]
    done = lt_export("--resume", "50%.pth", cwd=tmp_path, **where)
    assert "::error file=50%25.pth::checkpoint 50%25.pth: no such file" in done.err
    assert "\n::error::" in lt_bench("--nope", **where).err


@pytest.mark.parametrize("variables", [{}, {"GITHUB_ACTIONS": ""}, {"GITHUB_ACTIONS": "false"}])
def test_elsewhere_nothing_is_annotated(tiny_export, variables):
    assert "::" not in lt_verify(tiny_export, "--resume", "nowhere.pth", **variables).err


def test_the_report_is_appended_to_the_job_summary(words, tiny_export, tiny, tmp_path):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    where = {"GITHUB_STEP_SUMMARY": str(summary)}
    assert lt_export(*words, **where).code == 0
    assert lt_verify(tiny_export, "--resume", tiny, "--json", **where).code == 0
    assert lt_verify(tiny_export, "--resume", tiny, *STRICT, **where).code == 1
    assert lt_export(*words, *STRICT, **where).code == 1
    assert lt_verify(tiny_export, "--resume", "nowhere.pth", **where).code == 3
    lines = summary.read_text().splitlines()
    assert lines[0] == "before"
    assert [line[: line.find(":")] for line in lines if line.startswith("## ")] == [
        *("## ✅ Verified", "## ✅ Verified", "## ❌ Not verified", "## ❌ Not verified", "## ❌ Not finished")
    ]
    assert sum(line.startswith("### Outputs") for line in lines) == 4


def test_a_summary_that_cannot_be_written_changes_no_verdict(tiny_export, tiny, tmp_path, file):
    for summary in (tmp_path, tmp_path / "no/summary.md"):
        where = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_ACTIONS": "true"}
        done = lt_verify(tiny_export, "--resume", tiny, "--junit", file, **where)
        assert done.code == 0
        assert "verified LightTrackM_Subnet" in done.out
        assert f"the job summary {summary} lacks this run" in " ".join(done.err.split())
        assert read_junit(file).bad() == {}


def test_a_job_summary_that_is_a_pipe_is_not_waited_for(tiny_export, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    done = lt_verify(tiny_export, "--resume", "nowhere.pth", GITHUB_STEP_SUMMARY=str(tmp_path / "pipe"))
    assert done.code == 3
    assert "lacks this run: is a pipe" in " ".join(done.err.split())
