"""What lt-verify does beside the proof when it is asked: layers, a clip, a device's dumps, half precision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.checks.arm.root import ArmRoot
from converter.errors import UsageError
from converter.formats.format import format_of
from converter.formats.isolated import IsolatedRunner
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.spec.model import Model, TrackerModels
from converter.spec.options import VerifyOptions
from converter.util.stages import Stages
from converter.verifying.golden import check_golden, golden_at, golden_of, write_arm_vectors
from converter.verifying.reference import Reference
from converter.verifying.subject import Subject

if TYPE_CHECKING:
    from converter.checks.layers.walks import Walks

Runners = Mapping[Model, IsolatedRunner]


def layers(subject: Subject, reference: Reference, comparison: Comparison) -> "Walks":
    """Every graph beside the network, layer by layer, on the last of the inputs (a real crop where there is one)."""
    from converter.checks.layers.walk import walk_layers
    from converter.checks.layers.walks import Walks

    known = {**comparison.outputs[-1], **comparison.feeds[-1].tensors}
    walks = []
    for model in comparison.tracker.models:
        paths = model.paths(subject.folder)
        if any(not path.is_file() for path in paths):
            continue
        feed = {tensor.meaning: known[tensor.meaning] for tensor in model.graph.inputs}
        tolerance = comparison.tolerances[model.graph.outputs[0].meaning]
        runner = IsolatedRunner(model.format, paths, model.graph, inner=True)
        try:
            module = reference.network.module
            walks.append(walk_layers(module, model.graph, model.format, paths, runner, feed, tolerance))
        finally:
            runner.stop()
    return Walks(tuple(walks))


def torch_model(reference: Reference, tracker: TrackerModels):
    """The network as a tracker uses it."""
    from converter.network.reference import TorchModel

    return TorchModel.of(reference.network.module, tracker)


def clip(options: VerifyOptions, subject: Subject, reference: Reference, formats: Sequence[str], opened: "OpenedClip"):
    """The clip tracked with the network and with the models of some formats, in this process for a fair speed.

    Raises:
        ConverterError: when a procedure does not fit or nothing can be written.
    """
    from converter.checks.clip.run import run_clip
    from converter.checks.clip.tracks import write_tracks
    from converter.proof.chain import GraphModel

    tracker = subject.tracker
    candidates = {}
    for format in formats:
        models = tracker.of(format)
        runners = {model: format_of(format).load(model.paths(subject.folder), model.graph) for model in models}
        candidates[format] = GraphModel(models, runners)
    result = run_clip(
        *(opened.clip, opened.box, torch_model(reference, tracker), candidates),
        *(tracker.network, tracker.dimensions, options.min_iou, options.annotate),
    )
    if options.tracks:
        write_tracks(options.tracks, result)
    return result


def dumps(options: VerifyOptions, subject: Subject, reference: Reference, comparison: Comparison, runners: Runners):
    """What a device wrote beside the golden vectors."""
    from converter.checks.dumps.diagnose import diagnose_dumps

    tracker = subject.tracker
    golden = reference.golden or golden_of(options, subject)
    if golden is None:
        raise UsageError("--dumps wants the golden vectors that the device was given: --golden DIR, or in the export")
    golden = golden_at(golden, tracker)
    if reference.golden is None:  # the reference's own were looked at before anything was compared with them
        check_golden(golden, subject, tracker)
    names = {
        f"{model.graph.name}/{tensor.name}": tensor.meaning
        for model in tracker.models
        for tensor in (*model.graph.inputs, *model.graph.outputs)
    }
    run = _run(subject, reference, runners)
    return diagnose_dumps(options.dumps, golden, comparison.tolerances, tracker.network.preprocess, run, names)


def _run(subject: Subject, reference: Reference, runners: Runners):
    """Images to every tensor: by the network, or by the models of one format where there is no checkpoint."""
    from converter.proof.chain import GraphModel

    tracker = subject.tracker
    if reference.network:
        from converter.network.reference import TorchModel

        return TorchModel.of(reference.network.module, tracker).infer
    if not tracker.formats:
        return None
    format = tracker.formats[0]
    if format in subject.missing[0]:
        return None
    model = GraphModel(tracker.of(format), runners)

    def run(images: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        model.template(images["z"], images.get("z_mask"))
        return model.track(images["x"], images.get("x_mask"))

    return run


def half(subject: Subject, comparison: Comparison, runners: Runners):
    """What half precision would do to the ncnn models."""
    from converter.checks.half.analysis import fp16_report

    return fp16_report(subject.folder, comparison, runners)


def arm(
    options: VerifyOptions,
    subject: Subject,
    reference: Reference,
    comparison: Comparison,
    root: ArmRoot,
    stages: Stages,
):
    """The ncnn models on the emulated ARM cpu; its answers become golden vectors where they are asked for."""
    from converter.checks.arm.run import Answered, ArmRun, check_arm

    answered: list[Answered] = []
    section = check_arm(ArmRun(root, options.arm, subject.folder, [comparison]), stages, answered.append)
    if section and options.golden_from != "torch":
        with stages("golden") as notes:
            write_arm_vectors(options, subject, reference.network, comparison, section, answered)
            notes.append(str(options.write_golden))
    return section


@dataclass(frozen=True)
class OpenedClip:
    """A clip that can be read, and a box that lies in it."""

    clip: Any
    box: Any

    def feed(self, reference: Reference, tracker: TrackerModels) -> Feed | None:
        """Its first crops, to compare on."""
        from converter.checks.clip.crops import crop_feed

        model = torch_model(reference, tracker)
        return crop_feed(self.clip, self.box, model, tracker.network, tracker.dimensions)


def opened_clip(options: VerifyOptions) -> OpenedClip | None:
    """Look at the clip, the box and the places to write to before any work begins.

    Raises:
        UsageError, DependencyError: naming the option.
    """
    if options.clip is None:
        for option in ("box", "annotate", "tracks"):
            if getattr(options, option) is not None:
                raise UsageError(f"--{option} is about a clip: pass --clip too")
        return None
    if options.checkpoint is None:
        raise UsageError("--clip tracks with the network beside the models: pass --resume CHECKPOINT")
    if options.box is None:
        raise UsageError("--clip wants the target in the first frame: pass --box x,y,w,h")
    from converter.checks.clip.tracks import check_tracks
    from converter.proof.boxes import check_box, parse_box
    from converter.track.annotate import check_annotate
    from converter.track.frames import open_clip

    box = parse_box(options.box)
    found = open_clip(options.clip)
    check_box(box, found.size)
    if options.annotate:
        check_annotate(options.annotate, found)
    if options.tracks:
        check_tracks(options.tracks)
    return OpenedClip(found, box)
