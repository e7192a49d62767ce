"""export(options): checkpoint -> network -> TorchScript -> models -> proof -> published folder."""

import logging
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from converter.exporting.check import checked_plan
from converter.exporting.describe import manifest_of
from converter.exporting.fitted import Fitted
from converter.exporting.made import Exported, Made
from converter.folder.golden_index import GoldenIndex
from converter.folder.golden_writer import golden_header
from converter.folder.manifest import Manifest
from converter.folder.replaced import replaced_by
from converter.folder.vectors import make_vectors, place_for, publish_vectors
from converter.folder.workspace import Workspace
from converter.formats.format import format_of
from converter.network.saved import saving
from converter.proof.comparison import Comparison
from converter.proof.feeds import Feed
from converter.proof.inputs import feeds_of
from converter.spec.choices import BYTES
from converter.spec.model import TrackerModels
from converter.spec.options import ExportOptions
from converter.util.content import Contents
from converter.util.stages import Listener, Stages

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint
    from converter.network.load import LoadedNetwork


def export(
    options: ExportOptions,
    progress: Listener | None = None,
    checkpoint: "Checkpoint | None" = None,
    fitted: Fitted | None = None,
) -> Exported:
    """Convert a checkpoint, prove the result, publish it.

    Args:
        options: what to export; see :class:`converter.spec.options.ExportOptions`.
        progress: told of every stage.
        checkpoint: what its file holds, where it was read already.
        fitted: models to publish in place of the converted ones; of precision int8 there are no others.

    Raises:
        ConverterError: one of its kinds; nothing was published and the target is as before.
    """
    stages, contents = Stages(progress), Contents()
    with ExitStack() as running:
        with stages("check"):
            plan = checked_plan(options)
            replaced = _replaced(options)
            feeds = [_feeds(options, tracker, len(plan.trackers) > 1) for tracker in plan.trackers]
            workspace = running.enter_context(Workspace(options.output))
        with stages("import") as notes:
            from converter.exporting import conversions, proving
            from converter.network.load import load_network, one_thread

            running.enter_context(one_thread())
            notes.append("torch")
        with stages("network") as notes:
            network = load_network(options, plan.trackers[0].dimensions.stride, checkpoint)
            taken = network.checkpoint.subnet_of
            notes += [f"{options.arch}{f' of {taken}' if taken else ''}, {network.source}"]
            notes.append(f"{network.parameters:,} parameters")
        with stages("trace") as notes:
            started = conversions.start(options, network, plan, workspace, contents, running)
            notes.append(", ".join(dict.fromkeys(source.graph.name for source in started.conversions)))
        with stages("reference"):
            comparisons = proving.comparisons_of(options, network, plan, feeds)
        with stages("convert") as notes:
            conversions.finish(started.conversions)
            notes.append(" and ".join(options.formats))
        if options.precision == BYTES:
            with stages("small"):
                conversions.shrink(plan, network, workspace.folder)
        tables = fitted.write(workspace.folder) if fitted else ()
        conversions.share(plan, workspace.folder)
        protected = proving.protect(workspace.folder, comparisons, stages) if options.protect_fp16 else None
        with stages("verify") as notes:
            runners = conversions.load_models(workspace.folder, contents, plan.trackers)
            report = proving.prove(options, comparisons, runners, network.about)
            steps = proving.judge(options, plan, network, runners, report)
            verification = proving.described(options, comparisons, report, steps)
            inputs = sum(map(len, feeds))
            notes.append(f"on {inputs} inputs" if inputs else "left out")
        arm = None
        if options.arm:
            arm = proving.run_on_arm(options, workspace.folder, contents, comparisons, report, steps, stages)
        golden = _golden(options, network, comparisons, workspace.folder / "golden", stages) if options.golden else None
        with stages("publish") as notes:
            results = (verification, report, protected, arm, golden, fitted)
            made = Made(comparisons, network, workspace.folder, contents, started.multiply_adds, *results)
            notes_of_models = made.notes
            with saving(options.save_checkpoint, options.arch, network) if options.save_checkpoint else nullcontext():
                manifest = _publish(options, made, workspace, tables)
            notes += [str(options.output), *([f"in place of {replaced}"] if replaced else [])]
    return Exported(options.output, manifest, report, arm, options, notes_of_models, steps)


def _replaced(options: ExportOptions) -> str | None:
    """What the export takes the place of, in a phrase; golden vectors that would go with it are told at once."""
    place = place_for(options.golden, options.output) if options.golden else None
    replaced = replaced_by(options.output, place.inside if place else None)
    for name in replaced.golden if replaced else ():
        log.warning(
            "%s holds golden vectors of the earlier export, which go with it; --golden %s writes new ones",
            *(options.output / name, options.output / name),
        )
    return replaced.about if replaced else None


def _feeds(options: ExportOptions, tracker: TrackerModels, several_sizes: bool) -> list[Feed]:
    """What to compare on; nothing where nothing is compared."""
    if not options.verify:
        return []
    feeds = feeds_of(tracker, options.seed, options.images, options.precision)
    return [feed.at(tracker.network.sizes) for feed in feeds] if several_sizes else feeds


def _golden(
    options: ExportOptions,
    network: "LoadedNetwork",
    comparisons: Sequence[Comparison],
    folder: Path,
    stages: Stages,
) -> GoldenIndex:
    with stages("golden") as notes:
        header = golden_header(options.arch, comparisons[0], network, network.about, options.precision)
        index = make_vectors(folder, header, network.module, comparisons, options.network.intermediates)
        notes.append(str(options.golden))
    return index


def _publish(options: ExportOptions, made: Made, workspace: Workspace, tables: Sequence[Path]) -> Manifest:
    extra = [*sorted(workspace.folder.glob("*.pt")), *tables]
    packages = ["torch", "numpy", *(package for name in options.formats for package in format_of(name).packages)]
    place = place_for(options.golden, options.output) if options.golden else None
    manifest = manifest_of(options, made, extra, packages, place.recorded if place else None)
    vectors = workspace.folder / "golden"
    inside = {place.inside: (vectors, made.golden)} if place and place.inside and made.golden else {}
    names = dict.fromkeys(name for tracker in made.trackers for model in tracker.models for name in model.files)
    files = [*(workspace.folder / name for name in names), *extra]
    workspace.stage([(path.name, path) for path in files], manifest, inside)
    if place and not place.inside and made.golden:
        publish_vectors(place.target, vectors, made.golden, workspace)
    else:
        workspace.put_in_place()
    return manifest
