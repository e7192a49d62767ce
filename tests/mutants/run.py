"""Put mutants into a copy of the tree, one at a time, and say which of them the tests notice.

``mutants.yaml`` says of each what it breaks and which tests concern it.
"""

import argparse
import compileall
import os
import py_compile
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue

from entries import ROOT, Mutant, node_id, place_of, read_list, sources
from rich.console import Console
from rich.table import Table

LEFT_OUT = ("LIGHTTRACK_ROOT", "STARK_ROOT", "NANOTRACK_ROOT", "LT_DEBUG", "PYTEST_ADDOPTS", "PYTHONPATH")
ENOUGH = 0.9  # of all mutants have to be killed; a reason excuses the others
KILLED, SURVIVED, BROKEN = "killed", "SURVIVED", "broken"


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant: KILLED, SURVIVED or BROKEN, and by which test or why.

    Attributes:
        killers: tests that must not fail without it.
    """

    mutant: Mutant
    place: str
    verdict: str
    what: str
    killers: Sequence[str]
    seconds: float


def environment() -> dict[str, str]:
    """Of the tests; the trained checkpoint is found although the copy lies elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    shared = ROOT.parent / "shared"
    near = {"LT_SHARED": str(shared)} if "LT_SHARED" not in kept and shared.is_dir() else {}
    return {**kept, **near, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def copy_tree(folder: Path) -> Path:
    """The tree as it stands, uncommitted work included, without what git ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    by_content = py_compile.PycInvalidationMode.CHECKED_HASH  # by time and size, a mutant can look like the original
    compileall.compile_dir(folder / "converter", quiet=2, invalidation_mode=by_content)
    words = [sys.executable, "-c", "import converter; print(converter.__file__)"]
    done = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, check=True, text=True)
    assert Path(done.stdout.strip()).is_relative_to(folder), f"{done.stdout} would be tested, not {folder}"
    return folder


def run_tests(folder: Path, tests: Iterable[str], timeout: float, *more: str) -> tuple[int | None, list[str]]:
    """pytest's exit code, None when it took too long, and the tests that failed."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as base:
        words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={base}/base", *more]
        process = subprocess.Popen(
            [*words, *tests],
            cwd=folder,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # of the session that was started for it
            process.communicate()
            return None, []
    return process.returncode, re.findall(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", out, re.MULTILINE)


def judge(mutant: Mutant, texts: dict[str, str], folder: Path, timeout: float) -> Outcome:
    """Put a mutant into a copy, run its tests there, and take it out again."""
    path, line = place_of(mutant, texts)
    start = time.perf_counter()
    try:
        (folder / path).write_text(texts[path].replace(mutant.old, mutant.new))
        code, failed = run_tests(folder, map(node_id, mutant.tests), timeout, "-x")
    finally:
        (folder / path).write_text(texts[path])
    if code is None:
        verdict, what, killers = KILLED, f"took longer than {timeout:g} s", [*map(node_id, mutant.tests)]
    elif code == 1 and failed:
        verdict, what, killers = KILLED, failed[0].rpartition("/")[2], failed
    elif code == 0:
        verdict, what, killers = SURVIVED, mutant.reason, []
    else:
        verdict, what, killers = BROKEN, f"pytest's exit code is {code}", []
    return Outcome(mutant, f"{path}:{line}", verdict, what, killers, time.perf_counter() - start)


def judge_all(mutants: Sequence[Mutant], jobs: int, timeout: float) -> list[Outcome]:
    """Every mutant, ``jobs`` at a time. What a test has killed that fails without the mutant too, is none."""
    texts, outcomes = sources(), []
    copies: SimpleQueue[Path] = SimpleQueue()
    with ExitStack() as stack:
        for _ in range(jobs):
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="mutants-"))
            copies.put(copy_tree(Path(place).resolve() / "tree"))

        def attempt(mutant: Mutant) -> Outcome:
            folder = copies.get()
            try:
                return judge(mutant, texts, folder, timeout)
            finally:
                copies.put(folder)

        for outcome in stack.enter_context(ThreadPoolExecutor(jobs)).map(attempt, mutants):
            outcomes.append(outcome)
            print(f"{len(outcomes)} of {len(mutants)}: {outcome.mutant.name} {outcome.verdict}", file=sys.stderr)
        killers = dict.fromkeys(test.partition("[")[0] for outcome in outcomes for test in outcome.killers)
        if not killers:
            return outcomes
        print(f"without a mutant: {len(killers)} tests", file=sys.stderr)
        code, failed = run_tests(copies.get(), killers, timeout * len(mutants), "-n", str(jobs), "--dist", "loadfile")
    if code not in (0, 1):
        sys.exit(f"the tests cannot be run without a mutant: pytest's exit code is {code}")
    return [_without(outcome, failed) for outcome in outcomes]


def _without(outcome: Outcome, failed: Sequence[str]) -> Outcome:
    wrong = [test for test in failed if test.startswith(tuple(outcome.killers))]
    return replace(outcome, verdict=BROKEN, what=f"{wrong[0]} fails without it") if wrong else outcome


def report(outcomes: Sequence[Outcome], seconds: float) -> int:
    """Print the table; the exit code."""
    table = Table("mutant", "place", "", "by", "s", box=None)
    for each in outcomes:
        verdict = "known" if each.verdict == SURVIVED and each.mutant.reason else each.verdict
        table.add_row(each.mutant.name, each.place, verdict, each.what, f"{each.seconds:.1f}")
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    killed = sum(each.verdict == KILLED for each in outcomes)
    known = [each.mutant.name for each in outcomes if each.verdict == SURVIVED and each.mutant.reason]
    names = ", ".join(known) or "none"
    print(f"{killed} of {len(outcomes)} killed in {seconds:.0f} s; survivors known: {names}")
    return int(killed + len(known) < len(outcomes) or killed < ENOUGH * len(outcomes))


def main() -> int:
    """``python tests/mutants/run.py [NAME ...]``; 0 when all are killed or excused, and nine in ten are killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of mutants; all when left out")
    parser.add_argument("--sample", type=int, metavar="N", help="only N of them, by chance")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of that chance (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="how many at a time (default: 2)")
    parser.add_argument(
        "--timeout", type=float, default=120.0, metavar="SECONDS", help="that the tests of one may take (default: 120)"
    )
    given = parser.parse_args()
    texts, start, mutants = sources(), time.perf_counter(), read_list()
    if unknown := set(given.names) - {mutant.name for mutant in mutants}:
        parser.error(f"no mutant is called {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in mutants if not given.names or mutant.name in given.names]
    if given.sample is not None:
        mutants = random.Random(given.seed).sample(mutants, min(given.sample, len(mutants)))
    try:
        for mutant in mutants:
            place_of(mutant, texts)
            for test in mutant.tests:
                node_id(test)
    except ValueError as error:
        sys.exit(str(error))
    return report(judge_all(mutants, given.jobs, given.timeout), time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
