"""The manifest of an export, and what each of its files says of itself."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converter.exporting.made import Made
from converter.folder.listing import (
    GENERATOR,
    IN_MEMORY,
    SCHEMA_VERSION,
    FileEntry,
    GeneratorEntry,
    SizesEntry,
    preprocess_entry,
    tool_versions,
    tracker_entry,
)
from converter.folder.manifest import ExportedCheckpoint, FormatEntry, GraphEntry, Manifest, VerificationEntry
from converter.formats.format import format_of
from converter.spec.model import Model, TrackerModels
from converter.spec.options import ExportOptions
from converter.util.content import Content
from converter.util.version import version

if TYPE_CHECKING:
    from converter.network.load import LoadedNetwork


def manifest_of(
    options: ExportOptions, made: Made, extra_files: Sequence[Path], packages: Iterable[str], golden: str | None
) -> Manifest:
    """The manifest of an export; the same export gives the same manifest.

    Args:
        extra_files: published files that belong to no graph.
        packages: whose versions to record.
        golden: where the golden vectors are, from the export folder.
    """
    network, trackers = made.network, made.trackers
    graphs, contents = _graphs(trackers), made.contents
    checkpoint = network.checkpoint
    return Manifest(
        schema_version=SCHEMA_VERSION,
        generator=GeneratorEntry(name=GENERATOR, version=version()),
        arch=options.arch,
        path_name=network.path_name,
        network=network.source,
        checkpoint=ExportedCheckpoint(
            file=checkpoint.file,
            sha256=checkpoint.sha256,
            epoch=checkpoint.epoch,
            unused=network.unused,
            subnet_of=checkpoint.subnet_of,
        ),
        parameters=network.parameters,
        multiply_adds={model.graph.name: made.multiply_adds[model.graph] for model in graphs},
        formats={name: _format(options, made, name) for name in options.formats},
        preset=options.preset,
        precision=options.precision,
        protected_from_half=made.protected,
        graphs=tuple(_graph(model, sizes, contents.of(model.paths(made.folder))) for model, sizes in graphs.items()),
        extra_files=tuple(map(_file, contents.of(extra_files))),
        golden=golden,
        preprocess=preprocess_entry(options.network.preprocess),
        tracker=tracker_entry(options.network, trackers[0].dimensions, sizes=tuple(map(_sizes, trackers))),
        tools=tool_versions(packages),
        verification=_verification(made),
        arm=made.arm.as_dict() if made.arm else None,
    )


def _verification(made: Made) -> VerificationEntry:
    clips = {"clips": made.fitted.clips} if made.fitted else {}
    return made.verification.model_copy(update=clips)


def file_metadata(options: ExportOptions, network: "LoadedNetwork") -> dict[str, str]:
    """What a model file that is found alone should say: name to text."""
    return {
        "arch": options.arch,
        "path_name": network.path_name,
        "checkpoint": network.checkpoint.file or IN_MEMORY,
        "checkpoint_sha256": network.checkpoint.sha256,
        "preprocess": json.dumps(preprocess_entry(options.network.preprocess).model_dump(mode="json")),
    }


def _graphs(trackers: Sequence[TrackerModels]) -> dict[Model, list[tuple[int, int]]]:
    """Every graph of every format once, one that serves several sizes at the first; and the sizes."""
    first: dict[tuple[str, str], Model] = {}
    sizes: dict[Model, list[tuple[int, int]]] = {}
    for format in trackers[0].formats:
        for tracker in trackers:
            for model in tracker.of(format):
                described = first.setdefault((format, model.graph.name), model)
                sizes.setdefault(described, []).append(tracker.network.sizes)
    return sizes


def _sizes(tracker: TrackerModels) -> SizesEntry:
    dimensions = tracker.dimensions
    return SizesEntry(
        template_size=dimensions.template_size,
        search_size=dimensions.search_size,
        score_size=dimensions.score_size,
    )


def _format(options: ExportOptions, made: Made, name: str) -> FormatEntry:
    files = dict.fromkeys(model.paths(made.folder) for tracker in made.trackers for model in tracker.of(name))
    more = format_of(name).described(options, tuple(map(made.contents.of, files)))
    if options.share_weights:
        readers = Counter(path.name for of_model in files for path in of_model)
        more["shared_weights"] = [file for file, count in readers.items() if count > 1]
    if made.fitted:
        more["int8"] = made.fitted.about.model_dump(mode="json")
    return FormatEntry.model_validate(
        {"split": options.split_of(name), "dynamic_search": options.dynamic_search, **more}
    )


def _graph(model: Model, sizes: Sequence[tuple[int, int]], files: Sequence[Content]) -> GraphEntry:
    return GraphEntry(
        name=model.graph.name,
        mode=model.graph.mode,
        format=model.format,
        files=tuple(map(_file, files)),
        inputs=model.graph.inputs,
        outputs=model.graph.outputs,
        sizes=tuple(SizesEntry(template_size=template, search_size=search) for template, search in sizes),
    )


def _file(content: Content) -> FileEntry:
    """Of what was loaded for the proof, whatever may lie in the folder by now."""
    return FileEntry(name=content.name, sha256=content.sha256, bytes=len(content.data))
