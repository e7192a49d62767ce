"""``calibration.json``: what a folder with a calibration set says of itself, and whose set it is."""

from pydantic import Field

from converter.errors import UsageError
from converter.folder.listing import CheckpointEntry, Entry, FileEntry, Listing, PreprocessEntry, differences
from converter.proof.boxes import Box
from converter.spec.tensors import TensorSpec

MARKER = "calibration.json"


class CalibrationGraph(Entry):
    """A graph's inputs, in its order; sample n of one belongs to sample n of every other."""

    name: str
    inputs: tuple[TensorSpec, ...]


class SampleEntry(Entry):
    """Where a sample is from.

    Attributes:
        source: the clip or the picture.
        frame: of the search crop, None for a picture.
        template_frame: of the template.
        box, score: where the tracker saw the target then.
    """

    source: str
    frame: int | None = None
    template_frame: int | None = None
    box: tuple[float, float, float, float] | None = None
    score: float | None = None

    @classmethod
    def of_frame(cls, source: str, frame: int, template_frame: int, box: Box, score: float) -> "SampleEntry":
        place = tuple(round(value, 3) for value in box.values)
        return cls(
            source=source,
            frame=frame,
            template_frame=template_frame,
            box=(place[0], place[1], place[2], place[3]),
            score=round(score, 6),
        )


class CalibrationListing(Listing):
    """A calibration set.

    Attributes:
        arch, path_name, checkpoint: the network that tracked, and that gave zf and xf.
        preprocess: how the crops are normalised.
        template_size, search_size: of the crops, in pixels.
        seed: of what was chosen.
        layouts: the folders in it.
    """

    arch: str
    path_name: str
    checkpoint: CheckpointEntry
    preprocess: PreprocessEntry
    template_size: int
    search_size: int
    seed: int
    layouts: tuple[str, ...] = Field(min_length=1)
    graphs: tuple[CalibrationGraph, ...] = Field(min_length=1)
    samples: tuple[SampleEntry, ...] = Field(min_length=1)
    files: tuple[FileEntry, ...]

    def checksums(self) -> dict[str, str]:
        return {file.name: file.sha256 for file in self.files}

    def check_fits(self, other: "CalibrationListing") -> None:
        """Refuse a set that is not of a network as it is to be quantised.

        Args:
            other: what a set of that network would say; its samples do not matter.

        Raises:
            UsageError: naming the first thing that is another.
        """
        for key, about in (
            ("arch", "of another network"),
            ("path_name", "of another network"),
            ("template_size", "for templates of another size"),
            ("search_size", "for search crops of another size"),
            ("checkpoint", "of other weights, whose features differ"),
            ("preprocess", "normalised otherwise"),
            ("graphs", "of other graphs"),
        ):
            found, expected = getattr(self, key), getattr(other, key)
            if key == "checkpoint":
                found, expected = found.sha256, expected.sha256
            if found != expected:
                if isinstance(found, PreprocessEntry):
                    first = str(differences(found, expected)[0])
                elif key == "graphs":
                    first = f"graphs are {_names(found)}, expected {_names(expected)}"
                else:
                    first = f"{key} is {found}, expected {expected}"
                raise UsageError(f"the calibration set is {about}: {first}; make one with lt-calibrate")


def _names(graphs: tuple[CalibrationGraph, ...]) -> str:
    return ", ".join(f"{graph.name} ({', '.join(tensor.meaning for tensor in graph.inputs)})" for graph in graphs)
