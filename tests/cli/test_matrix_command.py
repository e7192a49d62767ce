"""lt-matrix through the command line: cells in forks, results that survive whatever ends the run, the table."""

import json
import os
import signal
import subprocess
import time
from xml.etree import ElementTree

import pytest
from test_json_schema import PROGRAMS, checked

from commands import MATRIX, command, environment, lt_matrix
from conftest import TINY

SIZES = ("127/256", "127/288")


@pytest.fixture(autouse=True)
def schema(monkeypatch):
    monkeypatch.setitem(PROGRAMS, "lt-matrix", lt_matrix)


@pytest.fixture
def plan(tiny, tmp_path):
    def write(sizes=SIZES, **more):
        path = tmp_path / "plan.yaml"
        path.write_text(json.dumps({"checkpoints": [str(tiny)], "path_names": [TINY], "sizes": list(sizes), **more}))
        return path

    return write


@pytest.fixture(scope="session")
def finished(once, tiny):
    """The folder of a run with two cells that passed."""

    def make(path):
        words = [word for size in SIZES for word in ("--sizes", size)]
        paths = path.with_name("paths.txt")
        paths.write_text(f"{TINY}\n")
        paths.with_name("paths_metric.txt").write_text(f"{TINY}\t0.5\n")
        done = lt_matrix(tiny, "--paths", paths, *words, "-o", path, "--json", "--junit", path.with_suffix(".xml"))
        assert done.code == 0, done.err
        answer = checked("lt-matrix", done)
        assert json.loads((path / "table.json").read_text()) == answer

    return once("matrix", make)


def records(folder):
    return [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()[1:]]


def test_every_cell_is_exported_and_proved_and_the_table_ranks_them(finished):
    table = json.loads((finished / "table.json").read_text())
    assert (table["verified"], table["exported_now"], len(table["cells"])) == (2, 2, 2)
    assert {cell["sizes"] for cell in table["cells"]} == set(SIZES)
    for cell in table["cells"]:
        manifest = json.loads((finished / cell["manifest"]).read_text())
        assert manifest["verification"]["status"] == "passed"
        assert (
            "/".join(str(manifest["tracker"]["sizes"][0][name]) for name in ("template_size", "search_size"))
            == cell["sizes"]
        )
        assert cell["bytes"] == sum(file["bytes"] for graph in manifest["graphs"] for file in graph["files"])
        assert 0 < cell["error"] < 1e-4
        assert cell["ao"] == 0.5
    errors = [cell["error"] for cell in table["cells"]]
    assert errors == sorted(errors)
    cases = ElementTree.parse(finished.with_suffix(".xml")).findall(".//testcase")
    assert [len(case) for case in cases] == [0, 0]
    assert (finished / "table.html").read_text().count("manifest.json") == 2


def test_a_second_run_does_nothing_again_and_keeps_what_it_is_told(finished, plan, tmp_path):
    folder = tmp_path / "again"
    subprocess.run(["cp", "-r", finished, folder], check=True)
    before = (folder / "results.jsonl").read_bytes()
    done = lt_matrix(plan(), "-o", folder, "--keep", "best:1", "--sort", "bytes", "--json")
    assert done.code == 0, done.err
    answer = checked("lt-matrix", done)
    assert answer["exported_now"] == 0
    assert (folder / "results.jsonl").read_bytes() == before
    assert [cell["manifest"] is not None for cell in answer["cells"]] == [True, False]
    assert [path.name for path in (folder / "models").iterdir()] == [answer["cells"][0]["cell"]]


