"""What a manifest or an index of golden vectors states of a network, compared with the network, its config and the
files: a stranger wrote it, and whoever builds a tracker from it believes it."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from converter.errors import ConversionError
from converter.families.dimensions import dimensions_of
from converter.folder.exported import FileProblem, checksums_of, file_problems, listed_paths
from converter.folder.listing import (
    Difference,
    PreprocessEntry,
    TrackerEntry,
    differences,
    preprocess_entry,
    tracker_entry,
)
from converter.folder.manifest import MANIFEST, Manifest
from converter.folder.subject import UNREAD, Subject
from converter.formats.format import format_of
from converter.formats.ncnn.layer import computes_in_float
from converter.formats.ncnn.param import load_param
from converter.report.text import listed
from converter.spec.choices import FULL, JUDGED_BY_BOXES
from converter.spec.dimensions import Dimensions
from converter.spec.network import NetworkSpec

CONFIG = "an export that was made with --config is verified with the same file"
Known = Mapping[tuple[int, int], Dimensions]  # by template and search size


def read_files(subject: Subject) -> tuple[dict[Path, str | None], list[FileProblem]]:
    """Read every file of the models.

    Returns:
        path -> sha256 as it was read, None where it could not be; and what is not as the manifest says, together with
        what the manifest says that is not so.
    """
    folder, manifest = subject.folder, subject.manifest
    read: dict[Path, str | None] = {}
    for model in subject.models:
        for path, file in zip(model.paths(folder), subject.files(model), strict=True):
            read[path] = None if isinstance(file, Path) else file.sha256
    if manifest is None:
        return read, []
    others = checksums_of(path for path in listed_paths(folder, manifest) if path not in read)
    return read, [*file_problems(folder, manifest, {**others, **read}), *contradictions(subject)]


def contradictions(subject: Subject) -> list[FileProblem]:
    """What a manifest says otherwise than the network, the config or the files do, each with key, found, expected."""
    manifest, tracker = subject.manifest, subject.tracker
    if manifest is None:
        return []
    known = {each.network.sizes: each.dimensions for each in subject.trackers}
    stated = list(constants_stated(manifest.preprocess, manifest.tracker, tracker.network, known))
    for sizes in manifest.tracker.sizes:
        entry = TrackerEntry.model_validate(sizes.model_dump())
        stated += [each.under("tracker.sizes") for each in _tracker_stated(entry, tracker.network, known)]
    problems = [f"says that {each}; {CONFIG}" for each in stated]
    problems += [*_precision(manifest, subject), *_masks(manifest, subject)]
    return [FileProblem(MANIFEST, problem) for problem in problems] + _kept_elsewhere(subject)


def constants_stated(
    preprocess: PreprocessEntry | None, tracker: TrackerEntry, network: NetworkSpec, known: Known
) -> list[Difference]:
    """What a preprocessing and a tracker section say otherwise than the config and the network do.

    Args:
        known: dimensions of the network, as far as they are known.
    """
    stated = differences(preprocess, preprocess_entry(network.preprocess)) if preprocess else []
    return [
        *(each.under("preprocess") for each in stated),
        *(each.under("tracker") for each in _tracker_stated(tracker, network, known)),
    ]


def _tracker_stated(tracker: TrackerEntry, network: NetworkSpec, known: Known) -> list[Difference]:
    sized = network.at(*tracker.pair)
    return differences(tracker, tracker_entry(sized, known.get(sized.sizes) or dimensions_of(sized)))


def _precision(manifest: Manifest, subject: Subject) -> Iterator[str]:
    """Files that store their weights otherwise than the manifest says; what they do is what counts."""
    wrong: dict[str, list[str]] = {}
    if subject.precision in JUDGED_BY_BOXES:  # some of the models may have no layer in bytes
        if subject.precision != manifest.precision:
            yield f"says that precision is {manifest.precision!r}, expected {subject.precision!r}, as in the files"
        return
    for model, stored in subject.stored.items():
        # what cannot be read is judged as fp32
        if stored and (FULL if stored == UNREAD else stored) != manifest.precision:
            wrong.setdefault(stored, []).append(str(model))
    for stored, models in wrong.items():
        files = f"the files of {listed(models)}"
        yield f"says that precision is {manifest.precision!r}, expected {stored!r}, which {files} have"


def _masks(manifest: Manifest, subject: Subject) -> Iterator[str]:
    """Layers that are not as ``protected_from_half`` says of their files."""
    if manifest.protected_from_half is None:
        return
    stated: dict[str, set[str]] = {}
    masked: dict[str, set[str]] = {}
    for model in subject.models:
        if model.format != "ncnn":
            continue
        file = subject.files(model)[0]
        try:
            layers = load_param(file).layers
        except ConversionError:  # has failed where it was loaded
            continue
        masked[file.name] = {layer.name for layer in layers if computes_in_float(layer)}
        stated.setdefault(file.name, set()).update(manifest.protected_from_half.get(model.graph.name, ()))
    for name, found in masked.items():
        if found != stated[name]:
            says, expected = (listed(sorted(each)) or "none" for each in (stated[name], found))
            yield f"says that protected_from_half is {says}, expected {expected}, the layers of {name} that have a mask"


def _kept_elsewhere(subject: Subject) -> list[FileProblem]:
    """Files that read weights from others which the manifest does not list for them."""
    problems = []
    for model in subject.models:
        first = subject.files(model)[0]
        try:
            names = format_of(model.format).beside(first)
        except ConversionError:  # has failed where it was loaded
            continue
        problems += [
            FileProblem(first.name, f"keeps weights in {name}, which the manifest does not list")
            for name in names
            if name not in model.files
        ]
    return list(dict.fromkeys(problems))
