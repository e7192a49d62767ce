"""What the tracking procedure costs beside its model: in the C++ tracker that lt-cpp writes, and in Python.

CPU time of one thread, so that other work on the machine changes little; cutting out, resizing and normalising a crop
and choosing a box count to the procedure.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from converter.api import cpp
from converter.checks.cpp.program import built
from converter.proof.boxes import parse_box
from converter.track.cpp.api import open_described
from converter.track.frames import open_source

MOST = 0.03  # of an update: what the procedure in C++ may cost


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.procedure", description=__doc__)
    parser.add_argument("export", type=Path, help="folder that lt-export wrote, with ncnn models")
    parser.add_argument("clip", help="a video or a folder of pictures")
    parser.add_argument("--box", required=True, help="x,y,w,h in the first frame")
    options = parser.parse_args(words)
    frames = list(open_source(options.clip, "clip").frames())
    steps, models = in_cpp(options.export, frames, options.box)
    outside = statistics.median(step - model for step, model in zip(steps, models, strict=True))
    model, own = statistics.median(models), statistics.median(in_python(options.export, frames, options.box))
    share = outside / (outside + model)
    print(
        f"{len(steps)} updates on one thread, load {os.getloadavg()[0]:.1f}; medians of CPU time\n"
        f"model in ncnn      {model:8.3f} ms\n"
        f"procedure in C++   {outside:8.3f} ms, {share:.1%} of an update, {MOST:.0%} at most\n"
        f"procedure in Python{own:8.3f} ms, {own / outside:.1f} times as long"
    )
    return 0 if share <= MOST else 1


def in_cpp(export: Path, frames: Sequence[np.ndarray], box: str) -> tuple[list[float], list[float]]:
    """Milliseconds of every step, and of the model in it."""
    with tempfile.TemporaryDirectory() as work:
        folder, table = Path(work, "cpp"), Path(work, "times.csv")
        cpp(export, folder)
        (folder / "main.cpp").write_bytes(Path(__file__).with_suffix(".cpp").read_bytes())
        with built(folder, export) as program:
            program.run(frames, ["--box", box, "--csv", str(table)])
        rows = [line.split(",") for line in table.read_text().splitlines()]
    return [float(step) for step, _ in rows], [float(model) for _, model in rows]


def in_python(export: Path, frames: Sequence[np.ndarray], box: str) -> list[float]:
    """Milliseconds of every step but for the model, which runs in a process of its own."""
    cv2.setNumThreads(1)
    spent = []
    with ExitStack() as running:
        procedure, model = open_described(export, None, None)[1].procedure(running)
        procedure.start(frames[0], parse_box(box))
        for frame in frames[1:]:
            begin = time.thread_time()
            crop = procedure.look(frame)
            between = time.thread_time()
            answer = model.track(*crop)
            resumed = time.thread_time()
            procedure.follow(answer, frame)
            spent.append(1e3 * (between - begin + time.thread_time() - resumed))
    return spent


if __name__ == "__main__":
    raise SystemExit(main())