def test_a_plan_with_mistakes_begins_nothing(plan, tiny, tmp_path):
    supernet = TINY.replace("ops_10", "ops_90")
    file = plan(
        (*SIZES, "127x1"), path_names=[TINY, supernet, TINY.replace("cls_0", "cls_9")], formats=["ncn"], worker=3
    )
    done = lt_matrix(file, "-o", tmp_path / "out", "--json")
    assert done.code == 2
    answer = checked("lt-matrix", done)
    words = [
        "unknown key 'worker'",
        "sizes: '127x1'",
        "formats: ",
        "digit 1 of the ops part",
        "digit 1 of the cls tower",
    ]
    assert len(answer["mistakes"]) == len(words)
    for each in words:
        assert any(each in mistake for mistake in answer["mistakes"]), each
        assert each in " ".join(done.err.split())
    assert "5 mistakes, each in a line above; nothing was begun" in done.error_line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--shard", "3/2"), "--shard 3/2: expected i/n with i from 1 to n"),
        (("--keep", "some"), "--keep some: expected all, none or best:N"),
        (("--sort", "speed"), "--sort speed: expected latency or bytes or error or ao"),
        (("--format", "onnx"), "--format beside the plan"),
        (("--timeout", "nan"), "--timeout nan: expected at least 1"),
        (("--timeout", "1e300"), "--timeout 1e+300: expected 1 to 1000000"),
        (("--bench", "--bench-seconds", "nan"), "--bench-seconds nan: expected at least 0.1"),
        (("--memory", "99999999999999"), "--memory 99999999999999: expected 1 to 1073741824"),
        (("--workers", "1000000000"), "--workers 1000000000: expected 1 to 256"),
        (("--executor", "nonsense"), "--executor nonsense: expected dask://host:port"),
    ],
)
def test_wrong_words(plan, tmp_path, words, line):
    done = lt_matrix(plan(), "-o", tmp_path / "out", *words)
    assert done.code == 2
    assert line in done.error_line


@pytest.mark.parametrize("kind", ["text", "table", "models", "linked results", "linked table", "linked models", "pipe"])
def test_a_folder_with_other_files_is_not_touched(finished, plan, tmp_path, kind):
    """Also not where a name is one of ours and what it names is not."""
    out, mine = tmp_path / "out", tmp_path / "mine"
    name = {"text": "thesis.tex", "table": "table.csv", "models": "models", "linked table": "table.html"}.get(kind)
    name = name or ("models" if kind == "linked models" else "results.jsonl")
    if kind in ("linked table", "linked models"):
        subprocess.run(["cp", "-r", finished, out], check=True)
        subprocess.run(["rm", "-r", out / name], check=True)
    else:
        out.mkdir()
    (mine.mkdir if kind == "linked models" else mine.touch)()
    if kind == "models":
        (out / name).mkdir()
        (out / name / "thesis.tex").write_text("precious")
    elif kind == "pipe":
        os.mkfifo(out / name)
    elif kind.startswith("linked"):
        (out / name).symlink_to(mine)
    else:
        (out / name).write_text("precious")
    before = {path: os.lstat(path).st_mtime_ns for path in (mine, *out.rglob("*"))}
    done = lt_matrix(plan(), "-o", out)
    assert done.code == 2
    assert f"holds {name!r}, which lt-matrix did not write; choose another folder" in done.error_line
    assert {path: os.lstat(path).st_mtime_ns for path in (mine, *out.rglob("*"))} == before


def test_a_draft_of_a_table_that_another_run_writes_is_no_strangers(finished, plan, tmp_path):
    subprocess.run(["cp", "-r", finished, tmp_path / "out"], check=True)
    (tmp_path / "out/.table.0123abcd.html").touch()
    assert lt_matrix(plan(), "-o", tmp_path / "out", "-q").code == 0


def test_a_cell_dies_alone_and_is_done_again_where_asked(plan, tmp_path):
    folder = tmp_path / "out"
    done = lt_matrix(plan(SIZES[:1]), "-o", folder, "--memory", 1, "--json")
    assert done.code == 4
    cell = checked("lt-matrix", done)["cells"][0]
    assert (cell["outcome"], cell["exit_code"], cell["manifest"]) == ("unfinished", 4, None)
    assert "1 not finished for an error" in done.error_line
    assert list((folder / "models").iterdir()) == []
    done = lt_matrix(plan(SIZES[:1]), "-o", folder, "-q")  # a failure is a result, too
    assert done.code == 4
    done = lt_matrix(plan(SIZES[:1]), "-o", folder, "--again", "--keep", "none", "--json")
    assert done.code == 0, done.err
    answer = checked("lt-matrix", done)
    assert (answer["exported_now"], answer["cells"][0]["exit_code"], answer["cells"][0]["message"]) == (1, 0, "")
    assert list((folder / "models").iterdir()) == []


