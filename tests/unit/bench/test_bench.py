"""The benchmark's arithmetic, turns, result, table and refusals; no test looks at how long something takes."""

import json
import random
import re
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
from bench_results import BASE, a_result, an_export, options_of, printed

from converter.bench import measure, plot, timed
from converter.bench.candidates import candidates_for
from converter.bench.measure import Clock, Turn, rounds_of
from converter.bench.notes import advice_of
from converter.bench.options import BenchOptions
from converter.bench.statistics import FEWEST_ROUNDS, LEVEL, figures, order_of, sign_test
from converter.bench.timed import TimedModel, TimedRunner
from converter.errors import DependencyError, UsageError
from converter.report.blocks import Report
from converter.report.html import html_of
from converter.report.markdown import markdown_of
from converter.util import machine
from converter.util.machine import this_machine


def test_percentiles_are_interpolated():
    of_five = figures([5.0, 1.0, 4.0, 2.0, 3.0])
    assert (of_five.low, of_five.median, of_five.high) == (1.0, 3.0, 5.0)
    assert (of_five.p10, of_five.p90) == (pytest.approx(1.4), pytest.approx(4.6))


def test_figures_of_one_and_of_many_values():
    one = figures([7.0])
    assert (one.median, one.p10, one.p90, one.low, one.count) == (7, 7, 7, 7, 1)
    many = figures(list(range(101)))
    assert (many.median, many.p10, many.p90, many.low, many.count) == (50, 10, 90, 0, 101)
    with pytest.raises(ValueError, match=r".+"):
        figures([])


@pytest.mark.parametrize(
    ("won", "lost", "chance"),
    [
        (0, 0, 1),
        (1, 0, 1),
        (5, 0, 1 / 16),
        (6, 0, 1 / 32),
        (0, 6, 1 / 32),
        (3, 3, 1),
        (15, 5, 0.04139),
        (14, 6, 0.11532),
    ],
)
def test_sign_test_gives_the_known_values(won, lost, chance):
    assert sign_test(won, lost) == pytest.approx(chance, abs=1e-5)


def test_fewest_rounds_are_the_fewest_that_can_be_certain():
    assert (FEWEST_ROUNDS, LEVEL) == (6, 0.05)
    assert sign_test(6, 0) <= 0.05 < sign_test(5, 0)


@pytest.mark.parametrize(
    ("won", "rounds", "doubtful"), [(20, 20, False), (15, 20, False), (14, 20, True), (0, 20, True), (5, 5, True)]
)
def test_order_is_doubtful_unless_most_rounds_agree_with_it(won, rounds, doubtful):
    order = order_of([1.0] * rounds, [2.0] * won + [0.5] * (rounds - won))
    assert (order.won, order.lost, order.doubtful) == (won, rounds - won, doubtful)


def test_a_drift_common_to_both_leaves_the_order_certain():
    drift = [2.0**number for number in range(8)]
    order = order_of(drift, [1.1 * each for each in drift])
    assert not order.doubtful
    assert order.ratio.p10 == pytest.approx(1.1)


def test_rounds_in_which_both_are_equal_count_for_neither():
    order = order_of([1.0] * 10, [1.0] * 10)
    assert (order.won, order.lost, order.doubtful) == (0, 0, True)


@dataclass
class Fake:
    """Notes its turns in a common log and lets the clock go on."""

    name: str
    log: list
    time: list
    seconds: float = 1.0
    asked: list = field(default_factory=list)
    shares: list = field(default_factory=list)

    def turn(self, runs, seconds):
        self.shares.append(seconds)
        self.log.append(self.name)
        self.asked.append(runs)
        self.time[0] += self.seconds
        return {"init": Turn((self.seconds,) * runs, {}), "update": Turn((self.seconds,) * runs, {})}


def fakes(names="abcd"):
    log, time = [], [100.0]
    return [Fake(name, log, time) for name in names], log


def rounds_in(log, size):
    return ["".join(log[start : start + size]) for start in range(0, len(log), size)]


def taken(monkeypatch, entrants, pauses=None, spent=0.0, **options):
    """All their rounds, by the clock that they let go on."""
    clock = SimpleNamespace(monotonic=lambda: entrants[0].time[0], sleep=[].append if pauses is None else pauses.append)
    monkeypatch.setattr(measure, "time", clock)
    asked = BenchOptions(subject=None, **options)
    return list(rounds_of([each.turn for each in entrants], asked, Clock(asked.seconds, spent)))


