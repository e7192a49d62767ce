"""What verification proves: every graph alone and chained, with stand-ins for loaded graphs."""

import re

import numpy as np
import pytest
from comparisons import Drawn, comparison_of

from converter.errors import VerificationError
from converter.proof.compare import compare
from converter.proof.feeds import Feed
from converter.proof.verify import Check, Report, verify
from converter.spec.tensors import Tolerance

SHAPES = {"z": (1, 1, 2, 2), "x": (1, 1, 4, 4), "zf": (1, 2, 2, 2), "cls": (1, 1, 4, 4), "reg": (1, 4, 4, 4)}
TOLERANCES = dict.fromkeys(("zf", "cls", "reg"), Tolerance(rtol=1e-6))


graph = Drawn(SHAPES).graph
INIT, UPDATE = graph("init", ["z"], ["zf"]), graph("update", ["zf", "x"], ["cls", "reg"])


def template(z):
    return np.concatenate([z, 2 * z], axis=1)


def track(zf, x):
    cls = (x + zf.sum()).astype(np.float32)
    return cls, np.concatenate([cls, x, -x, zf.max() * cls], axis=1)


class Init:
    """Stands for a loaded init graph and remembers its feeds."""

    def __init__(self, change=lambda zf: zf):
        self.change, self.feeds = change, []

    def infer(self, feed):
        self.feeds.append(dict(feed))
        return {"zf": self.change(template(feed["z"]))}


class Update:
    def __init__(self, change=lambda cls, reg: (cls, reg)):
        self.change, self.feeds = change, []

    def infer(self, feed):
        self.feeds.append(dict(feed))
        return dict(zip(("cls", "reg"), self.change(*track(feed["zf"], feed["x"])), strict=True))


def feed_and_answer(name="noise 0", seed=0):
    random = np.random.default_rng(seed)
    z, x = (random.standard_normal(SHAPES[key]).astype(np.float32) for key in ("z", "x"))
    zf = template(z)
    cls, reg = track(zf, x)
    return Feed(name, {"z": z, "x": x}), {"zf": zf, "cls": cls, "reg": reg}


def run(init=None, update=None, tolerances=TOLERANCES, graphs=(INIT, UPDATE), pairs=None, tie=1e-5):
    feeds, answers = zip(*(pairs or [feed_and_answer()]), strict=True)
    comparison = comparison_of(graphs, feeds, answers, tolerances, tie)
    by_name = {"init": init or Init(), "update": update or Update()}
    runners = {model: by_name[model.graph.name] for model in comparison.tracker.models}
    return Report(tuple(verify(comparison, "ncnn", runners)))


def verdicts(report):
    return {(check.graph, check.how): bool(check) for check in report.checks}


def test_faithful_graphs_pass_alone_and_chained():
    report = run()
    assert report
    assert verdicts(report) == {("init", "alone"): True, ("update", "alone"): True, ("update", "chained"): True}
    report.raise_if_failed()


def test_every_feed_is_checked_and_named():
    report = run(pairs=[feed_and_answer("noise 0", 0), feed_and_answer("bag.png", 1)])
    assert [check.feed for check in report.checks] == ["noise 0"] * 3 + ["bag.png"] * 3


def test_alone_eats_the_reference_and_chained_what_init_gave():
    feed, answer = feed_and_answer()
    update = Update()
    run(Init(lambda zf: zf + np.float32(1)), update, pairs=[(feed, answer)])
    alone, chained = update.feeds
    np.testing.assert_array_equal(alone["zf"], answer["zf"])
    np.testing.assert_array_equal(chained["zf"], answer["zf"] + np.float32(1))
    for given in (alone, chained):
        np.testing.assert_array_equal(given["x"], feed.tensors["x"])


