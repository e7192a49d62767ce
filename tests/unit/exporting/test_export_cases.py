"""An export as test cases and as a report."""

from report_results import arm, check, checks, output, subject

from converter.exporting.cases import NO_PROOF, export_cases, export_page
from converter.proof.verify import Report
from converter.report.junit import FAILED, PASSED, SKIPPED, Case
from converter.report.markdown import markdown_of

PASSING = Report(tuple(checks()))
FAILING = Report((*checks(), check("init", "noise 2", output("zf", 0.5))))
MANIFEST = subject().manifest


def test_cases_are_the_comparisons_and_the_emulated_cpu():
    assert [case.outcome for case in export_cases(PASSING, None)] == [PASSED] * len(checks())
    assert export_cases(PASSING, arm())[-1] == Case("checks", "arm")
    assert export_cases(PASSING, arm(False))[-1] == Case("checks", "arm", FAILED, arm(False).failure())
    (failed,) = [case for case in export_cases(FAILING, None) if case.outcome != PASSED]
    assert (failed.name, failed.message) == ("ncnn init alone, noise 2", FAILING.checks[-1].failure())


def test_without_proof_nothing_passes():
    assert export_cases(None, None) == [Case("proof", "outputs", SKIPPED, NO_PROOF)]
    page = export_page(MANIFEST, None, None, "", "today")
    assert (page.passed, page.verdict) == (False, "Not verified")
    assert NO_PROOF in page.sentence


def test_the_page_has_the_verdict_the_proof_and_the_files():
    page = export_page(MANIFEST, PASSING, arm(), "", "today")
    assert (page.passed, page.title) == (True, "Verified: export of LightTrackM_Subnet")
    assert [section.key for section in page.sections] == ["outputs", "arm", "files"]
    text = markdown_of(page)
    assert text.startswith("## ✅ Verified")
    for model in MANIFEST.graphs:
        for file in model.files:
            assert file.sha256 in text


def test_what_was_not_published_is_not_verified_whatever_passed():
    page = export_page(None, PASSING, arm(False), "ncnn-arm64: fp16 fails; nothing was published", "today")
    assert (page.passed, page.title) == (False, "Not verified: export")
    assert [section.key for section in page.sections] == ["outputs", "arm"]
    assert markdown_of(page).startswith(
        "## ❌ Not verified: export\n\nNothing was published.\n\n- ncnn-arm64: fp16 fails"
    )
