"""What lt-verify does beside the proof when it is asked: layers, a clip, dumps, half precision, other devices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converter.checks.arm import ARM
from converter.checks.arm.root import ArmRoot
from converter.checks.arm.run import ArmRun, check_arm
from converter.checks.arm.section import ArmSection
from converter.checks.clip.crops import crop_feed
from converter.checks.clip.report import ClipReport
from converter.checks.clip.run import Judgement, run_clip
from converter.checks.clip.tracks import check_tracks, write_tracks
from converter.checks.device.run import Answered
from converter.checks.device.runtime import Runtime
from converter.checks.dumps.diagnose import diagnose_dumps
from converter.checks.dumps.report import DumpsReport
from converter.checks.half.report import HalfReport
from converter.checks.layers.walk import layers_in, walk_layers
from converter.checks.layers.walks import Walks
from converter.checks.pictures import PICTURES
from converter.checks.pictures.pairs import feeds_of_pairs
from converter.checks.pictures.steps import PicturesReport, on_pictures
from converter.checks.vulkan import VULKAN
from converter.checks.vulkan.clip import Followed
from converter.checks.vulkan.devices import VulkanDevice
from converter.checks.vulkan.run import VulkanRun, check_vulkan
from converter.checks.vulkan.section import VulkanSection
from converter.errors import UsageError
from converter.folder.subject import isolated_runners
from converter.formats.format import format_of
from converter.formats.isolated import IsolatedRunner
from converter.proof.boxes import Box, check_box, parse_box
from converter.proof.chain import Arrays, GraphModel
from converter.proof.feeds import Feed
from converter.spec.choices import JUDGED_BY_BOXES
from converter.spec.model import TrackerModels
from converter.spec.options import ArmOptions, VerifyOptions, VulkanOptions
from converter.track.annotate import check_annotate
from converter.track.frames import Clip, open_clip
from converter.util.stages import Stages, Step
from converter.verifying.golden import check_golden, check_stated, golden_at, golden_of_dumps
from converter.verifying.reference import GoldenReference, NetworkReference
from converter.verifying.result import CheckResult
from converter.verifying.run import Run
from converter.verifying.vectors import write_device_vectors

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork
    from converter.network.reference import TorchModel


def asked(
    run: Run, clip: "OpenedClip | None", places: "Places", failed: frozenset[str], stages: Stages
) -> dict[str, Callable[[], CheckResult]]:
    """What was asked for, by its key in the JSON, in the order in which it is done.

    Args:
        places: what runs models elsewhere.
        failed: formats whose models do not run.
    """
    options = run.options
    looks: dict[str, Callable[[], CheckResult]] = {}
    formats = [format for format in run.subject.whole if format not in failed]
    if run.subject.precision in JUDGED_BY_BOXES and isinstance(run.reference, NetworkReference) and formats:
        looks[PICTURES] = partial(pictures, run, formats)
    if options.layers:
        looks["layers"] = partial(layers, run, stages.progress.step)
    if options.dumps:
        looks["dumps"] = partial(dumps, run, options.dumps)
    if clip and formats:
        looks["clip"] = partial(track, run, clip, formats, stages.progress.step)
    if options.fp16:
        looks["fp16"] = partial(half, run)
    if options.arm and places.arm:
        looks[ARM.section] = partial(arm, run, options.arm, places.arm, stages)
    if options.vulkan and places.vulkan:
        looks[VULKAN.section] = partial(vulkan, run, options.vulkan, places.vulkan, clip, stages)
    return looks


def pictures(run: Run, formats: Sequence[str]) -> PicturesReport:
    """One step on the package's pictures, at every size: by which models are judged that store weights in bytes."""
    from converter.network.reference import reference_outputs

    lacking, results = {(each.format, each.sizes) for each in run.subject.missing}, []
    for tracker in run.subject.trackers:
        outputs = reference_outputs(run.network.module, tracker, feeds_of_pairs(tracker))
        with isolated_runners(run.subject, tracker.models) as runners:
            results += [
                on_pictures(format, tracker, run.subject.precision, runners, outputs)
                for format in tracker.formats
                if format in formats and (format, tracker.network.sizes) not in lacking
            ]
    return PicturesReport(tuple(results))


def layers(run: Run, step: Step) -> Walks:
    """Every graph beside the network, layer by layer, on the last of the inputs (a real crop where there is one)."""
    comparison, module = run.comparison, run.network.module
    arrays = {**comparison.outputs[-1], **comparison.feeds[-1].tensors}
    walks = []
    every = {model: run.subject.files(model) for model in comparison.tracker.models}
    there = {model: files for model, files in every.items() if not any(isinstance(file, Path) for file in files)}
    sizes = [layers_in(model.format, files, model.graph) for model, files in there.items()]
    for index, (model, files) in enumerate(there.items()):
        before = sum(sizes[:index])
        feed = {tensor.meaning: arrays[tensor.meaning] for tensor in model.graph.inputs}
        tolerance = comparison.tolerances[model.graph.outputs[0].meaning]
        runner = IsolatedRunner(model.format, files, model.graph, inner=True)
        try:
            walks.append(
                walk_layers(
                    *(module, model.graph, model.format, files, runner, feed, tolerance),
                    lambda done, _, before=before: step(before + done, sum(sizes)),  # type: ignore[misc]
                )
            )
        finally:
            runner.stop()
    return Walks(tuple(walks))


def torch_model(network: "LoadedNetwork", tracker: TrackerModels) -> "TorchModel":
    """The network as a tracker uses it."""
    from converter.network.reference import TorchModel

    return TorchModel.of(network.module, tracker)