def test_everybody_has_one_turn_in_every_round_in_an_order_of_its_own(monkeypatch):
    entrants, log = fakes()
    pauses = []
    turns = taken(monkeypatch, entrants, pauses, rounds=12, runs=3)
    rounds = rounds_in(log, 4)
    assert len(rounds) == 12
    assert {"".join(sorted(each)) for each in rounds} == {"abcd"}
    assert len(set(rounds)) > 4
    assert {each[0] for each in rounds} == set("abcd")
    assert pauses == [0.03] * 48
    assert [len(each) for each in turns] == [4] * 12
    assert all(entrant.asked == [3] * 12 for entrant in entrants)


def test_turns_come_back_to_those_who_had_them(monkeypatch):
    entrants, _ = fakes()
    for place, entrant in enumerate(entrants):
        entrant.seconds = float(place + 1)
    for turns in taken(monkeypatch, entrants, rounds=5, runs=2):
        assert [turn["update"].whole for turn in turns] == [(n, n) for n in (1.0, 2.0, 3.0, 4.0)]


def test_the_seed_decides_the_order(monkeypatch):
    logs = {}
    for run, seed in (("first", 5), ("again", 5), ("other", 6)):
        entrants, logs[run] = fakes()
        taken(monkeypatch, entrants, rounds=6, runs=1, seed=seed)
    assert logs["first"] == logs["again"] != logs["other"]


@pytest.mark.parametrize(("seconds", "rounds"), [(0.5, 1), (4, 1), (7.9, 1), (8, 2), (12.5, 3), (1e9, 10), (None, 10)])
def test_no_round_begins_that_would_end_too_late(monkeypatch, seconds, rounds):
    entrants, log = fakes()  # a round takes 4 s
    turns = taken(monkeypatch, entrants, rounds=10, runs=1, seconds=seconds)
    assert len(turns) == rounds == len(log) / 4


def test_what_went_by_before_the_first_round_counts(monkeypatch):
    entrants, _ = fakes()
    assert len(taken(monkeypatch, entrants, rounds=10, runs=1, seconds=13, spent=4.5)) == 2


def test_turns_of_the_first_round_share_the_time(monkeypatch):
    entrants, log = fakes()  # a turn takes 1 s
    taken(monkeypatch, entrants, rounds=2, runs=1, seconds=20)
    first = {each.name: each.shares[0] for each in entrants}
    assert [first[name] for name in log[:4]] == [5, 19 / 3, 9, 17]
    assert {each.shares[1] for each in entrants} == {np.inf}


def test_stopwatch_leaves_out_the_first_run_of_a_turn_and_sees_graphs_and_whole(monkeypatch):
    time = [0.0]
    monkeypatch.setattr(timed, "time", SimpleNamespace(perf_counter=lambda: time[0]))
    calls = []

    class Runner:
        def __init__(self, name, seconds):
            self.name, self.seconds = name, seconds

        def infer(self, feed):
            calls.append(self.name)
            time[0] += self.seconds
            return {"y": np.zeros(1)}

    runners = {name: TimedRunner(Runner(name, seconds)) for name, seconds in (("a", 1), ("b", 2), ("c", 4))}

    class Model:
        def template(self, z):
            runners["a"].infer({})

        def track(self, x):
            runners["b"].infer({})
            time[0] += 0.5
            return runners["c"].infer({})

    model = TimedModel(Model(), runners, (None,), (None,))
    for _ in range(2):
        calls.clear()
        turns = model.turn(3, np.inf)
        assert calls == ["a"] * 4 + ["b", "c"] * 4
        assert turns["init"] == Turn((1, 1, 1), {"a": (1, 1, 1)})
        assert turns["update"] == Turn((6.5,) * 3, {"b": (2, 2, 2), "c": (4, 4, 4)})
    assert [len(turn.whole) for turn in model.turn(3, 5.5).values()] == [2, 1]  # 2.75 s each, the first run too


