"""What lt-verify looks at: models with names, shapes and the config that fits them, from a folder or loose files."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from converter.errors import UsageError
from converter.exporting.plan import image_inputs, network_dimensions
from converter.folder.exported import Manifest, Model, models_of, read_manifest
from converter.spec.dimensions import Dimensions
from converter.spec.network import FORMAT_NAMES, GraphSpec, NetworkSpec, TensorSpec, Tolerance
from converter.spec.options import VerifyOptions, overridden

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """What is verified.

    Attributes:
        manifest: None for models that came without one.
        network: the config at the models' sizes.
        dimensions: of it.
        models: in the order in which a device runs them, format by format.
        images: the template and the search crop.
        missing: format to the graphs that it lacks for a whole tracker; only formats that lack some.
    """

    manifest: Manifest | None
    network: NetworkSpec
    dimensions: Dimensions
    models: tuple[Model, ...]
    images: tuple[TensorSpec, ...]
    missing: Mapping[str, tuple[str, ...]]

    @property
    def formats(self) -> list[str]:
        return list(dict.fromkeys(model.format for model in self.models))

    def graphs(self, format: str) -> list[GraphSpec]:
        return [model.graph for model in self.models if model.format == format]

    @property
    def tie(self) -> float:
        """Of the decision, at the models' precision."""
        return self.network.tie(self.manifest.precision if self.manifest else "fp32")

    def tolerances(self, options: VerifyOptions) -> dict[str, Tolerance]:
        """The user's, or those that the export passed with, or the config's."""
        precision = self.manifest.precision if self.manifest else "fp32"
        table = dict(self.network.tolerances.get(precision) or self.network.tolerances["fp32"])
        recorded = self.manifest.verification.tolerances if self.manifest else {}
        for name, tolerance in recorded.items():
            if name in table and (tolerance.atol > table[name].atol or tolerance.rtol > table[name].rtol):
                log.warning("the export passed with a wider tolerance of %s than the config's: %s", name, tolerance)
            table[name] = tolerance
        return overridden(table, options.atol, options.rtol)


def subjects_of(options: VerifyOptions) -> list[Subject]:
    """The models with the names and shapes of what goes in and comes out, for every size that they serve.

    Returns:
        the first is of the sizes in ``options.network``.

    Raises:
        UsageError: when there is no such export or file, or the names cannot be found out.
        VerificationError: when the manifest or a file is damaged.
    """
    if options.folder is None:
        return [_loose_subject(options)]
    manifest = read_manifest(options.folder)
    own = options.network.sizes
    others = [] if options.search_sizes else [pair for pair in manifest.sizes() if pair != own]
    return [_exported_subject(options, manifest, options.network.at(*pair)) for pair in (own, *others)]


def _exported_subject(options, manifest, network) -> Subject:
    dimensions = network_dimensions(options.model_copy(update={"network": network}))
    declared = _declared(network, dimensions)
    models = models_of(options.folder, manifest, network, declared, options.formats)
    images = image_inputs(network.graph_specs(network.default_splits["ncnn"], dimensions))
    splits = {
        name: about.split for name, about in manifest.formats.items() if name in (options.formats or FORMAT_NAMES)
    }
    missing = _missing(network, models, {**dict.fromkeys(model.format for model in models), **splits})
    return Subject(manifest, network, dimensions, tuple(models), images, missing)


def _missing(network, models, splits):
    """Format to the graphs that it lacks.

    Args:
        splits: every format, and the split that its graphs are said to be of.
    """
    modes = {name: {model.graph.mode for model in models if model.format == name} for name in splits}
    lacking = {name: network.missing_graphs(modes[name], split) for name, split in splits.items()}
    return {name: graphs for name, graphs in lacking.items() if graphs}


def _declared(network, dimensions):
    """Every tensor of the config by its meaning."""
    specs = [spec for split in network.splits for spec in network.graph_specs(split, dimensions)]
    return {tensor.meaning: tensor for spec in specs for tensor in (*spec.inputs, *spec.outputs)}


def _loose_subject(options) -> Subject:
    from converter.folder.loose import loose_models, parse_rename

    network = options.network
    meanings = sorted(network.tensors)
    renames = [parse_rename(text, network.graphs, meanings) for text in options.rename]
    split = _split_with(network, options.loose)
    subjects = {}

    def specs_for(template_size: int, search_size: int) -> tuple[GraphSpec, ...]:
        sized = network.at(template_size, search_size)
        dimensions = network_dimensions(options.model_copy(update={"network": sized}))
        subjects[search_size] = sized, dimensions
        return sized.graph_specs(split, dimensions)

    sizes = options.search_sizes or (network.search_size,)
    models = loose_models(options.loose, specs_for, network.template_size, sizes, renames)
    searched = {tensor.shape[-1] for model in models for tensor in model.graph.inputs if tensor.meaning == "x"} or {
        list(subjects)[-1]
    }
    sized, dimensions = subjects[searched.pop()]
    images = image_inputs(sized.graph_specs(split, dimensions))
    missing = _missing(sized, models, {models[0].format: split})
    return Subject(None, sized, dimensions, tuple(models), images, missing)


def _split_with(network, names):
    """The split that has these graphs."""
    for split, graphs in network.splits.items():
        if set(names) <= set(graphs):
            return split
    options = ", ".join(f"--{name.replace('_', '-')}" for name in names)
    splits = " or ".join(" and ".join(graphs) for graphs in network.splits.values())
    raise UsageError(f"{options}: expected the graphs of one split: {splits}")
