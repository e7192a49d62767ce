"""What is looked at: models with names, shapes and the config that fits them, from an export or from loose files."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath

from converter.errors import ConversionError, UsageError
from converter.families.dimensions import dimensions_of
from converter.folder.exported import models_of
from converter.folder.listing import CheckpointEntry
from converter.folder.loose import loose_models, parse_rename
from converter.folder.manifest import Manifest, read_manifest
from converter.formats.format import format_names, format_of, judged_as
from converter.formats.isolated import IsolatedRunner
from converter.formats.ways import precision_of
from converter.spec.choices import FULL
from converter.spec.config import network_for
from converter.spec.dimensions import Dimensions
from converter.spec.model import Model, TrackerModels
from converter.spec.network import NetworkSpec
from converter.spec.options import VerifyOptions, overridden
from converter.spec.tensors import GraphSpec, TensorSpec, Tolerance
from converter.util.content import Contents, File

log = logging.getLogger(__name__)

UNREAD = "unknown"  # precision
Flags = Mapping[str, str | int | None]
Runners = Mapping[Model, IsolatedRunner]


@dataclass(frozen=True)
class Missing:
    """Graphs that a format lacks for a whole tracker at one template and search size."""

    format: str
    graphs: tuple[str, ...]
    sizes: tuple[int, int]


@dataclass(frozen=True)
class Subject:
    """What is verified.

    Attributes:
        manifest: None for models that came without one.
        folder: where the models' files are.
        trackers: the models at every size that they serve, the sizes of the options first.
        missing: what formats lack for a whole tracker, at every size.
        contents: what is read of the files, once: what is hashed is what is run.
    """

    manifest: Manifest | None
    folder: Path
    trackers: tuple[TrackerModels, ...]
    missing: tuple[Missing, ...] = ()
    contents: Contents = field(default_factory=Contents)

    def files(self, model: Model) -> tuple[File, ...]:
        """Of a model, as they were read; one that cannot be read as a path."""
        return self.contents.where_there(model.paths(self.folder))

    @property
    def models(self) -> tuple[Model, ...]:
        """At every size, each once."""
        return tuple(dict.fromkeys(model for tracker in self.trackers for model in tracker.models))

    @property
    def tracker(self) -> TrackerModels:
        """At the first of the sizes."""
        return self.trackers[0]

    @property
    def whole(self) -> list[str]:
        """Formats that have a whole tracker at the first of the sizes."""
        lacking = {each.format for each in self.missing if each.sizes == self.tracker.network.sizes}
        return [format for format in self.tracker.formats if format not in lacking]

    @cached_property
    def stored(self) -> Mapping[Model, str | None]:
        """How the files of every model store its weights; None where they have none."""
        found: dict[Model, str | None] = {}
        for model in self.models:
            try:
                found[model] = format_of(model.format).precision(self.files(model))
            except ConversionError as error:
                log.debug("precision of %s: %s", model, error)
                found[model] = UNREAD
        return found

    @property
    def precision(self) -> str:
        """Of the weights in the files, whatever a manifest says; "mixed" where the models do not go together."""
        return precision_of(set(filter(None, self.stored.values()))) or FULL

    @property
    def judged_as(self) -> str:
        """The key of the config's tolerances: the precision that the models compute in."""
        return judged_as(self.tracker.formats, self.precision)

    def other_checkpoint(self, weights: CheckpointEntry) -> str | None:
        """That the reference's weights are not those that were exported, in a line; None where no manifest says so."""
        exported = self.manifest.checkpoint if self.manifest else None
        if exported is None or None in (exported.file, weights.file) or weights.sha256 in (None, exported.sha256):
            return None
        name, own, expected = PurePath(str(weights.file)).name, weights.sha256[:12], exported.sha256[:12]
        return (
            f"{name} is not the file that was exported ({exported.file}): its sha256 begins with {own}, "
            f"the export's with {expected}"
        )

    def tolerances(self, options: VerifyOptions) -> dict[str, Tolerance]:
        """The user's, or the config's for the precision of the files; those that the export passed with are history.

        A precision that the config does not know is judged as fp32.
        """
        table = self.tracker.network.tolerances
        return overridden(table.get(self.judged_as, table[FULL]), options.atol, options.rtol)

    def passed_with_wider(self, tolerances: Mapping[str, Tolerance]) -> str | None:
        """That the export had passed with wider tolerances than it is judged by, in a line; None where it had not."""
        recorded = self.manifest.verification.tolerances if self.manifest else {}
        wider = [
            f"{name} {own} in place of {tolerances[name]}"
            for name, own in recorded.items()
            if name in tolerances and (own.atol > tolerances[name].atol or own.rtol > tolerances[name].rtol)
        ]
        if not wider:
            return None
        return f"the export had passed with wider tolerances than it is judged by: {', '.join(wider)}"


