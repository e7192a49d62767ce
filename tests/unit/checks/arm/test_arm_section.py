"""What is said of the emulated cpu's answers: figures, decisions, NaN and infinity, and the proof of the mode."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from comparisons import tracker_of

from converter.checks.arm import ARM
from converter.checks.arm.section import ArmSection
from converter.checks.device.decision import best_of
from converter.checks.device.modes import MODES, mode_named
from converter.checks.device.probe import Proof, _arithmetic, _storage
from converter.checks.device.section import Blob, BlobCounts, Counts, ModeCheck, ModeResult
from converter.checks.half.masks import DangerousMask
from converter.errors import UsageError
from converter.proof.compare import compare, compare_decision
from converter.proof.verify import Check
from converter.report.blocks import Folded, Points, Table, Text
from converter.spec.network import ModeTolerances
from converter.spec.tensors import Tolerance

ALLOWED = ModeTolerances(tolerances={}, box_pixels=1.0, score=0.05)
TRACKER = tracker_of(())
HALF, FLOAT = Proof(True, "half", "half"), Proof(True, "float32", "float32")


def answer(cell=(2, 3), box=(10.0, 20.0, 30.0, 40.0), score=2.0, cells=6):
    cls = np.full((1, 1, cells, cells), -5.0, np.float32)
    cls[0, 0][cell] = score
    reg = np.ones((1, 4, cells, cells), np.float32)
    reg[0, :, cell[0], cell[1]] = box
    return {"cls": cls, "reg": reg}


def test_best_box_is_measured_from_the_middle_in_pixels():
    best = best_of(answer(), answer(), TRACKER, ALLOWED)
    assert best
    assert best.reference == (0 - 10.0, -16 - 20.0, 0 + 30.0, -16 + 40.0)
    assert (best.moved, best.score_off) == (0.0, 0.0)
    assert best.scores[0] == pytest.approx(1 / (1 + np.exp(-2.0)))


@pytest.mark.parametrize(
    ("candidate", "moved", "words"),
    [
        (answer(box=(10.0, 20.0, 30.0, 41.5)), 1.5, r"the best box is off by 1\.50 pixels, allowed 1"),
        (answer(cell=(2, 4)), 16.0, r"the best box is off by 16\.00 pixels"),
        (answer(score=1.0), 0.0, r"the best score is 0\.731, expected 0\.881 ± 0\.05"),
    ],
)
def test_box_or_score_that_moves_too_far_fails(candidate, moved, words):
    best = best_of(candidate, answer(), TRACKER, ALLOWED)
    assert not best
    assert best.moved == pytest.approx(moved)
    assert re.match(words, best.failure())


def test_boxes_of_cells_that_rank_alike_are_compared_in_one_cell():
    expected, given = answer(), answer(cell=(2, 5))
    expected["cls"][0, 0, 2, 5] = 1.99
    expected["reg"][0, :, 2, 5] = given["reg"][0, :, 2, 5]
    for tie, passed in ((1e-2, True), (1e-5, False)):
        decision = compare_decision("cls", given["cls"], expected["cls"], tie)
        best = best_of(given, expected, TRACKER, ALLOWED, decision)
        assert (decision.tie, bool(best)) == (passed, passed)
    expected["reg"][0, 0, 2, 5] += 3
    assert (
        best_of(given, expected, TRACKER, ALLOWED, compare_decision("cls", given["cls"], expected["cls"], 0.1)).moved
        == 3
    )


def test_probability_is_a_score_as_it_is():
    tracker = replace(TRACKER, network=TRACKER.network.with_scores("sigmoid"))
    assert best_of(answer(score=0.75), answer(score=0.75), tracker, ALLOWED).scores == (0.75, 0.75)


def test_no_best_box_without_both_outputs_or_with_nan():
    broken = answer()
    broken["reg"][0, 0, 0, 0] = np.nan
    assert best_of(broken, answer(), TRACKER, ALLOWED) is None
    assert best_of({"zf": np.zeros((1, 96, 8, 8), np.float32)}, answer(), TRACKER, ALLOWED) is None


def check(given, expected=None, mode="fp16", rtol=0.02, graph="update", feed="noise 0"):
    expected = expected or answer()
    outputs = tuple(compare(name, given[name], expected[name], Tolerance(rtol=rtol)) for name in given)
    counts = {
        name: Counts(array.size, int(np.isnan(array).sum()), int(np.isinf(array).sum()))
        for name, array in given.items()
    }
    comparable = "cls" in given and np.isfinite(given["cls"]).all()
    decision = compare_decision("cls", given["cls"], expected["cls"]) if comparable else None
    compared = Check("ncnn", graph, "chained", feed, outputs, decision)
    return ModeCheck(ARM, mode, compared, best_of(given, expected, TRACKER, ALLOWED), counts)


def with_nan():
    given = answer()
    given["cls"][0, 0, 0, :2] = np.nan
    given["cls"][0, 0, 0, 2] = np.inf
    return given


def result(*checks, proof=HALF, problem=None, blobs=(), mode="fp16"):
    return ModeResult(MODES[mode], proof, problem, checks, blobs, ALLOWED)


def section(*modes, masks=(), half_cpu=True):
    return ArmSection("max", half_cpu, {"ncnn": "1.0", "numpy": "2", "python": "3.11"}, ("noise 0",), modes, masks)


def test_a_check_passes_when_figures_cell_box_and_score_do():
    assert check(answer())
    far = check(answer(cell=(2, 4)), rtol=10.0)
    assert not far
    assert "best cell is (2, 4), expected (2, 3)" in far.failure()
    assert far.as_dict()["best_cell"]["candidate"] == (2, 4)
    assert far.as_dict()["best_box"]["moved"] == 16.0
    moved = check(answer(box=(10.0, 20.0, 30.0, 42.0)), rtol=10.0)
    assert not moved
    assert moved.failure().startswith("update (chained, noise 0): the best box is off by 2.00 pixels")
    off = check(answer(box=(10.0, 20.0, 30.0, 42.0)))
    assert "reg is off by 2.00e+00, allowed 7.80e-01, --arm-rtol 5.2e-02 would have passed" in off.failure()


def test_nan_and_infinity_are_counted_and_fail():
    found = check(with_nan(), rtol=1e9)
    assert not found
    assert found.failure() == "update (chained, noise 0): cls holds 2 NaN and 1 infinite of 36 values"
    assert found.as_dict()["counts"]["cls"] == {"size": 36, "nan": 2, "inf": 1}


def rows(*bad):
    names = ("conv_0", "conv_1", "conv_2")
    return tuple(Blob(name, "Convolution", name, 9, 0, 4 if name in bad else 0, 1.0) for name in names)


def test_first_bad_layer_is_named():
    blobs = BlobCounts("update", "noise 0", rows("conv_1", "conv_2"))
    assert blobs.as_dict()["bad"] == 2
    assert blobs.as_dict()["first_bad"]["layer"] == "conv_1"
    failure = result(check(with_nan()), blobs=(blobs,)).failure()
    assert failure.endswith("; layer conv_1 (Convolution) of update is the first with values that are not finite")
    assert BlobCounts("update", "noise 0", rows()).as_dict()["first_bad"] is None


def test_a_mode_without_proof_or_without_checks_has_not_passed():
    assert result(check(answer()))
    assert not result()
    assert result().failure() == "fp16: nothing was compared, so nothing is proved"
    not_run = result(check(answer()), problem="not run: cortex-a53 has no half arithmetic")
    assert not not_run
    assert not_run.failure() == "fp16: not run: cortex-a53 has no half arithmetic"


def test_a_section_is_as_good_as_its_worst_mode_and_its_masks():
    assert section(result(check(answer())))
    assert not section()
    assert "nothing was run" in section().failure()
    both = section(result(check(answer())), result(check(with_nan(), mode="bf16"), mode="bf16"))
    assert not both
    assert both.failure().startswith(
        "ncnn-arm64 (emulated aarch64): bf16: 1 of 1 checks, update (chained, noise 0): cls holds"
    )
    masked = section(result(check(answer())), masks=(DangerousMask("update", "conv_88", 3, "blob"),))
    assert not masked
    assert "31=3 on layer conv_88 of update" in masked.failure()


def test_json_says_emulated_and_has_no_nan():
    found = section(result(check(with_nan()), blobs=(BlobCounts("update", "noise 0", rows("conv_1")),)), half_cpu=False)
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert json.loads(text)["about"] == (
        "emulated aarch64: ncnn 1.0 in qemu user mode, cpu max, which has no half arithmetic"
    )
    assert found.as_dict()["half_arithmetic"] is False
    assert found.as_dict()["modes"][0]["checks"][0]["format"] == "ncnn-arm64 fp16"


def test_the_section_shows_the_worst_input_and_folds_the_rest():
    near = check(answer(box=(10.0, 20.0, 30.0, 40.2)))
    other = check(answer(box=(10.0, 20.0, 30.0, 40.5)), feed="noise 1")
    blobs = BlobCounts("update", "noise 0", rows("conv_1"))
    found = section(
        result(near, other),
        result(check(with_nan(), mode="bf16"), mode="bf16", blobs=(blobs,)),
    ).section()
    assert found.state == "bad"
    assert "cls holds 2 NaN" in found.summary
    points = "\n".join(line for block in found.blocks if isinstance(block, Points) for line in block.lines)
    assert "box of the best cell within 0.50 pixels (allowed 1)" in points
    assert "seen to store half and to add in half" in points
    assert "2 NaN, 1 infinite" in points
    assert "all finite" in points
    decisions, outputs = (block for block in found.blocks if isinstance(block, Table))
    assert [line.cells for line in decisions.rows] == [
        ("ok", "fp16", "update chained", "same", "0.50", "1", "0.8808", "0.8808", "noise 1")
    ]
    assert [(line.cells[0], *line.cells[2:4], line.state) for line in outputs.rows] == [
        *(("ok", "update chained", "cls", ""), ("ok", "update chained", "reg", "")),
        *(("FAILED", "update chained", "cls", "bad"), ("ok", "update chained", "reg", "")),
    ]
    assert outputs.rows[1].cells[-1] == "noise 1"
    assert outputs.rows[2].cells[-2:] == ("3", "noise 0: 3 of 36 values are NaN or infinite")
    every_decision, every_output, bad = (block for block in found.blocks if isinstance(block, Folded))
    assert [len(block.blocks[0].rows) for block in (every_decision, every_output)] == [2, 6]
    assert [line.cells[0] for line in bad.blocks[0].rows] == ["conv_1"]
    texts = [block.text for block in found.blocks if isinstance(block, Text)]
    assert texts[0].startswith("emulated aarch64: ncnn 1.0 in qemu user mode")
    assert texts[-1] == "bf16 update, noise 0: 1 of 3 blobs are not finite."


def test_a_section_that_passed_names_modes_and_the_largest_move():
    blobs = BlobCounts("update", "noise 0", rows())
    found = section(result(check(answer(box=(10.0, 20.0, 30.0, 40.5))), blobs=(blobs,))).section()
    assert found.state == "ok"
    assert found.summary == (
        "emulated aarch64 agrees with the network in fp16 on 1 input, boxes move by 0.5 pixels at most."
    )
    assert found.blocks[-1].text == "fp16 update, noise 0: all 3 blobs finite."
    assert not any(isinstance(block, Folded) for block in found.blocks)
    far = section(result(check(answer(cell=(2, 4)), rtol=10.0))).section()
    assert next(block for block in far.blocks if isinstance(block, Table)).rows[0].cells[:5] == (
        *("FAILED", "fp16", "update chained", "another", "16.00"),
    )
    masked = section(result(check(answer())), masks=(DangerousMask("update", "conv_88", 3, "blob"),)).section()
    assert any("31=3 on layer conv_88" in line for block in masked.blocks[:2] for line in getattr(block, "lines", ()))
    assert section().section().state == "bad"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        *((257, 2049, "float32"), (257, 2048, "half"), (256, 2048, "bfloat16"), (258, 2048, "bfloat16")),
        *(
            (0, 0, "something else (0, 0)"),
            (257, 2050, "something else (257, 2050)"),
            (256, 2049, "something else (256, 2049)"),
        ),
    ],
)
def test_storage_is_told_from_what_came_through(first, second, expected):
    found = np.resize(np.float32([first, second]), 8)[:, None, None] * np.ones((8, 4, 4), np.float32)
    assert _storage(found) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "float32"), (np.inf, "half"), (-np.inf, "half"), (np.nan, "half"), (1.0, "something else (1 to 1)")],
)
def test_arithmetic_is_told_from_the_sum(value, expected):
    assert _arithmetic(np.full((8, 4, 4), value, np.float32)) == expected


def test_one_finite_value_is_no_half_arithmetic():
    total = np.full((8, 4, 4), np.inf, np.float32)
    total[0, 0, 0] = 0
    assert _arithmetic(total).startswith("something else")


@pytest.mark.parametrize(
    ("mode", "proof", "words"),
    [
        ("fp16", HALF, None),
        ("fp32", FLOAT, None),
        ("fp16s", Proof(True, "half", "float32"), None),
        ("bf16", Proof(False, "bfloat16", "float32"), None),
        (
            "fp16",
            Proof(True, "half", "float32"),
            "a probe was stored in half and added in float32, expected half and half",
        ),
        (
            "fp16",
            Proof(False, "float32", "float32"),
            "cortex-a53 has no half arithmetic, ncnn computes otherwise there",
        ),
        (
            "fp16s",
            Proof(False, "float32", "float32"),
            "cortex-a53 has no half arithmetic, ncnn computes otherwise there",
        ),
        ("fp32", HALF, "expected float32 and float32"),
        ("fp16", Proof(False, "half", "half"), "says that it has no half arithmetic, but a sum overflowed"),
    ],
)
def test_a_mode_is_proved_by_what_the_probe_saw(mode, proof, words):
    missing = proof.missing(MODES[mode], "cortex-a53")
    assert missing is None if words is None else words in missing


def test_modes_differ_in_every_switch_that_matters():
    assert mode_named("fp16", ARM).options["use_fp16_arithmetic"] is True
    assert mode_named("fp16s", ARM).options["use_fp16_arithmetic"] is False
    assert not any(value for name, value in mode_named("fp32", ARM).options.items() if name.startswith("use_"))
    assert len({tuple(mode.options.items()) for mode in MODES.values()}) == 4
    with pytest.raises(UsageError, match=r"--arm-mode int8: expected one of fp32, fp16s, fp16, bf16"):
        mode_named("int8", ARM)