def test_init_damage_within_its_own_tolerance_shows_in_the_chain():
    tolerances = {**TOLERANCES, "zf": Tolerance(atol=10)}
    report = run(Init(lambda zf: zf + np.float32(1)), tolerances=tolerances)
    assert verdicts(report) == {("init", "alone"): True, ("update", "alone"): True, ("update", "chained"): False}
    with pytest.raises(VerificationError, match=r"1 of 3 checks, worst in ncnn update \(chained, noise 0\)"):
        report.raise_if_failed()


def test_damage_in_one_output_fails_that_output_only():
    report = run(update=Update(lambda cls, reg: (cls, reg * np.float32(1.01))))
    failed = [(check.how, output.name) for check in report.checks for output in check.outputs if not output]
    assert failed == [("alone", "reg"), ("chained", "reg")]


def test_swapped_outputs_fail():
    report = run(update=Update(lambda cls, reg: (reg, cls)))
    assert not report
    with pytest.raises(VerificationError, match=r"\(1, 4, 4, 4\), expected \(1, 1, 4, 4\)"):
        report.raise_if_failed()


def test_swapped_channels_of_one_shape_fail():
    assert not run(update=Update(lambda cls, reg: (cls, reg[:, ::-1])))


def test_candidate_with_nan_fails_without_a_decision():
    report = run(update=Update(lambda cls, reg: (cls * np.nan, reg)))
    assert not report
    assert report.checks[1].decision is None


def test_init_of_another_shape_fails_and_ends_the_chain():
    report = run(Init(lambda zf: zf[:, :1]))
    assert verdicts(report) == {("init", "alone"): False, ("update", "alone"): True}


def test_another_best_cell_fails_within_tolerance():
    def lower_the_best(cls, reg):
        cls = cls.copy()
        cls.flat[np.argmax(cls)] = cls.min()
        return cls, reg

    tolerances = {**TOLERANCES, "cls": Tolerance(rtol=2)}
    report = run(update=Update(lower_the_best), tolerances=tolerances)
    assert all(output for check in report.checks for output in check.outputs)
    with pytest.raises(VerificationError, match="best cell is"):
        report.raise_if_failed()


@pytest.mark.parametrize(("tie", "passed"), [(0.5, True), (1e-5, False)])
def test_two_cells_are_a_tie_as_near_as_the_caller_says(tie, passed):
    def lower_the_best(cls, reg):
        cls = cls.copy()
        cls.flat[np.argmax(cls)] = cls.min()
        return cls, reg

    feed, answer = feed_and_answer()
    tolerances = {**TOLERANCES, "cls": Tolerance(rtol=2)}
    checks = run(update=Update(lower_the_best), tolerances=tolerances, pairs=[(feed, answer)], tie=tie).checks
    assert [check.decision.tie for check in checks if check.decision is not None] == [passed, passed]
    assert all(checks) == passed


def test_output_without_a_tolerance_is_an_error():
    with pytest.raises(KeyError, match="reg"):
        run(tolerances={"zf": Tolerance(atol=1), "cls": Tolerance(atol=1)})


def test_without_feeds_nothing_is_proved():
    report = Report(tuple(verify(comparison_of([INIT, UPDATE], [], [], TOLERANCES), "ncnn", {})))
    assert not report
    with pytest.raises(VerificationError, match="nothing was compared") as caught:
        report.raise_if_failed()
    assert caught.value.report is report


def test_feeds_and_answers_must_pair_up():
    feed, _ = feed_and_answer()
    with pytest.raises(ValueError, match="1 feeds and 0 reference outputs"):
        comparison_of([INIT], [feed], [], TOLERANCES)


class Renaming:
    """Speaks a file's blob names around a runner that speaks meanings."""

    def __init__(self, inner, names):
        self.inner, self.names = inner, names

    def infer(self, feed):
        meanings = {name: meaning for meaning, name in self.names.items()}
        outputs = self.inner.infer({meanings[name]: array for name, array in feed.items()})
        return {self.names[meaning]: array for meaning, array in outputs.items()}