def track(run: Run, opened: "OpenedClip", formats: Sequence[str], step: Step) -> ClipReport:
    """The clip tracked with the network and with the models of some formats, in this process for a fair speed.

    Raises:
        ConverterError: when a procedure does not fit or nothing can be written.
    """
    options, tracker = run.options, run.subject.tracker
    candidates = {}
    for format in formats:
        models = tracker.of(format)
        runners = {model: format_of(format).load(run.subject.files(model), model.graph) for model in models}
        candidates[format] = GraphModel(models, runners)
    spec, tolerances = tracker.network, run.comparison.tolerances
    judgement = Judgement.of(spec, run.subject.judged_as, options.min_iou, tolerances)
    result = run_clip(
        *(opened.clip, opened.box, torch_model(run.network, tracker), candidates),
        *(tracker.network, tracker.dimensions, judgement, options.annotate),
        step=step,
    )
    if options.tracks:
        write_tracks(options.tracks, result)
    return result


def dumps(run: Run, folder: Path) -> DumpsReport:
    """What a device wrote beside the golden vectors."""
    tracker = run.subject.tracker
    compared = run.reference.golden if isinstance(run.reference, GoldenReference) else None
    golden = golden_at(compared or golden_of_dumps(run.options, run.subject), tracker)
    if compared is None:  # the reference's own were looked at before anything was compared with them
        check_stated(golden, run.subject)
        check_golden(golden, run.subject, tracker)
    names = {
        f"{model.graph.name}/{tensor.name}": tensor.meaning
        for model in tracker.models
        for tensor in (*model.graph.inputs, *model.graph.outputs)
    }
    network, tolerances = tracker.network, run.comparison.tolerances
    return diagnose_dumps(folder, golden, tolerances, network, _answering(run), names)


def _answering(run: Run) -> Callable[[dict[str, np.ndarray]], Arrays] | None:
    """Images to every tensor: by the network, or by the models of one format where there is no checkpoint."""
    tracker = run.subject.tracker
    if isinstance(run.reference, NetworkReference):
        from converter.network.reference import TorchModel

        return TorchModel.of(run.network.module, tracker).infer
    if not tracker.formats or tracker.formats[0] not in run.subject.whole:
        return None
    model = GraphModel(tracker.of(tracker.formats[0]), run.runners)

    def answer(images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        model.template(images["z"], images.get("z_mask"))
        return model.track(images["x"], images.get("x_mask"))

    return answer


def half(run: Run) -> HalfReport:
    """What half precision would do to the ncnn models."""
    from converter.checks.half.analysis import fp16_report

    files = {model: run.subject.files(model) for model in run.comparison.tracker.of("ncnn")}
    return fp16_report(files, run.comparison, run.runners)


def arm(run: Run, options: ArmOptions, root: ArmRoot, stages: Stages) -> ArmSection:
    """The ncnn models on the emulated ARM cpu; its answers become golden vectors where they are asked for."""
    answered: list[Answered] = []
    subject = run.subject
    wanted = ArmRun(root, options, subject.folder, subject.contents, [run.comparison], subject.precision)
    section = check_arm(wanted, stages, answered.append)
    _keep(run, ARM, section, answered, stages)
    return section


def vulkan(
    run: Run, options: VulkanOptions, device: VulkanDevice, opened: "OpenedClip | None", stages: Stages
) -> VulkanSection:
    """The ncnn models on a Vulkan device, with the layers and the clip where these were asked for; likewise."""
    answered: list[Answered] = []
    followed = None
    if opened and "ncnn" in run.subject.whole:
        network = torch_model(run.network, run.subject.tracker)
        followed = Followed(opened.clip, opened.box, network, run.options.min_iou)
    wanted = VulkanRun(
        *(device, options, run.subject.folder, run.subject.contents, [run.comparison], run.subject.precision),
        layers=run.options.layers,
        followed=followed,
    )
    section = check_vulkan(wanted, stages, answered.append)
    _keep(run, VULKAN, section, answered, stages)
    return section


def _keep(
    run: Run, runtime: Runtime, section: ArmSection | VulkanSection, answered: Sequence[Answered], stages: Stages
) -> None:
    """Write what a device answered as golden vectors, where they are wanted from it and it passed."""
    target = run.options.write_golden
    if section and target and run.options.golden_from == runtime.name:
        with stages("golden") as notes:
            write_device_vectors(run, target, section, answered)
            notes.append(str(target))


@dataclass(frozen=True)
class Places:
    """What runs models elsewhere; None for what was not asked for."""

    arm: ArmRoot | None = None
    vulkan: VulkanDevice | None = None


@dataclass(frozen=True)
class OpenedClip:
    """A clip that can be read, and a box that lies in it."""

    clip: Clip
    box: Box

    def feed(self, network: "LoadedNetwork", tracker: TrackerModels) -> Feed | None:
        """Its first crops, to compare on."""
        return crop_feed(self.clip, self.box, torch_model(network, tracker), tracker.network, tracker.dimensions)


def opened_clip(options: VerifyOptions) -> OpenedClip | None:
    """Look at the clip, the box and the places to write to before any work begins.

    Raises:
        UsageError, DependencyError: naming the option.
    """
    if options.clip is None:
        for option in ("box", "annotate", "tracks", "min_iou"):
            if getattr(options, option) is not None:
                raise UsageError(f"--{option.replace('_', '-')} is about a clip: pass --clip too")
        return None
    if options.checkpoint is None:
        raise UsageError("--clip tracks with the network beside the models: pass --resume CHECKPOINT")
    if options.box is None:
        raise UsageError("--clip wants the target in the first frame: pass --box x,y,w,h")
    box = parse_box(options.box)
    clip = open_clip(options.clip)
    check_box(box, clip.size)
    if options.annotate:
        check_annotate(options.annotate, clip)
    if options.tracks:
        check_tracks(options.tracks)
    return OpenedClip(clip, box)
