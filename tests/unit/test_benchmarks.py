"""The benchmark's arithmetic, refusals and memory sampler; no test looks at how long something takes."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks import export, measure
from benchmarks.export import describe, main, parse
from benchmarks.figures import compare, compare_runs, warnings_about
from benchmarks.flows import FLOWS, Flow, alternate, available, same_weights
from benchmarks.measure import MEGABYTE, Run, measured, memory_of, memory_with_descendants
from benchmarks.report import sentence, table
from converter.bench.statistics import figures

MB = 1 << 20
# written, not only reserved: memory that was never touched is not resident
FILL = f"data = b'x' * (200 * {MB}); import time; time.sleep(1)"
# runs its first argument as code in a process of its own, with the rest as arguments
START = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], check=True)"
WRITE = "import pathlib, sys; p = pathlib.Path(sys.argv[1]); p.mkdir(); [(p / f'{g}.bin').write_bytes(b'1234') for g in"


def python(code, *arguments):
    return [sys.executable, "-c", code, *map(str, arguments)]


def a_run(seconds, cpu_seconds, peak_bytes):
    return Run(seconds=seconds, cpu_seconds=cpu_seconds, peak_bytes=peak_bytes, samples=1, code=0, output="")


@pytest.fixture
def quick_flows(monkeypatch, tmp_path):
    """All flows replaced by commands that only write weights and a letter in a log; the log."""
    log = tmp_path / "log"

    def flow(key):
        # it stays long enough for a look at its memory
        code = f"{WRITE} ('init', 'update')]; open(sys.argv[2], 'a').write('{key}'); import time; time.sleep(0.3)"
        return Flow(f"flow {key}", "", lambda checkpoint, folder: python(code, folder, log), "{graph}.bin")

    for key in FLOWS:
        monkeypatch.setitem(FLOWS, key, flow(key))
    return log


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"")
    return tmp_path / "a.pth"


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3.0], (3, 3, 3)), ([5, 1, 2], (2, 1, 5)), ([4, 1, 2, 100], (3, 1, 100))],
)
def test_figures_have_median_smallest_and_largest(values, expected):
    found = figures(values)
    assert (found.median, found.low, found.high) == expected


def test_ratios_are_of_the_runs_that_belong_together():
    found = compare([10, 20, 40], [5, 30, 10])
    assert found.ratios == (0.5, 1.5, 0.25)
    assert found.ratio == figures([0.5, 0.25, 1.5])
    assert (found.a.median, found.b.median) == (20, 10)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], []), ([1.0, 2.0], [1.0])])
def test_unpaired_runs_are_refused(a, b):
    with pytest.raises(ValueError, match=r".+"):
        compare(a, b)


@pytest.mark.parametrize(
    ("b", "doubtful"),
    [([0.5, 0.99], False), ([1.01, 3.0], False), ([0.5, 1.01], True), ([1.0, 0.5], True), ([1.0, 2.0], True)],
)
def test_order_is_doubtful_when_the_ratios_lie_on_both_sides_of_one(b, doubtful):
    found = compare([1.0] * len(b), b)
    assert found.doubtful is doubtful
    assert any("in doubt" in warning for warning in warnings_about(found)) is doubtful


@pytest.mark.parametrize(("pairs", "warned"), [(1, True), (4, True), (5, False), (6, False)])
def test_fewer_than_five_pairs_are_called_a_hint(pairs, warned):
    warnings = warnings_about(compare([2.0] * pairs, [1.0] * pairs))
    assert [f"only {pairs} of 5" in warning for warning in warnings] == [True] * warned


def test_every_quantity_is_compared_by_itself():
    found = compare_runs([a_run(10, 4, 100)] * 2, [a_run(5, 6, 300)] * 2)
    assert {quantity: each.ratio.median for quantity, each in found.items()} == {
        "seconds": 0.5,
        "cpu_seconds": 1.5,
        "peak_bytes": 3.0,
    }


def test_table_and_sentence_say_the_figures_in_their_units():
    megabytes = int(100 * MEGABYTE)
    found = compare_runs([a_run(10, 4, megabytes)] * 3, [a_run(s, 6, 3 * megabytes) for s in (5, 4, 8)])
    wall, cpu, memory = table(found, "comparisons").rows
    assert wall.cells == ("wall time, s", "10.0 (10.0–10.0)", "5.0 (4.0–8.0)", "0.50 (0.40–0.80)")
    assert cpu.cells[1:] == ("4.0 (4.0–4.0)", "6.0 (6.0–6.0)", "1.50 (1.50–1.50)")
    assert memory.cells[1:] == ("100 (100–100)", "300 (300–300)", "3.00 (3.00–3.00)")
    for figure in ("3 pairs", "0.50 (0.40–0.80) times the wall time", "1.50 times its CPU", "3.00 times its peak"):
        assert figure in sentence(found, "comparisons")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--runs", "0"], "--runs 0: expected 1 or more"),
        (["--runs", "-3"], "--runs -3: expected 1 or more"),
        (["--runs", "many"], "invalid int value"),
        (["--warmup", "-1"], "--warmup -1: expected 0 or more"),
        (["--resume", "/nowhere/a.pth"], "/nowhere/a.pth: no such file"),
        (["--fast"], "unrecognized arguments"),
    ],
)
def test_wrong_usage_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_defaults_are_five_runs_after_one_of_warm_up():
    options = parse([])
    assert (options.runs, options.warmup, options.resume, options.json, options.plot) == (5, 1, None, None, None)
    assert options.output_dir == Path("benchmarks/results")


def test_asking_for_a_plot_without_matplotlib_is_an_error(monkeypatch, capsys):
    monkeypatch.setattr(export, "is_installed", lambda name: False)
    with pytest.raises(SystemExit) as ended:
        parse(["--plot", "a.png"])
    assert ended.value.code == 2
    assert "matplotlib" in capsys.readouterr().err


def test_memory_of_a_process_is_what_it_filled():
    done = measured(python(FILL))
    assert done.code == 0
    assert done.samples > 1
    assert 200 * MB <= done.peak_bytes < 400 * MB


def test_memory_of_a_process_includes_what_it_started():
    done = measured(python(START, START, FILL))
    assert done.code == 0
    assert 200 * MB <= done.peak_bytes < 400 * MB


def test_memory_falls_back_to_rss(monkeypatch):
    monkeypatch.setattr(measure, "MEMORY", "RSS")
    done = measured(python(FILL))
    assert 200 * MB <= done.peak_bytes < 400 * MB


def test_process_that_has_ended_has_no_memory_and_no_descendants():
    with subprocess.Popen(python("")) as child:
        ended = psutil.Process(child.pid)
    assert memory_of(ended) == 0
    assert memory_with_descendants(ended) == 0


def test_cpu_time_includes_children():
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    assert measured(python(START, busy)).cpu_seconds >= 0.5


def test_exit_code_and_output_come_back():
    done = measured(python("import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(3)"))
    assert (done.code, done.output) == (3, "out\nerr\n")


def test_signal_comes_back_as_a_negative_code():
    assert measured(python("import os; os.kill(os.getpid(), 9)")).code == -9


def test_runs_alternate_and_bring_their_weights(quick_flows, checkpoint):
    rounds = []
    runs, found = alternate(FLOWS, checkpoint, 3, lambda number, done: rounds.append((number, set(done))))
    assert quick_flows.read_text() == "ABCABCABC"
    assert rounds == [(number, {"A", "B", "C"}) for number in (1, 2, 3)]
    assert {key: len(flow) for key, flow in runs.items()} == {"A": 3, "B": 3, "C": 3}
    assert found == {key: {"init": b"1234", "update": b"1234"} for key in "ABC"}


def test_a_flow_whose_packages_are_missing_is_left_out(monkeypatch):
    monkeypatch.setitem(FLOWS, "C", replace(FLOWS["C"], packages=("json", "no_such_package")))
    assert list(available()) == ["A", "B"]
    monkeypatch.setitem(FLOWS, "C", replace(FLOWS["C"], packages=("json",)))
    assert list(available()) == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('what happened'); sys.exit(4)", ["what happened", "exit code 4, expected 0"]),
        ("pass", ["no weights init.bin after the run"]),
    ],
)
def test_failing_command_stops_the_benchmark(quick_flows, checkpoint, monkeypatch, tmp_path, capsys, code, words):
    monkeypatch.setitem(FLOWS, "B", Flow("broken", "", lambda *_: python(code), "{graph}.bin"))
    assert main(["--resume", str(checkpoint), "--output-dir", str(tmp_path / "results")]) == 1
    assert quick_flows.read_text() == "A"
    shown = capsys.readouterr().err
    assert [part in shown for part in words] == [True] * len(words)
    assert list((tmp_path / "results").iterdir()) == []


@pytest.mark.parametrize(
    ("update", "words"),
    [
        (b"123456", "update same size, 6 bytes, the same bytes"),
        (b"12345-", "update same size, 6 bytes, other bytes"),
        (b"123", "update DIFFERENT SIZES, 6 and 3 bytes"),
    ],
)
def test_weights_are_compared(update, words):
    found = same_weights({"A": {"init": b"1234", "update": b"123456"}, "B": {"init": b"1234", "update": update}})
    assert found == f"init same size, 4 bytes, the same bytes; {words}"


@pytest.mark.parametrize(("with_matplotlib", "letters"), [(True, "ABC"), (False, "AB")])
def test_all_figures_are_written(quick_flows, checkpoint, monkeypatch, tmp_path, capsys, with_matplotlib, letters):
    monkeypatch.setattr(export, "is_installed", lambda name: with_matplotlib)
    if "C" not in letters:
        monkeypatch.setitem(FLOWS, "C", replace(FLOWS["C"], packages=("no_such_package",)))
    file = tmp_path / "results" / "figures.json"
    code = main(["--resume", str(checkpoint), "--runs", "2", "--json", str(file), "--output-dir", str(tmp_path)])
    assert code == 0
    assert quick_flows.read_text() == letters * 3  # one of them the warm-up
    figures = json.loads(file.read_text())
    assert figures["machine"] == describe()
    assert {key: len(flow) for key, flow in figures["measured"].items()} == dict.fromkeys(letters, 2)
    shown = capsys.readouterr().out
    for about, (first, second) in {"comparisons": "AB", "both_formats": "BC"}.items():
        assert (about in figures) is (second in letters)
        assert (f"{second}/{first}, pair by pair" in shown) is (second in letters)
        if second in letters:
            assert set(figures[about]) == {"seconds", "cpu_seconds", "peak_bytes"}
            seconds = [[run["seconds"] for run in figures["measured"][key]] for key in (first, second)]
            assert figures[about]["seconds"]["ratios"] == [b / a for a, b in zip(*seconds, strict=True)]
    for words in ("warm-up", "round 2", "init same size, 4 bytes", "only 2 of 5", describe()["cpu"], measure.MEMORY):
        assert words in shown
    picture = file.with_suffix(".png")
    assert picture.is_file() is with_matplotlib
    assert ("no plot" in shown) is not with_matplotlib
    if with_matplotlib:
        assert picture.read_bytes().startswith(b"\x89PNG")
