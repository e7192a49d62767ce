"""What lt-verify does beside the proof when it is asked: layers, a clip, a device's dumps, half precision."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from converter.checks.arm.root import ArmRoot
from converter.errors import UsageError
from converter.families.family import FAMILIES
from converter.formats.format import FORMATS
from converter.formats.isolated import IsolatedRunner
from converter.proof.feeds import Feed
from converter.spec.options import VerifyOptions
from converter.verifying.reference import Reference, check_golden, golden_of
from converter.verifying.subject import Subject


@dataclass(frozen=True)
class Case:
    """One run of lt-verify.

    Attributes:
        options: what was asked for.
        subject: what is verified.
        reference: what is right.
        runners: (format, graph) to a runtime in a process of its own.
    """

    options: VerifyOptions
    subject: Subject
    reference: Reference
    runners: Mapping[tuple[str, str], IsolatedRunner]


def layers(case: Case):
    """Every graph beside the network, layer by layer, on the last of the inputs (a real crop where there is one)."""
    from converter.checks.layers.walk import walk_layers
    from converter.checks.layers.walks import Walks

    tolerances = case.subject.tolerances(case.options)
    known = {**case.reference.answers[-1], **case.reference.feeds[-1].tensors}
    walks = []
    for model in case.subject.models:
        if any(not path.is_file() for path in model.files):
            continue
        feed = {tensor.meaning: known[tensor.meaning] for tensor in model.graph.inputs}
        tolerance = tolerances[model.graph.outputs[0].meaning]
        runner = IsolatedRunner(model.format, model.files, model.graph, inner=True)
        try:
            module = case.reference.network.module
            walks.append(walk_layers(module, model.graph, model.format, model.files, runner, feed, tolerance))
        finally:
            runner.stop()
    return Walks(tuple(walks))


def torch_model(reference: Reference, subject: Subject):
    """The network as a tracker uses it."""
    from converter.network.reference import TorchModel

    spec = subject.network
    return TorchModel(reference.network.module, FAMILIES[spec.family], subject.images, spec.activations)


def clip(case: Case, formats: list[str], opened: Any):
    """The clip tracked with the network and with the models of some formats, in this process for a fair speed.

    Raises:
        ConverterError: when a procedure does not fit or nothing can be written.
    """
    from converter.checks.clip.run import run_clip
    from converter.checks.clip.tracks import write_tracks
    from converter.proof.chain import GraphModel

    options, subject = case.options, case.subject
    candidates = {}
    for format in formats:
        models = [model for model in subject.models if model.format == format]
        runners = {model.graph.name: FORMATS[format].load(model.files, model.graph) for model in models}
        candidates[format] = GraphModel([model.graph for model in models], runners)
    found = run_clip(
        *(opened.clip, opened.box, torch_model(case.reference, subject), candidates),
        *(subject.network, subject.dimensions, options.min_iou, options.annotate),
    )
    if options.tracks:
        write_tracks(options.tracks, found)
    return found


def dumps(case: Case):
    """What a device wrote beside the golden vectors."""
    from converter.checks.dumps.diagnose import diagnose_dumps

    golden = golden_of(case.options, case.subject)
    if golden is None:
        raise UsageError("--dumps wants the golden vectors that the device was given: --golden DIR, or in the export")
    check_golden(golden, case.subject)
    names = {
        f"{model.graph.name}/{tensor.name}": tensor.meaning
        for model in case.subject.models
        for tensor in (*model.graph.inputs, *model.graph.outputs)
    }
    tolerances = case.subject.tolerances(case.options)
    return diagnose_dumps(case.options.dumps, golden, tolerances, case.subject.network.preprocess, _run(case), names)


def _run(case) -> Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]] | None:
    """Images to every tensor: by the network, or by the models of one format where there is no checkpoint."""
    from converter.proof.chain import GraphModel

    if case.reference.network:
        from converter.network.reference import TorchReference

        module, spec = case.reference.network.module, case.subject.network
        return TorchReference(module, FAMILIES[spec.family], case.subject.images, spec.activations).infer
    if not case.subject.formats:
        return None
    format = case.subject.formats[0]
    if format in case.subject.missing:
        return None
    graphs = case.subject.graphs(format)
    runners = {graph.name: case.runners[format, graph.name] for graph in graphs}
    model = GraphModel(graphs, runners)

    def run(images):
        model.template(images["z"], images.get("z_mask"))
        return model.track(images["x"], images.get("x_mask"))

    return run


def half(case: Case):
    """What half precision would do to the ncnn models."""
    from converter.checks.half.analysis import fp16_report

    models = [model for model in case.subject.models if model.format == "ncnn"]
    return fp16_report(
        {model.graph.name: model.files for model in models},
        [model.graph for model in models],
        {model.graph.name: case.runners["ncnn", model.graph.name] for model in models},
        case.reference.feeds,
        case.reference.answers,
    )


def arm(case: Case, root: ArmRoot, stages: Callable) -> Any:
    """The ncnn models on the emulated ARM cpu; its answers become golden vectors where they are asked for."""
    from converter.checks.arm.golden import Kept
    from converter.checks.arm.job import arm_job
    from converter.checks.arm.run import check_arm

    subject, reference = case.subject, case.reference
    models = [(model.graph, model.files) for model in subject.models if model.format == "ncnn"]
    stride = subject.dimensions["stride"]
    job = arm_job(root, case.options.arm, subject.network, stride, [(models, reference.feeds, reference.answers)])
    kept = Kept()
    section = check_arm(job, stages, kept)
    if section and case.options.golden_from != "torch":
        with stages("golden") as notes:
            kept.write(case.options, subject, reference, section)
            notes.append(str(case.options.write_golden))
    return section


@dataclass(frozen=True)
class OpenedClip:
    """A clip that can be read, and a box that lies in it."""

    clip: Any
    box: Any

    def feed(self, reference: Reference, subject: Subject) -> Feed | None:
        """Its first crops, to compare on."""
        from converter.checks.clip.crops import crop_feed

        model = torch_model(reference, subject)
        return crop_feed(self.clip, self.box, model, subject.network, subject.dimensions)


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
