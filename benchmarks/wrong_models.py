"""How much the proof sees: models made wrong on purpose, and how many of them it fails on its default inputs.

``python -m benchmarks.wrong_models --resume CHECKPOINT --clips DIR --tracks DIR``. Each wrong model has one fault in
one layer: a blob clamped just outside its range on two inputs of standard normal noise, or weights changed. It counts
when it is wrong on crops of the clips, in any output by more than the tolerance or in the best cell. The faults are
searched for in PyTorch (see ``wrong_graphs``); ``--confirm`` runs the whole proof on the files of some of them.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.wrong_crops import crops_of
from benchmarks.wrong_faults import CHANGES, CLAMPS, Fault, changes, clamps, faulty_output
from benchmarks.wrong_files import write_wrong
from benchmarks.wrong_graphs import Steps, as_tensors, steps_of
from converter.api import export
from converter.families.family import family_of
from converter.folder.exported import models_of
from converter.folder.manifest import read_manifest
from converter.formats.format import format_of
from converter.network.checkpoint import load_strictly, read_checkpoint
from converter.network.reference import reference_outputs
from converter.proof.chain import Run
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.inputs import feeds_of
from converter.proof.verify import check_of, verify
from converter.spec.config import network_for
from converter.spec.model import TrackerModels
from converter.spec.tensors import TensorSpec

FORMATS = ("ncnn", "onnx")
AT_ONCE = 6  # inputs whose blobs are in memory
CLAMPED, CHANGED = "clamped", "changed"


@dataclass(frozen=True)
class Setting:
    """What is judged.

    Attributes:
        folder: of the right models.
        tracker: the same.
        network: in PyTorch, with its weights.
    """

    folder: Path
    tracker: TrackerModels
    network: torch.nn.Module

    def comparison(self, feeds: Sequence[Feed]) -> Comparison:
        spec = self.tracker.network
        return Comparison(
            self.tracker,
            tuple(feeds),
            reference_outputs(self.network, self.tracker, feeds),
            spec.tolerances["fp32"],
            spec.tie("fp32"),
            family_of(spec.family).score_maps,
        )


@dataclass(frozen=True)
class Judged:
    """Faults of one format, and on which inputs each shows: arrays of (faults, inputs)."""

    format: str
    faults: Sequence[Fault]
    layers: Sequence[str]
    crops: Mapping[str, np.ndarray]
    default: np.ndarray
    noise: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        return np.any([shown.any(1) for shown in self.crops.values()], axis=0)

    def counts(self, wrong: np.ndarray) -> dict[str, dict[str, int]]:
        """Kind -> how many models are wrong, and how many of them the proof fails, and noise alone would."""
        table = {}
        groups = {CLAMPED: CLAMPS, CHANGED: CHANGES, **{kind: (kind,) for kind in (*CLAMPS[1:], *CHANGES)}}
        for group, kinds in groups.items():
            chosen = wrong & np.array([fault.kind in kinds for fault in self.faults])
            table[group] = {
                "wrong": int(chosen.sum()),
                "caught": int((chosen & self.default.any(1)).sum()),
                "caught_by_noise": int((chosen & self.noise.any(1)).sum()),
            }
        return table

    def missed(self) -> list[dict[str, object]]:
        gone = np.flatnonzero(self.wrong & ~self.default.any(1))
        return [{"layer": self.layers[index], **asdict(self.faults[index])} for index in gone]


def old_noise(images: Sequence[TensorSpec], seed: int = 0, count: int = 2) -> list[Feed]:
    """Standard normal noise, which was all that models were compared on before there were pictures."""

    def drawn(image: TensorSpec, *of: int) -> np.ndarray:
        return np.random.default_rng([seed, *of]).standard_normal(image.shape).astype(np.float32)

    return [
        Feed(f"noise {index}", {image.meaning: drawn(image, index, place) for place, image in enumerate(images)})
        for index in range(count)
    ]


def shown(setting: Setting, steps: Steps, faults: Sequence[Fault], feeds: Sequence[Feed]) -> np.ndarray:
    """(faults, feeds): whether the proof's comparison fails the model with the fault on the input."""
    failed = np.zeros((len(faults), len(feeds)), bool)
    for first in range(0, len(feeds), AT_ONCE):
        comparison = setting.comparison(feeds[first : first + AT_ONCE])
        values = steps.values(as_tensors([feed.tensors for feed in comparison.feeds]))
        for number, fault in enumerate(faults):
            output, rows = faulty_output(steps, fault, values)
            answers = steps.behind(fault.step, output, values, rows) if len(rows) else {}
            for place, row in enumerate(rows.tolist()):
                outputs = {name: tensor[place : place + 1].numpy() for name, tensor in answers.items()}
                run = Run(setting.tracker.models[0], "chained", {}, outputs)
                if outputs and not check_of(comparison, comparison.feeds[row].name, run, comparison.outputs[row]):
                    failed[number, first + row] = True
    return failed