@pytest.mark.parametrize(("value", "named"), [(1.0, []), (np.nan, ["cls"]), (np.inf, ["cls"])])
def test_warm_up_looks_at_the_answer(value, named):
    answer = {"cls": np.array([0.0, value]), "reg": np.zeros(2)}
    model = SimpleNamespace(template=lambda z: None, track=lambda x: answer)
    assert TimedModel(model, {}, (None,), (None,)).warm_up(2, np.inf) == named


@pytest.mark.parametrize(("seconds", "runs"), [(np.inf, 5), (2.5, 3), (0.0, 1)])
def test_warm_up_of_a_slow_model_is_short(monkeypatch, seconds, runs):
    time, calls = [0.0], []
    monkeypatch.setattr(timed, "time", SimpleNamespace(perf_counter=lambda: time[0]))

    def call(name):
        calls.append(name)
        time[0] += 1.0
        return {}

    model = SimpleNamespace(template=lambda z: call("init"), track=lambda x: call("update"))
    TimedModel(model, {}, (None,), (None,)).warm_up(5, seconds)
    assert calls == ["init"] * runs + ["update"] * runs


def labels(candidates):
    return [candidate.label for candidate in candidates]


def test_half_is_a_mode_of_ncnn_only():
    there, left_out = candidates_for([an_export()], options_of(threads=(1, 2)))
    assert labels(there) == [
        *("torch fp32, 1 thread", "torch fp32, 2 threads", "ncnn fp32, 1 thread", "ncnn fp32, 2 threads"),
        *("ncnn half, 1 thread", "ncnn half, 2 threads"),
        *("onnxruntime fp32, 1 thread", "onnxruntime fp32, 2 threads"),
    ]
    assert labels(left_out) == ["onnxruntime half, 1 thread", "onnxruntime half, 2 threads"]
    with pytest.raises(UsageError, match=r"only ncnn has a half mode, and the export has no ncnn models"):
        candidates_for([an_export(formats=("onnx",))], options_of(precisions=("half",)))


def test_result_has_an_entry_for_every_candidate_and_part():
    result = a_result().as_dict()
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert result["schema_version"] == 1
    assert result["generator"]["command"] == "lt-bench"
    entries = {(entry["candidate"], entry["part"]): entry for entry in result["results"]}
    assert len(entries) == len(result["results"]) == 8
    found = entries["onnxruntime fp32, 1 thread", "update"]
    assert found["graphs"] == ["backbone", "neck_head"]
    assert [graph["median_ms"] for graph in found["per_graph"]] == [10.0, 10.0]
    assert {found[key] for key in ("median_ms", "p10_ms", "p90_ms", "min_ms")} == {20.0}
    assert (found["runs"], len(found["rounds_ms"])) == (36, 12)
    assert (found["runtime"], found["format"], found["precision"], found["threads"]) == (
        "onnxruntime",
        "onnx",
        "fp32",
        1,
    )
    assert entries["torch fp32, 1 thread", "init"]["median_ms"] == 20.0
    assert entries["torch fp32, 1 thread", "init"]["graphs"] == []


def test_ratios_are_of_every_pair_of_a_part():
    result = a_result().as_dict()
    assert len(result["ratios"]) == 12
    [found] = [
        each
        for each in result["ratios"]
        if each["part"] == "update" and each["slower"].startswith("torch") and each["faster"].startswith("onnx")
    ]
    assert (found["ratio"], found["won"], found["rounds"], found["doubtful"]) == (2.0, 12, 12, False)
    assert found["chance"] == pytest.approx(2 / 2**12, abs=1e-6)


def test_equal_candidates_are_doubtful_and_others_are_not():
    result = a_result()
    doubts = result.as_dict()["doubts"]
    assert {(each["faster"], each["slower"]) for each in doubts} == {("ncnn fp32, 1 thread", "ncnn half, 1 thread")}
    assert {each["part"] for each in doubts} == {"init", "update"}
    text = printed(result, verbose=True)
    assert text.count("1 thread is doubtful") == 2
    assert "update: the order of ncnn fp32, 1 thread and ncnn half, 1 thread is doubtful" in text
    assert "pairs is doubtful" not in text  # of one runtime