def test_blobs_named_otherwise_than_their_meaning_are_fed_and_read_by_meaning():
    init = graph("init", ["z"], ["zf"], z="in0", zf="out0")
    update = graph("update", ["zf", "x"], ["cls", "reg"], zf="in0", x="in1", cls="out0", reg="out1")
    report = run(
        Renaming(Init(), {"z": "in0", "zf": "out0"}),
        Renaming(Update(), {"zf": "in0", "x": "in1", "cls": "out0", "reg": "out1"}),
        graphs=(init, update),
    )
    assert report
    assert [[output.name for output in check.outputs] for check in report.checks] == [["zf"], *[["cls", "reg"]] * 2]


def test_message_names_the_output_furthest_outside_and_the_rtol_it_needed():
    def change(cls, reg):
        return cls + np.float32(1e-3), reg + np.float32(1)

    with pytest.raises(VerificationError, match=r"verification failed in 2 of 3 checks") as caught:
        run(update=Update(change)).raise_if_failed()
    assert re.search(r": reg is off by 1\.00e\+00, allowed \S+, more than 10 times as much: the mod", str(caught.value))
    assert caught.value.exit_code == 1


def test_rtol_of_the_message_would_have_passed():
    change = Update(lambda cls, reg: (cls, reg + np.float32(0.123)))
    with pytest.raises(VerificationError) as caught:
        run(update=change, tolerances=dict.fromkeys(TOLERANCES, Tolerance(rtol=5e-3))).raise_if_failed()
    advised = float(re.search(r"--rtol (\S+) would have passed", str(caught.value))[1])
    assert run(update=change, tolerances=dict.fromkeys(TOLERANCES, Tolerance(rtol=advised)))


def test_the_message_names_the_atol_that_its_rtol_stands_beside():
    tolerances = dict(TOLERANCES, zf=Tolerance(atol=1e-3))
    report = run(init=Init(lambda zf: zf + np.float32(5e-3)), tolerances=tolerances, graphs=(INIT,))
    with pytest.raises(VerificationError, match=r"--atol 0\.001 --rtol [\d.e-]+ would have passed"):
        report.raise_if_failed()


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (9.9, r", --rtol [\d.e-]+ would have passed"),
        (10.1, r", more than 10 times as much: the model is wrong"),
    ],
)
def test_a_tolerance_is_offered_within_ten_times_what_is_allowed(times, said):
    report = run(
        init=Init(lambda zf: zf + np.float32(times * 1e-3)),
        tolerances=dict(TOLERANCES, zf=Tolerance(atol=1e-3)),
        graphs=(INIT,),
    )
    failed = [check for check in report.checks if not check]
    assert re.search(rf"allowed 1\.00e-03{said.replace('--rtol', '--atol 0.001 --rtol')}$", failed[0].failure())


def test_no_tolerance_is_offered_where_none_is_allowed():
    report = run(init=Init(lambda zf: zf + np.float32(1)), tolerances=dict(TOLERANCES, zf=Tolerance()), graphs=(INIT,))
    assert report.checks[0].failure().endswith("allowed 0.00e+00")


def test_a_failed_check_without_outputs_says_so():
    report = Report((Check("ncnn", "init", "alone", "noise 0", (), None),))
    with pytest.raises(VerificationError, match="no output was compared"):
        report.raise_if_failed()


def test_check_without_outputs_proves_nothing():
    assert not Check("ncnn", "init", "alone", "noise 0", outputs=(), decision=None)


def test_check_as_dict_holds_the_verdict_and_the_best_cell():
    init, update = run().checks[:2]
    assert (init.as_dict()["passed"], init.as_dict()["best_cell"]) == (True, None)
    best = update.as_dict()["best_cell"]
    assert (best["output"], best["same"]) == ("cls", True)
    bad = compare("zf", np.ones((2, 1)), np.zeros((2, 1)), Tolerance())
    assert Check("ncnn", "init", "alone", "noise 0", (bad,), None).as_dict()["passed"] is False
