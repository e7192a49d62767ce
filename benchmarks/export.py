"""The flow by hand (A), lt-export (B) and lt-export for both formats (C), as whole processes, A B C A B C ...

``python -m benchmarks.export [--resume CHECKPOINT]``. All start cold (import of torch included) and end with
models on disk. Set ``LIGHTTRACK_ROOT`` to let all build the network from an official checkout. C is left out
where the packages for ONNX are not installed.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from benchmarks import plot
from benchmarks.figures import compare_runs, warnings_about
from benchmarks.flows import COMPARED, FLOWS, FlowError, alternate, available, run, same_weights
from benchmarks.machine import describe
from benchmarks.measure import INTERVAL, MEMORY, PAUSE
from benchmarks.report import pair_line, sentence, table


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
    if parsed.plot and not plot.matplotlib_is_there():
        parser.error("--plot needs matplotlib, which is not installed: pip install matplotlib")
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
        if options.warmup:
            alternate(flows, checkpoint, options.warmup, lambda number, runs: _say(pair_line("warm-up", runs)))
        load = [os.getloadavg()[0]]
        runs, weights = alternate(
            flows, checkpoint, options.runs, lambda number, runs: _say(pair_line(f"round {number}", runs))
        )
        load.append(os.getloadavg()[0])
    except FlowError as error:
        print(f"benchmark stopped: {error}", file=sys.stderr)
        return 1
    found = {
        about: compare_runs(runs[first], runs[second]) for about, (first, second) in COMPARED.items() if second in runs
    }
    for about, comparisons in found.items():
        _say("", *table(comparisons, *COMPARED[about]))
    _say(
        "", f"weights: {same_weights(weights)}", *(sentence(comparisons, about) for about, comparisons in found.items())
    )
    warnings = warnings_about(found["comparisons"]["seconds"])
    _say(*(f"warning: {warning}" for warning in warnings))
    _write(options, settings, runs, found, {"weights": same_weights(weights), "warnings": warnings, "load": load})
    return 0


def _say(*lines):
    for line in lines:
        print(line, flush=True)


def _seeded(folder):
    checkpoint = (folder / "LightTrackM_seeded.pth").absolute()
    run([sys.executable, "-m", "converter.network.demo", str(checkpoint)])
    return checkpoint


def _settings(options, flows):
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


def _print_settings(settings, checkpoint):
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


def _write(options, settings, runs, found, extra):
    file = options.json or options.output_dir / "export.json"
    figures = {
        **settings,
        **extra,
        **{
            about: {quantity: each.as_dict() for quantity, each in comparisons.items()}
            for about, comparisons in found.items()
        },
        "measured": {key: [_without_output(each) for each in flow] for key, flow in runs.items()},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(figures, indent=2) + "\n")
    _say(f"figures: {file}")
    if not plot.matplotlib_is_there():
        _say("no plot: matplotlib is not installed (pip install matplotlib)")
        return
    picture = options.plot or file.with_suffix(".png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    machine = settings["machine"]
    about = f"{settings['network']}, {settings['checkpoint']}; {machine['cpu']}, {machine['cores']} cores"
    plot.draw(
        picture,
        {key: [each.seconds for each in flow] for key, flow in runs.items()},
        found["comparisons"]["seconds"],
        {key: flow.name for key, flow in FLOWS.items()},
        about,
    )
    _say(f"plot: {picture}")


def _without_output(run):
    return {key: value for key, value in asdict(run).items() if key != "output"}


if __name__ == "__main__":
    sys.exit(main())