def test_noise_larger_than_the_difference_is_called_a_doubt():
    noise = random.Random(1)
    noisy = a_result(factor=lambda candidate, number: noise.uniform(0.2, 5.0))
    assert len({(each["part"], each["faster"], each["slower"]) for each in noisy.as_dict()["doubts"]}) > 2
    assert "spread widely" in printed(noisy)


def test_doubtful_pairs_are_for_verbose():
    result = a_result(factor=lambda candidate, number: 0.01 / BASE[candidate.format])
    assert len(result.doubtful) == 12
    assert "1 thread is doubtful" not in printed(result)
    assert "of 12 pairs is doubtful (-v lists them): pass more --rounds and --seconds" in printed(result)
    assert printed(result, verbose=True).count("1 thread is doubtful") == 12


def test_no_more_than_two_pieces_of_advice_are_shown():
    noise = random.Random(1)
    worst = a_result(rounds=3, factor=lambda *_: noise.uniform(0.2, 5.0), loads=(5.0, 5.0), torch=False, threads=(1, 4))
    assert len(advice_of(worst)) > 3
    assert [line[2:] for line in printed(worst).splitlines() if line.startswith("- ")] == advice_of(worst)[:2]
    for line in advice_of(worst):
        assert line in printed(worst, verbose=True)
        assert re.search(r"(?:: |pass )(?:pass|end|measure|lt-verify)", line), line  # what to do


def test_fewer_rounds_than_can_be_certain_are_one_doubt():
    result = a_result(rounds=3)
    assert len(result.as_dict()["doubts"]) == 12
    text = printed(result)
    assert "3 rounds of 20 fitted into 120 s" in text
    assert "pairs is doubtful" not in text


def test_table_has_a_row_for_everybody_and_marks_doubts():
    text = printed(a_result(), per_graph=True)
    rows = [line.split() for line in text.splitlines()]
    for row in (
        "torch – fp32 1 – 20.0 (20.0–20.0) 20.0 40.0 (40.0–40.0) 40.0 25 4.00",
        "ncnn fp32 fp32 1 12.85 5.00 (5.00–5.00) 5.00 10.0 (10.0–10.0) 10.0 100 1.00",
        "ncnn fp32 half 1 12.85 5.00 (5.00–5.00) 5.00 10.0 (10.0–10.0) 10.0 100 1.00?",
        "onnxruntime – half 1 – – – – – – –",
    ):
        assert row.split() in rows
    assert any(row[-6:] == ["neck_head", "10.00", "10.00", "10.00", "10.00", "36"] for row in rows)
    assert "update is update in ncnn, backbone + neck_head in onnx and track() in torch" in printed(
        a_result(), verbose=True
    )
    assert "on A CPU, 2 cores, Linux 6.1, x86_64, load average 0.1 before and 0.2 after" in text
    assert "The fastest update is that of ncnn fp32, 1 thread: 10.0 (10.0–10.0) ms." in text
    assert "neck_head" not in printed(a_result()).partition("median (p10")[0]


def test_a_page_and_markdown_have_the_same_figures():
    section = a_result().section()
    report = Report("Latency", True, "", "", (), (), (), (section,), "today")
    for text in (html_of(report), markdown_of(report)):
        for figure in ("20.0 (20.0–20.0)", "1.00?", "onnxruntime half is not measured", "backbone"):
            assert figure in text


@pytest.mark.parametrize(("width", "missing"), [(120, ""), (100, "min"), (80, "min init"), (72, "min init Updates/s")])
def test_the_most_important_columns_are_there_at_any_width(width, missing):
    slow = a_result(factor=lambda candidate, number: 99.0 * (1 + 9 * (number % 2)))
    _, titles, *rows = printed(slow, width).splitlines()
    for title in ("Runtime", "Precision", "Threads", "update, ms", "Of fastest"):
        assert title in titles
    for title in missing.split():
        assert title not in titles
    assert any("21780 (3960–39600)" in row and row.endswith(" 4.00") for row in rows)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"torch": False}, "pass --resume CHECKPOINT"),
        ({"half": False}, "this CPU has no half arithmetic"),
        ({"half": True}, "this CPU calculates with half floats"),
        ({"half": None}, "is unknown"),
        ({"loads": (1.9, 2.0)}, "load average 1.9 on 2 cores"),
        ({"threads": (1, 4)}, "4 threads had 2 cores"),
        (
            {"not_finite": {"ncnn half, 1 thread": ["cls"]}},
            "ncnn half, 1 thread answers with values that are not finite",
        ),
        ({"rounds": 12}, "12 of 20 rounds fitted into 120 s"),
        ({"rounds": 5}, "5 rounds of 20 fitted into 120 s, a hint and no measurement: pass more --seconds"),
        ({"late": True}, "120 s were too short to load onnxruntime fp32, 1 thread: pass more --seconds"),
        ({}, "onnxruntime half is not measured"),
        ({}, "torch half is not measured"),
    ],
)
def test_notes_say_what_a_reader_has_to_know(more, words):
    result = a_result(**more)
    assert words in " | ".join(result.as_dict()["notes"])
    assert words in printed(result, verbose=True)


