"""The flow by hand (A), lt-export (B) and lt-export for both formats (C), as whole processes, A B C A B C ...

``python -m benchmarks.export [--resume CHECKPOINT]``. All start cold (import of torch included) and end with
models on disk. Set ``LIGHTTRACK_ROOT`` to let all build the network from an official checkout. C is left out
where the packages for ONNX are not installed.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import plot
from benchmarks.figures import Comparison, compare_runs, warnings_about
from benchmarks.flows import COMPARED, Flow, FlowError, alternate, available, run, same_weights
from benchmarks.measure import INTERVAL, MEMORY, PAUSE, Run
from benchmarks.report import pair_line, sentence, table
from converter.cli.terminal import summary_console
from converter.folder.listing import tool_versions
from converter.report.terminal import print_blocks
from converter.util.machine import this_machine
from converter.util.packages import is_installed


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line; what cannot be measured is refused here, before anything runs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.export", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="checkpoint to convert (default: one with seeded weights)"
    )
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="of each flow (default: 5)")
    parser.add_argument("--warmup", type=int, default=1, metavar="N", help="of each flow, not counted (default: 1)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="where to write the plot (default: beside the JSON)")
    parser.add_argument("--output-dir", type=Path, default=Path("benchmarks/results"), metavar="DIR")
    parsed = parser.parse_args(arguments)
    if parsed.runs < 1:
        parser.error(f"--runs {parsed.runs}: expected 1 or more")
    if parsed.warmup < 0:
        parser.error(f"--warmup {parsed.warmup}: expected 0 or more")
    if parsed.resume and not parsed.resume.is_file():
        parser.error(f"--resume {parsed.resume}: no such file")
    if parsed.plot and not is_installed("matplotlib"):
        parser.error("--plot needs matplotlib, not installed here: make bench installs it")
    return parsed


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write the JSON and the plot; the exit code is 1 when a command of a flow fails."""
    options = parse(arguments)
    flows = available()
    settings = _settings(options, flows)
    try:
        options.output_dir.mkdir(parents=True, exist_ok=True)
        checkpoint = options.resume.absolute() if options.resume else _seeded(options.output_dir)
        _print_settings(settings, checkpoint)
        alternate(flows, checkpoint, options.warmup, lambda number, runs: _say(pair_line("warm-up", runs)))
        load = [os.getloadavg()[0]]
        runs, weights = alternate(
            flows, checkpoint, options.runs, lambda number, runs: _say(pair_line(f"round {number}", runs))
        )
        load.append(os.getloadavg()[0])
    except FlowError as error:
        print(f"benchmark stopped: {error}", file=sys.stderr)
        return 1
    compared = {
        about: compare_runs(runs[first], runs[second]) for about, (first, second) in COMPARED.items() if second in runs
    }
    for about, comparisons in compared.items():
        _say("")
        print_blocks(summary_console(as_json=False), [table(comparisons, about)])
    warnings = warnings_about(compared["comparisons"]["seconds"])
    _say("", f"weights: {same_weights(weights)}")
    _say(*(sentence(comparisons, about) for about, comparisons in compared.items()))
    _say(*(f"warning: {warning}" for warning in warnings))
    about_runs = {"weights": same_weights(weights), "warnings": warnings, "load": load}
    file = options.json or options.output_dir / "export.json"
    _write(file, {**settings, **about_runs}, runs, compared)
    _draw(options.plot or file.with_suffix(".png"), settings, runs, compared["comparisons"]["seconds"])
    return 0


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def _seeded(folder: Path) -> Path:
    checkpoint = (folder / "LightTrackM_seeded.pth").absolute()
    run([sys.executable, "-m", "converter.network.demo", str(checkpoint)])
    return checkpoint


def describe() -> dict[str, Any]:
    """What the figures were measured on, and versions of what does the work."""
    machine = this_machine()
    versions = tool_versions(["torch", "pnnx", "ncnn"])
    return {"cpu": machine.cpu, "cores": machine.cores, "system": machine.system, **versions}


def _settings(options: argparse.Namespace, flows: Mapping[str, Flow]) -> dict[str, Any]:
    root = os.environ.get("LIGHTTRACK_ROOT")
    return {
        "machine": describe(),
        "checkpoint": options.resume.name if options.resume else "seeded weights",
        "network": f"LightTrack-Mobile, {'official checkout' if root else 'own definition'}",
        "runs": options.runs,
        "warmup": options.warmup,
        "memory": MEMORY,
        "memory_interval_seconds": INTERVAL,
        "flows": {key: f"{flow.name}: {flow.about}" for key, flow in flows.items()},
    }


def _print_settings(settings: Mapping[str, Any], checkpoint: Path) -> None:
    machine = settings["machine"]
    versions = ", ".join(f"{name} {machine[name]}" for name in ("python", "torch", "pnnx", "ncnn"))
    _say(
        f"machine    {machine['cpu']}, {machine['cores']} cores, {machine['system']}; load {os.getloadavg()[0]:.1f}",
        f"versions   {versions}",
        f"network    {settings['network']}; {settings['checkpoint']} ({checkpoint})",
        *(f"{key}          {about}" for key, about in settings["flows"].items()),
        f"memory     {MEMORY} of a process and its live descendants, summed; a look every {INTERVAL * 1000:.0f} ms, "
        f"or {PAUSE} times the CPU time of a look",
    )


def _write(
    file: Path,
    about: Mapping[str, Any],
    runs: Mapping[str, Sequence[Run]],
    compared: Mapping[str, Mapping[str, Comparison]],
) -> None:
    figures = {key: {name: each.as_dict() for name, each in pairs.items()} for key, pairs in compared.items()}
    measured = {key: [_without_output(each) for each in flow] for key, flow in runs.items()}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({**about, **figures, "measured": measured}, indent=2) + "\n")
    _say(f"figures: {file}")


def _without_output(run: Run) -> dict[str, Any]:
    return {key: value for key, value in asdict(run).items() if key != "output"}


def _draw(picture: Path, settings: Mapping[str, Any], runs: Mapping[str, Sequence[Run]], wall: Comparison) -> None:
    if not is_installed("matplotlib"):
        _say("no plot: matplotlib is not installed (pip install matplotlib)")
        return
    picture.parent.mkdir(parents=True, exist_ok=True)
    machine = settings["machine"]
    about = f"{settings['network']}, {settings['checkpoint']}; {machine['cpu']}, {machine['cores']} cores"
    plot.draw(picture, {key: [each.seconds for each in flow] for key, flow in runs.items()}, wall, about)
    _say(f"plot: {picture}")


if __name__ == "__main__":
    sys.exit(main())