def test_a_run_that_is_killed_goes_on_where_it_was(plan, tmp_path):
    folder, work = tmp_path / "out", tmp_path / "work"
    work.mkdir()
    file = plan(("127/256", "127/272", "127/288"))
    words = command(file, "-o", folder, "--workers", 1, module=MATRIX)
    process = subprocess.Popen(
        words, env=environment(TMPDIR=str(work)), stderr=subprocess.DEVNULL, start_new_session=True
    )
    results = folder / "results.jsonl"
    wait(lambda: results.exists() and results.read_text().count("\n") == 2, 300)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait(lambda: not of_session(process.pid), 60)
    wait(lambda: not list(work.iterdir()), 20)
    before = records(folder)
    assert len(before) == 1
    with results.open("a") as torn:
        torn.write('{"cell": "ab')
    done = lt_matrix(file, "-o", folder, "--json")
    assert done.code == 0, done.err
    assert checked("lt-matrix", done)["exported_now"] == 2
    keys = [record["cell"] for record in records(folder)]
    assert len(set(keys)) == len(keys) == 3
    assert keys[0] == before[0]["cell"]
    assert sorted(path.name for path in (folder / "models").iterdir()) == sorted(keys)


def test_a_cell_that_takes_too_long_and_a_server_that_dies(plan, tmp_path):
    folder, file = tmp_path / "out", plan(SIZES[:1])
    done = lt_matrix(file, "-o", folder, "--timeout", 1, "--json")
    assert done.code == 4
    assert "took longer than 1 s (--timeout)" in checked("lt-matrix", done)["cells"][0]["message"]
    words = command(file, "-o", folder, "--again", "--json", module=MATRIX)
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, start_new_session=True)
    wait(lambda: len(forks := of_worker(process.pid)) > 1 and os.kill(forks[0], signal.SIGKILL) is None, 200)
    answer = json.loads(process.communicate(timeout=300)[0])
    assert (process.returncode, answer["verified"]) == (0, 1)


def test_shards_share_a_folder_and_the_whole_plan_is_their_sum(plan, tmp_path):
    folder = tmp_path / "out"
    for shard in ("1/2", "2/2"):
        done = lt_matrix(plan(), "-o", folder, "--shard", shard, "--json")
        assert done.code == 0, done.err
        assert len(checked("lt-matrix", done)["cells"]) == 1
    done = lt_matrix(plan(), "-o", folder, "--json")
    answer = checked("lt-matrix", done)
    assert (answer["exported_now"], answer["verified"]) == (0, 2)
    assert {path.name for path in folder.glob("results-*")} == {"results-1-of-2.jsonl", "results-2-of-2.jsonl"}


def test_models_are_measured_when_all_are_exported(finished, plan, tmp_path):
    folder = tmp_path / "again"
    subprocess.run(["cp", "-r", finished, folder], check=True)
    done = lt_matrix(plan(SIZES, bench=True), "-o", folder, "--bench-seconds", 1, "--json")
    assert done.code == 0, done.err
    answer = checked("lt-matrix", done)
    assert (answer["sort"], answer["exported_now"]) == ("latency", 0)
    times = [cell["latency"] for cell in answer["cells"]]
    assert times == sorted(times)
    assert min(times) > 0
    assert any(cell["pareto"] for cell in answer["cells"])


def wait(until, seconds):
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.1)


def of_session(number):
    """Processes of a session, by their numbers."""
    listed = subprocess.run(["ps", "-eo", "pid,sess,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()[1:]]
    return [pid for pid, session, state in rows if session == str(number) and not state.startswith("Z")]


def of_worker(number):
    """The process that forks, and its forks, in the order in which they were started."""
    listed = subprocess.run(["ps", "-eo", "pid,sess,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()[1:]]
    return sorted(int(pid) for pid, session, words in rows if session == str(number) and "matrix.worker" in words)
