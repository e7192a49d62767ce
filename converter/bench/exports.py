"""The exports that are measured: their files, what their manifests say of them, and whether they are of one network."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.folder.exported import FileProblem
from converter.folder.manifest import Manifest
from converter.formats.format import format_of
from converter.report.text import harmless, is_number, listed
from converter.spec.model import TrackerModels
from converter.spec.options import VerifyOptions

PASSED = "passed"


@dataclass(frozen=True)
class Overlap:
    """What the manifest says of boxes: those of one step on the package's pictures, beside the network's own.

    Attributes:
        mean, smallest: intersection over union; the latter None where it is not said.
    """

    mean: float
    smallest: float | None


@dataclass(frozen=True, eq=False)
class Export:
    """One of them.

    Attributes:
        name: short, and no other one's.
        tracker: its models at the size that is measured.
        bytes: format to that of all its files, each counted once.
        problems: files that are not as the manifest says.
    """

    name: str
    folder: Path
    manifest: Manifest
    tracker: TrackerModels
    bytes: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[FileProblem, ...] = ()

    @property
    def weights(self) -> str:
        """How they are stored."""
        return self.manifest.precision

    def settings(self, format: str) -> dict[str, str]:
        """What the manifest sets of the format's runtime besides; only what is known here."""
        entry, known = self.manifest.formats.get(format), format_of(format).settings
        return {name: value for name, value in entry.session_options.items() if name in known} if entry else {}

    def overlap(self, format: str) -> Overlap | None:
        """None where none was measured of these files, as of models that are near enough by their outputs."""
        if self.problems or self.manifest.verification.status != PASSED:
            return None
        for entry in self.manifest.verification.pictures:
            if entry.get("format") == format and entry.get("sizes") == list(self.tracker.network.sizes):
                mean, smallest = entry.get("iou_mean"), entry.get("iou_smallest")
                if is_number(mean) and 0 <= mean <= 1:
                    return Overlap(mean, smallest if is_number(smallest) and 0 <= smallest <= 1 else None)
        return None

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "name": self.name,
            "weights": self.weights,
            "checkpoint": self.manifest.checkpoint.model_dump(mode="json"),
            "formats": [
                {
                    "format": format,
                    "bytes": self.bytes[format],
                    "overlap": asdict(overlap) if (overlap := self.overlap(format)) else None,
                    "session_options": self.settings(format),
                }
                for format in self.tracker.formats
            ],
        }


def bytes_of(folder: Path, tracker: TrackerModels) -> dict[str, int]:
    """Format to the bytes of all files of its models; one that several of them read is there once."""
    names = {format: {name for model in tracker.of(format) for name in model.files} for format in tracker.formats}
    return {format: sum((folder / name).stat().st_size for name in files) for format, files in names.items()}


def short_names(folders: Sequence[Path]) -> list[str]:
    """The last part of every path; the paths as they are where two would be called the same."""
    short = [path.name or str(path) for path in folders]
    names = short if len({*short}) == len(short) else list(map(str, folders))
    return [harmless(name).encode("utf-8", "replace").decode() for name in names]


def check_formats(folder: Path, manifest: Manifest, formats: Sequence[str]) -> None:
    """Of an export beside others, which has models to measure.

    Args:
        formats: that were asked for; none for all.

    Raises:
        UsageError: when it has none of these.
    """
    there = sorted({graph.format for graph in manifest.graphs})
    if formats and not {*formats} & {*there}:
        raise UsageError(f"--format {formats[0]}: export {folder} has {listed(there)} only; leave one of the two out")


def check_same_network(subjects: Sequence[VerifyOptions]) -> None:
    """What is put side by side is one network, stored in several ways.

    Raises:
        UsageError: for the first export of another, naming what differs and what was expected.
    """
    first, *others = subjects
    for other in others:
        same_arch = other.arch in first.network.archs  # one network can have several names
        for what, found, expected in (
            ("network", first.arch if same_arch else other.arch, first.arch),
            ("path name", other.network.path_name, first.network.path_name),
            ("template and search size", _sizes(other), _sizes(first)),
        ):
            if found != expected:
                raise UsageError(
                    f"export {other.folder}: {what} {found}, expected {expected} as in {first.folder}: exports side by "
                    "side are of one network; measure others in a run of their own"
                )


def _sizes(subject: VerifyOptions) -> str:
    return "/".join(map(str, subject.network.sizes))
