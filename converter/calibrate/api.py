"""calibrate() of :mod:`converter.api`: from arguments to a folder with a calibration set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converter.calibrate.clips import opened_clips
from converter.calibrate.layouts import LAYOUTS
from converter.calibrate.listing import MARKER, CalibrationGraph, CalibrationListing, SampleEntry
from converter.calibrate.read import CalibrationSet, read_calibration
from converter.errors import UsageError, did_you_mean
from converter.families.choice import official_root, path_name_of
from converter.families.dimensions import dimensions_of
from converter.folder.listing import (
    GENERATOR,
    SCHEMA_VERSION,
    FileEntry,
    GeneratorEntry,
    checkpoint_entry,
    preprocess_entry,
)
from converter.folder.workspace import Workspace, check_target
from converter.formats.format import default_splits
from converter.network.settled import settled
from converter.proof.boxes import Box
from converter.proof.chain import TrackedModel
from converter.proof.inputs import picture_feed
from converter.spec.arguments import AnyPath, expanded, names_of, path_of, paths_of, weights_of
from converter.spec.model import TrackerModels
from converter.spec.options import NetworkOptions
from converter.spec.presets import Wanted, choose
from converter.track.frames import Clip
from converter.util.atomic import make_folder, sha256, write
from converter.util.packages import check_installed
from converter.util.stages import Listener, Stages
from converter.util.version import version

if TYPE_CHECKING:
    from torch import nn

    from converter.calibrate.collect import Sample
    from converter.network.load import LoadedNetwork

SAMPLES, MOST_SAMPLES = 32, 1000
LAST_STAGE = "publish"


@dataclass(frozen=True)
class _Asked:
    """Everything one set depends on."""

    network: NetworkOptions
    tracker: TrackerModels
    clips: tuple[tuple[Clip, Box], ...]
    images: "tuple[Sample, ...]"
    samples: int
    seed: int
    layouts: tuple[str, ...]


def calibrate(
    checkpoint: "AnyPath | nn.Module",
    output: AnyPath | None = None,
    *,
    clip: AnyPath | Sequence[AnyPath] = (),
    box: str | Sequence[str] = (),
    images: AnyPath | Sequence[AnyPath] = (),
    samples: int = SAMPLES,
    layout: str | Sequence[str] = (),
    check: AnyPath | None = None,
    seed: int = 0,
    arch: str | None = None,
    path_name: str | None = None,
    head_blocks: int | None = None,
    template_size: int | None = None,
    search_size: int | None = None,
    masks: bool = False,
    official: AnyPath | None = None,
    config: AnyPath | None = None,
    allow_pickle: bool = False,
    progress: Listener | None = None,
) -> CalibrationSet:
    """Track clips with a network, and keep what its graphs were fed with, for quantisers.

    Args:
        checkpoint: a file, or the network in memory.
        output: folder to write; absent, empty, or an earlier set.
        clip: videos or folders of pictures.
        box: for each clip x,y,w,h of the target in its first frame, as a text.
        images: pictures to cut crops of, whatever they show.
        samples: of all clips together.
        layout: "npy" (RKNN, onnxruntime), "ncnn", "raw" (TensorRT, Horizon); all when empty.
        check: a set that is there already: hold it against the network, and make none.
        seed: of the frames that are chosen.
        arch, path_name, head_blocks, template_size, search_size, masks, official, config: which network.
        allow_pickle: read checkpoints that run code while they load.
        progress: as for :func:`export`.

    Raises:
        UsageError: when nothing is to be tracked, or ``check`` is of another network or normalisation.
        VerificationError: when a file of ``check`` was changed.
        ConverterError: another of its kinds when something cannot be read, run or written.
    """
    weights, yaml, stages = weights_of(checkpoint), path_of(config), Stages(progress)
    layouts = tuple(dict.fromkeys(names_of(layout))) or tuple(LAYOUTS)
    for name in layouts:
        if name not in LAYOUTS:
            raise UsageError(f"--layout {name}: expected one of {', '.join(LAYOUTS)}{did_you_mean(name, LAYOUTS)}")
    clips, pictures = paths_of(clip), paths_of(images)
    target = _target(output, check, bool(clips or pictures))
    if not 1 <= samples <= MOST_SAMPLES:
        raise UsageError(f"--samples {samples}: expected 1 to {MOST_SAMPLES}")
    opened = opened_clips(clips, box)
    arch, read = settled(arch, yaml, weights, allow_pickle, progress)
    wanted = Wanted(
        arch=arch,
        config=yaml,
        path_name=path_name_of(arch, yaml, path_name, head_blocks),
        template_size=template_size,
        search_sizes=() if search_size is None else (search_size,),
        masks=masks,
        default_splits=default_splits(),
    )
    chosen = choose(wanted)
    options = NetworkOptions(
        arch=chosen.arch,
        network=chosen.network,
        checkpoint=weights,
        official=official_root(path_of(official), chosen.network, weights),
        allow_pickle=allow_pickle,
    )
    check_installed(["torch"], "lt-calibrate")
    options.check_checkpoint()
    tracker = TrackerModels(chosen.network, dimensions_of(chosen.network), ())
    cut = tuple(_of_picture(path, tracker) for path in pictures)
    asked = _Asked(options, tracker, opened, cut, samples, seed, layouts)
    with stages("network") as notes:
        from converter.network.load import load_network, one_thread

        with one_thread():
            network = load_network(options, tracker.dimensions.stride, read)
        notes += [options.arch, network.source]
    if check is not None:
        with stages("check") as notes:
            found = read_calibration(expanded(check))
            found.listing.check_fits(_listing(asked, network, (SampleEntry(source="none"),), ()))
            found.check_files()
            notes.append(f"{len(found)} samples, of this network")
        return found
    assert target is not None  # as the one or the other is asked for
    return _made(asked, network, target, stages)


def _target(output: AnyPath | None, check: AnyPath | None, sources: bool) -> Path | None:
    """The folder to write; None where one is to be checked."""
    if check is not None:
        if output is not None or sources:
            raise UsageError("--check makes no set: leave --output, --clip and --image out")
        return None
    if not sources:
        raise UsageError("nothing to calibrate on: pass --clip FILE --box x,y,w,h, or --image FILE")
    if output is None:
        raise UsageError("--output is missing, the folder to write; pass -o DIR")
    target = expanded(output)
    check_target(target, MARKER)
    return target


def _of_picture(path: Path, tracker: TrackerModels) -> "Sample":
    from converter.calibrate.collect import Sample

    return Sample(SampleEntry(source=path.name), picture_feed(path, tracker.images, tracker.network.preprocess).tensors)


def _made(asked: _Asked, network: "LoadedNetwork", target: Path, stages: Stages) -> CalibrationSet:
    """Track, choose, compute, write."""
    from converter.network.load import one_thread
    from converter.network.reference import TorchModel

    model = TorchModel.of(network.module, asked.tracker)
    with one_thread():
        samples = _samples(asked, model, stages)
        with stages("features") as notes:
            arrays = [{**sample.crops, **model.infer(sample.crops)} for sample in samples]
            notes.append(f"of {len(samples)} samples")
    graphs = _graphs(asked.tracker)
    taken = dict.fromkeys(tensor.meaning for graph in graphs for tensor in graph.inputs)
    arrays = [{name: each[name].astype(np.float32) for name in taken} for each in arrays]
    with stages(LAST_STAGE) as notes, Workspace(target, MARKER) as workspace:
        paths: dict[str, Path] = {}
        for layout in asked.layouts:
            for name, data in LAYOUTS[layout](arrays, graphs):
                path = paths[f"{layout}/{name}"] = workspace.folder / layout / name
                for folder in reversed([each for each in path.parents if not each.exists()]):
                    make_folder(folder)
                write(path, data)
        entries = tuple(
            FileEntry(name=name, sha256=sha256(path), bytes=path.stat().st_size) for name, path in paths.items()
        )
        listing = _listing(asked, network, tuple(sample.entry for sample in samples), entries)
        workspace.publish(paths.items(), listing)
        notes.append(str(target))
    return CalibrationSet(target, listing)


def _samples(asked: _Asked, model: TrackedModel, stages: Stages) -> "list[Sample]":
    from converter.calibrate.collect import samples_of

    samples: list[Sample] = []
    with stages("track") as notes:
        for number, (clip, box) in enumerate(asked.clips):
            share = asked.samples // len(asked.clips) + (number < asked.samples % len(asked.clips))
            if share:
                samples += samples_of(clip, box, model, asked.tracker, share, asked.seed, stages.progress.step)
        samples += asked.images
        notes.append(f"{len(samples)} samples of {len(asked.clips)} clips and {len(asked.images)} pictures")
    return samples


def _graphs(tracker: TrackerModels) -> tuple[CalibrationGraph, ...]:
    """Every graph that a split of the network has, each once."""
    network, dimensions = tracker.network, tracker.dimensions
    names = dict.fromkeys(name for split in network.splits for name in network.splits[split])
    specs = (network.graph_spec(name, dimensions) for name in names)
    return tuple(CalibrationGraph(name=spec.name, inputs=spec.inputs) for spec in specs)


def _listing(
    asked: _Asked, network: "LoadedNetwork", samples: tuple[SampleEntry, ...], files: tuple[FileEntry, ...]
) -> CalibrationListing:
    template_size, search_size = asked.tracker.network.sizes
    return CalibrationListing(
        schema_version=SCHEMA_VERSION,
        generator=GeneratorEntry(name=GENERATOR, version=version()),
        arch=asked.network.arch,
        path_name=network.path_name,
        checkpoint=checkpoint_entry(network.checkpoint),
        preprocess=preprocess_entry(asked.tracker.network.preprocess),
        template_size=template_size,
        search_size=search_size,
        seed=asked.seed,
        layouts=asked.layouts,
        graphs=_graphs(asked.tracker),
        samples=samples,
        files=files,
    )