def network_of_export(
    folder: Path, arch: str | None, config: Path | None, flags: Flags, without: str
) -> tuple[str, NetworkSpec]:
    """The config, with what the export says of its network put in; a flag that contradicts it is refused.

    Args:
        flags: "path_name", "template_size" and "search_size" that were asked for.
        without: what to do with a folder that has no manifest.
    """
    manifest = read_manifest(folder, without)
    recorded = {"arch": manifest.arch, **manifest.config()}
    for template_size, search_size in reversed(manifest.sizes()):
        sizes = {"template_size": template_size, "search_size": search_size}
        if all(flags[name] in (None, size) for name, size in sizes.items()):
            recorded |= sizes
    for name, value in {"arch": arch, **flags}.items():
        if value not in (None, recorded[name]):
            expected = recorded[name]
            if name in sizes:
                expected = " or ".join(f"{template}/{search}" for template, search in manifest.sizes())
            raise UsageError(
                f"--{name.replace('_', '-')} {value}: the export's manifest says {expected}; leave the option out"
            )
    return network_for(recorded.pop("arch"), config, recorded)


def subject_of(options: VerifyOptions) -> Subject:
    """The models with the names and shapes of what goes in and comes out, for every size that they serve.

    Raises:
        UsageError: when there is no such export or file, or the names cannot be found out.
        VerificationError: when the manifest or a file is damaged.
    """
    return _loose(options) if options.folder is None else _exported(options, options.folder)


def _exported(options: VerifyOptions, folder: Path) -> Subject:
    manifest = read_manifest(folder)
    own = options.network.sizes
    others = [] if options.search_sizes else [pair for pair in manifest.sizes() if pair != own]
    splits = {
        name: about.split for name, about in manifest.formats.items() if name in (options.formats or format_names())
    }
    trackers = []
    for sizes in (own, *others):
        network = options.network.at(*sizes)
        dimensions = dimensions_of(network, options.stride)
        models = models_of(folder, manifest, network, _declared(network, dimensions), options.formats)
        trackers.append(TrackerModels(network, dimensions, tuple(models)))
    missing = [each for tracker in trackers for each in _missing(tracker, splits)]
    return Subject(manifest, folder, tuple(trackers), tuple(missing))


def _missing(tracker: TrackerModels, splits: Mapping[str, str | None]) -> tuple[Missing, ...]:
    """What formats lack for a whole tracker of their split, where that is known, or of any."""
    lacking = tracker.missing({**dict.fromkeys(tracker.formats), **splits})
    return tuple(Missing(format, graphs, tracker.network.sizes) for format, graphs in lacking.items())


def _declared(network: NetworkSpec, dimensions: Dimensions) -> dict[str, TensorSpec]:
    """Every tensor of the config by its meaning."""
    specs = [spec for split in network.splits for spec in network.graph_specs(split, dimensions)]
    return {tensor.meaning: tensor for spec in specs for tensor in (*spec.inputs, *spec.outputs)}


def _loose(options: VerifyOptions) -> Subject:
    network = options.network
    meanings = sorted(network.tensors)
    renames = [parse_rename(text, network.graphs, meanings) for text in options.rename]
    split = _split_with(network, list(options.loose))
    tried = {}

    def specs_for(template_size: int, search_size: int) -> tuple[GraphSpec, ...]:
        sized = network.at(template_size, search_size)
        dimensions = dimensions_of(sized, options.stride)
        tried[search_size] = sized, dimensions
        return sized.graph_specs(split, dimensions)

    sizes = options.search_sizes or (network.search_size,)
    contents = Contents()
    models = loose_models(options.loose, specs_for, network.template_size, sizes, renames, contents)
    searched = {tensor.shape[-1] for model in models for tensor in model.graph.inputs if tensor.meaning == "x"}
    tracker = TrackerModels(*tried[searched.pop() if searched else list(tried)[-1]], tuple(models))
    return Subject(None, Path(), (tracker,), _missing(tracker, {models[0].format: split}), contents)


def _split_with(network: NetworkSpec, names: Sequence[str]) -> str:
    """The split that has these graphs."""
    for split, graphs in network.splits.items():
        if set(names) <= set(graphs):
            return split
    options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
    splits = " or ".join(" and ".join(graphs) for graphs in network.splits.values())
    raise UsageError(f"{options}: expected the graphs of one split: {splits}")


@contextmanager
def isolated_runners(subject: Subject, models: Sequence[Model]) -> Iterator[Runners]:
    """What runs some of the models, each in a process of its own that ends with the block."""
    with ExitStack() as running:
        runners = {}
        for model in models:
            runners[model] = IsolatedRunner(model.format, subject.files(model), model.graph)
            running.callback(runners[model].stop)
        yield runners