def test_a_quiet_machine_and_enough_rounds_need_no_excuse():
    notes = " | ".join(a_result(rounds=20).as_dict()["notes"])
    for words in ("busy", "rounds", "spread", "threads had", "finite", "--resume"):
        assert words not in notes


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("threads", (0,)),
        ("threads", (1, 1000)),
        ("precisions", ("int8",)),
        ("rounds", 0),
        ("runs", -1),
        ("seconds", 0.0),
        ("seconds", float("nan")),
        ("seconds", float("inf")),
    ],
)
def test_settings_that_measure_nothing_are_refused(option, value):
    with pytest.raises(UsageError, match=rf"^--{option.rstrip('s')}.*expected"):
        BenchOptions(subject=None, **{option: value})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model name\t: A CPU\nflags\t\t: avx avx512_fp16\n", ("A CPU", True)),
        ("model name\t: A CPU\nflags\t\t: avx avx512f f16c\n", ("A CPU", False)),
        ("Features\t: fp asimd fphp asimdhp\n", (None, True)),
        ("Features\t: half thumb neon vfpv4\n", (None, False)),
        ("", (None, None)),
    ],
)
def test_cpu_is_read_as_the_kernel_tells_it(tmp_path, monkeypatch, text, expected):
    (tmp_path / "cpuinfo").write_text(text)
    (tmp_path / "board").write_bytes(b"A Board Rev 1\0")
    monkeypatch.setattr(machine, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(machine, "BOARD", tmp_path / "board")
    name, half = expected
    assert this_machine().cpu == (name or "A Board Rev 1")
    assert this_machine().half_arithmetic is half


@pytest.mark.parametrize("name", ["a.jpg", "a", "nowhere/a.png", "folder.svg"])
def test_a_picture_that_could_not_be_written_is_refused(tmp_path, name):
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(UsageError, match=r"^--plot .*(expected|make it first)"):
        plot.check_plot(tmp_path / name)


def test_a_picture_without_matplotlib_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError, match=r"--plot needs matplotlib, not installed here: pip install .*\[bench\]"):
        plot.check_plot(tmp_path / "a.png")


@pytest.mark.parametrize(("name", "begin"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.SVG", b"<?xml")])
def test_picture_is_drawn(tmp_path, name, begin):
    path = tmp_path / name
    plot.check_plot(path)
    plot.draw(path, a_result(factor=lambda candidate, number: 9.0 if number > 9 else 1.0))
    assert path.read_bytes().startswith(begin)


def test_what_a_picture_says_is_the_result(tmp_path):
    path = tmp_path / "a.svg"
    plot.draw(path, a_result(factor=lambda candidate, number: 1 + number / 10))
    said = set(re.findall(r"<!-- (.*?) -->", path.read_text(), re.DOTALL))  # every text, beside its outlines
    expected = {"ncnn fp32, 1 thread", "onnxruntime fp32, 1 thread", "torch fp32, 1 thread", "update: every frame"}
    assert said >= expected | {"init: once per target", "15.5", "31.0", "62.0"}  # the medians


def test_a_result_is_true_when_its_figures_are_of_sound_models():
    sound, broken = a_result(), a_result(not_finite={"ncnn half, 1 thread": ["cls"], "ncnn fp32, 1 thread": []})
    assert sound
    assert repr(sound).startswith("<The fastest update is that of ncnn")
    assert not broken
    assert "Measured, with problems" in broken._repr_html_()
    assert "ncnn half, 1 thread: cls not finite" in broken._repr_html_()
