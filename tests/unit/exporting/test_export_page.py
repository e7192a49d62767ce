"""An export as test cases and as a report."""

from dataclasses import replace
from pathlib import Path

from report_results import arm, check, checks, output, subject

from converter.exporting.made import Exported
from converter.exporting.page import NO_PROOF, export_cases, refused_page, report_of
from converter.proof.verify import Report
from converter.report.junit import FAILED, PASSED, SKIPPED, Case
from converter.report.markdown import markdown_of
from converter.report.text import shape
from converter.spec.config import network_for
from converter.spec.options import ExportOptions

PASSING = Report(tuple(checks()))
FAILING = Report((*checks(), check("init", "noise 2", output("zf", 0.5))))
MANIFEST = subject().manifest


def exported(report, on_arm=None):
    arch, network = network_for(None)
    options = ExportOptions(arch=arch, network=network, checkpoint=Path("a.pth"), output=Path("out"))
    return Exported(Path("out"), MANIFEST, report, on_arm, options)


def test_cases_are_the_comparisons_and_the_emulated_cpu():
    assert [case.outcome for case in export_cases(PASSING, None, None)] == [PASSED] * len(checks())
    assert export_cases(PASSING, None, arm())[-1] == Case("checks", "arm")
    assert export_cases(PASSING, None, arm(False))[-1] == Case("checks", "arm", FAILED, arm(False).failure())
    (failed,) = [case for case in export_cases(FAILING, None, None) if case.outcome != PASSED]
    assert (failed.name, failed.message) == ("ncnn init alone, noise 2", FAILING.checks[-1].failure())


def test_what_is_to_be_known_of_the_models_on_their_device_is_on_the_page():
    page = report_of(replace(exported(PASSING), notes=("rknn init: the NPU does not compute Exp",)), "today")
    assert "rknn init: the NPU does not compute Exp" in markdown_of(page)
    assert not report_of(exported(PASSING), "today").warnings


def test_without_proof_nothing_passes():
    assert export_cases(None, None, None) == [Case("proof", "outputs", SKIPPED, NO_PROOF)]
    page = report_of(exported(None), "today")
    assert (page.passed, page.verdict) == (False, "Not verified")
    assert NO_PROOF in page.sentence


def test_the_page_has_the_verdict_the_proof_and_the_files():
    page = report_of(exported(PASSING, arm()), "today")
    assert (page.passed, page.title) == (True, "Verified: export of LightTrackM_Subnet in out")
    assert [section.key for section in page.sections] == ["outputs", "arm", "files"]
    text = markdown_of(page)
    assert text.startswith("## ✅ Verified")
    for model in MANIFEST.graphs:
        for tensor in (*model.inputs, *model.outputs):
            assert f"{tensor.name} {shape(tensor.shape)}" in text
        for file in model.files:
            assert file.sha256 in text


def test_what_was_not_published_is_not_verified_whatever_passed():
    page = refused_page(PASSING, None, arm(False), "ncnn-arm64: fp16 fails; nothing was published", "today")
    assert (page.passed, page.title) == (False, "Not verified: export")
    assert [section.key for section in page.sections] == ["outputs", "arm"]
    assert markdown_of(page).startswith(
        "## ❌ Not verified: export\n\nNothing was published.\n\n- ncnn-arm64: fp16 fails"
    )
