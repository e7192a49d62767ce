"""Cells a minute of lt-matrix beside a loop over lt-export, on the subnets of a supernet with seeded weights.

Run on an idle machine: ``python -m benchmarks.matrix --cells 10 500 --json FILE``. With ``--one-core`` a run with
one worker is held to one core, as the speed-up of two is counted from.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from converter.families.lighttrack.path_name import OUTPUT_STAGES, STAGE_BLOCKS, TOWER_LAYERS
from converter.util.machine import load_average, this_machine

SUPERNET = "LightTrackM_Supernet"


def paths(number: int, seed: int = 0) -> list[str]:
    """Path names of the whole space, each once."""
    draw = random.Random(seed)

    def digits(choices: int, count: int) -> str:
        return "".join(str(draw.randrange(choices)) for _ in range(count))

    found: dict[str, None] = {}
    while len(found) < number:
        towers = [f"{digits(3, 1)}{digits(2, 1)}{digits(3, TOWER_LAYERS - 1)}" for _ in range(2)]
        stage = draw.choice(OUTPUT_STAGES)
        back = digits(6, sum(STAGE_BLOCKS))
        found[f"back_0{back}0+cls_{towers[0]}+reg_{towers[1]}_ops_{stage}{draw.randrange(STAGE_BLOCKS[stage])}"] = None
    return list(found)


def _run(words: Sequence[str], one_core: bool = False) -> dict[str, float]:
    """Seconds, CPU seconds and the largest memory of one process, in MB, of a command with all that it starts."""
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_cores)} if one_core else all_cores)
    began = time.monotonic()
    try:
        process = subprocess.Popen(words)
    finally:
        os.sched_setaffinity(0, all_cores)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{' '.join(words)} ended with code {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": round(time.monotonic() - began, 2),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 2),
        "largest_process_mb": round(used.ru_maxrss / 1024, 1),
    }


def measure(
    numbers: Sequence[int], workers: Sequence[int], loops: int, one_core: bool, folder: Path
) -> dict[str, object]:
    """The loop, then every number of cells with every number of workers."""
    checkpoint = folder / "super.pth"
    demo = [sys.executable, "-m", "converter.network.demo", str(checkpoint), "--arch", SUPERNET]
    subprocess.run(demo, check=True, stdout=subprocess.DEVNULL)
    names, runs = paths(max(*numbers, loops)), []
    export = [sys.executable, "-m", "converter.cli.export", "-q", str(checkpoint), "--path-name"]
    loop = [_run([*export, name, "-o", str(folder / f"loop{place}")]) for place, name in enumerate(names[:loops])]
    seconds = sum(each["seconds"] for each in loop)
    runs.append(
        {"who": "loop over lt-export", "cells": loops, "cells_a_minute": 60 * loops / seconds, "seconds": seconds}
    )
    for number in numbers:
        listed = folder / f"paths{number}.txt"
        listed.write_text("\n".join(names[:number]))
        for each in workers:
            words = [sys.executable, "-m", "converter.cli.matrix", "-q", str(checkpoint), "--paths", str(listed)]
            words += ["--workers", str(each), "-o", str(folder / f"matrix{number}-{each}"), "--keep", "none"]
            found = _run(words, one_core and each == 1)
            rate = 60 * number / found["seconds"]
            runs.append({"who": "lt-matrix", "cells": number, "workers": each, "cells_a_minute": rate, **found})
    return {"runs": runs, "loop_mb": max(each["largest_process_mb"] for each in loop)}


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m benchmarks.matrix``"""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.matrix", description=__doc__)
    parser.add_argument(
        "--cells", type=int, nargs="+", default=[10, 100, 500], metavar="N", help="how many (default: 10 100 500)"
    )
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], metavar="N", help="at a time (default: 1 2)")
    parser.add_argument("--loop", type=int, default=10, metavar="N", help="cells of the loop (default: 10)")
    parser.add_argument("--one-core", action="store_true", help="hold a run with one worker to one core")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    asked = parser.parse_args(arguments)
    before = load_average()
    with tempfile.TemporaryDirectory(prefix="lt-matrix-") as folder:
        found = measure(asked.cells, asked.workers, asked.loop, asked.one_core, Path(folder))
    machine = this_machine()
    found |= {"cpu": machine.cpu, "cores": machine.cores, "load_before": before, "load_after": load_average()}
    text = json.dumps(found, indent=2)
    if asked.json:
        asked.json.write_text(f"{text}\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