def judged(setting: Setting, format: str, crops: Mapping[str, Sequence[Feed]], options: argparse.Namespace) -> Judged:
    """Every fault of one format on every crop, and those that are wrong on the proof's own inputs."""
    steps = steps_of(setting.folder, setting.tracker.of(format))
    images, noise = setting.tracker.images, old_noise(setting.tracker.images)
    ranges = steps.values(as_tensors([feed.tensors for feed in noise]))
    random = np.random.default_rng([options.seed, FORMATS.index(format)])
    faults = [*clamps(steps, ranges), *changes(steps, random, options.each)]
    if options.faults and options.faults < len(faults):
        faults = [faults[index] for index in sorted(random.choice(len(faults), options.faults, replace=False))]
    del ranges
    on_crops = {}
    for clip, feeds in crops.items():
        on_crops[clip] = shown(setting, steps, faults, feeds)
        print(f"{format}: {int(on_crops[clip].any(1).sum())} of {len(faults)} models are wrong on {clip}", flush=True)
    wrong = np.flatnonzero(np.any([each.any(1) for each in on_crops.values()], axis=0))
    default = feeds_of(setting.tracker, 0, ())
    found = {}
    for name, feeds in (("default", default), ("noise", noise)):
        found[name] = np.zeros((len(faults), len(feeds)), bool)
        found[name][wrong] = shown(setting, steps, [faults[index] for index in wrong], feeds)
    layers = [f"{steps.steps[fault.step].graph}/{steps.steps[fault.step].layer}" for fault in faults]
    assert {image.meaning for image in images} == {"z", "x"}
    return Judged(format, faults, layers, on_crops, found["default"], found["noise"])


def confirmed(setting: Setting, result: Judged, count: int, random: np.random.Generator) -> dict[str, int]:
    """The whole proof on the edited files of some wrong models, in their own runtime: as often as expected or not."""
    wrong = np.flatnonzero(result.wrong)
    chosen = random.permutation(wrong)[:count]
    models = setting.tracker.of(result.format)
    steps = steps_of(setting.folder, models)
    comparison = setting.comparison(feeds_of(setting.tracker, 0, ()))
    form, agreed, caught = format_of(result.format), 0, 0
    with tempfile.TemporaryDirectory(prefix="lt-wrong-") as name:
        for index in chosen:
            folder = Path(name)
            write_wrong(setting.folder, models, steps, result.faults[index], folder)
            runners = {model: form.load(model.paths(folder), model.graph) for model in models}
            failed = not all(verify(comparison, result.format, runners))
            caught += failed
            agreed += failed == bool(result.default[index].any())
    return {"models": len(chosen), "caught": caught, "as_in_pytorch": agreed}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wrong_models", description=__doc__.partition("\n")[0])
    parser.add_argument("--resume", type=Path, required=True, metavar="FILE", help="a trained LightTrack checkpoint")
    parser.add_argument("--clips", type=Path, nargs="+", required=True, metavar="FILE")
    parser.add_argument(
        "--tracks", type=Path, nargs="+", required=True, metavar="CSV", help="x,y,w,h of every frame, for each clip"
    )
    parser.add_argument("--crops", type=int, default=4, metavar="N", help="of each clip (default: 4)")
    parser.add_argument("--each", type=int, default=1, metavar="N", help="changes of each kind and layer (default: 1)")
    parser.add_argument("--faults", type=int, metavar="N", help="as many only, drawn from all")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the faults (default: 0)")
    parser.add_argument("--format", choices=FORMATS, action="append", help="(default: both)")
    parser.add_argument("--confirm", type=int, default=0, metavar="N", help="wrong models whose files are run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the counts")
    parsed = parser.parse_args(arguments)
    if len(parsed.clips) != len(parsed.tracks):
        parser.error(f"{len(parsed.clips)} clips and {len(parsed.tracks)} tracks, expected one for each")
    return parsed


def opened(checkpoint: Path, folder: Path) -> Setting:
    """Export the checkpoint in every format, and load it."""
    export(checkpoint, folder, formats=FORMATS)
    _, spec = network_for(None)
    family = family_of(spec.family)
    dimensions = family.dimensions(spec.path_name, *spec.sizes)
    declared = {
        tensor.meaning: tensor
        for split in spec.splits
        for graph in spec.graph_specs(split, dimensions)
        for tensor in (*graph.inputs, *graph.outputs)
    }
    tracker = TrackerModels(spec, dimensions, tuple(models_of(folder, read_manifest(folder), spec, declared, FORMATS)))
    network = family.build(spec.path_name, *spec.sizes)
    load_strictly(network, read_checkpoint(checkpoint, False), "the network", lambda shapes: "")
    return Setting(folder, tracker, network.eval())


def measured(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The counts of every format."""
    setting = opened(options.resume, folder)
    crops = {
        clip.stem: crops_of(clip, track, setting.tracker.network, options.crops)
        for clip, track in zip(options.clips, options.tracks, strict=True)
    }
    results: dict[str, Any] = {}
    for format in options.format or FORMATS:
        result = judged(setting, format, crops, options)
        random = np.random.default_rng(options.seed)
        results[format] = {
            "models": len(result.faults),
            "wrong": int(result.wrong.sum()),
            "caught": int((result.wrong & result.default.any(1)).sum()),
            **result.counts(result.wrong),
            "clips": {clip: result.counts(each.any(1)) for clip, each in result.crops.items()},
            "confirmed": confirmed(setting, result, options.confirm, random) if options.confirm else None,
        }
        for fault in result.missed():
            print(f"{format}: missed {fault}", flush=True)
    results["lines"] = lines_of(results)
    return results


def lines_of(results: Mapping[str, dict[str, dict[str, int]]]) -> list[str]:
    """A line for each format and kind."""
    return [
        f"{format}, {kind}: of {counts['wrong']} wrong models, caught {counts['caught']} "
        f"({counts['caught'] / max(1, counts['wrong']):.1%}); on noise alone {counts['caught_by_noise']}"
        for format, result in results.items()
        for kind in (CLAMPED, CHANGED)
        for counts in [result[kind]]
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    options = parse(arguments)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="lt-wrong-") as folder:
        results = measured(options, Path(folder) / "export")
    print(*results["lines"], sep="\n")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=str) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
