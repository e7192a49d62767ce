"""track() of :mod:`converter.api`: from arguments to :class:`TrackOptions`, and the tracking."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from converter.errors import UsageError
from converter.formats.format import checked_formats
from converter.proof.boxes import Box, parse_box
from converter.spec.arguments import AnyPath, expanded, path_of
from converter.spec.options import VerifyOptions
from converter.util.stages import Listener

if TYPE_CHECKING:
    from converter.track.run import Tracking

TRACKED = "lt-track tracks with folders that lt-export wrote; lt-export CHECKPOINT makes one"


def track(
    folder: AnyPath,
    source: AnyPath | int,
    box: str | Sequence[float] | Box | None = None,
    *,
    formats: str | Sequence[str] = (),
    search_size: int | None = None,
    config: AnyPath | None = None,
    start: int = 0,
    frames: int | None = None,
    lost: float | None = None,
    groundtruth: AnyPath | None = None,
    csv: AnyPath | None = None,
    video: AnyPath | None = None,
    pictures: AnyPath | None = None,
    show: bool = False,
    progress: Listener | None = None,
) -> "Tracking":
    """Track a target with the models of an export, by the official procedure of their family.

    Neither torch nor the checkpoint is needed. The models' files are compared with the manifest's checksums, and each
    model runs in a process of its own.

    Args:
        folder: of the export.
        source: a video, a folder or a pattern of pictures, a camera's number, or an address that OpenCV opens.
        box: x, y, width, height of the target in the first frame, in its pixels; the ground truth's without one, and
            without that either, a window asks for it.
        formats: of an export with several, the one to run (default: the first that can be run here).
        search_size: of an export with several.
        config: the YAML file that it was exported with, where it was.
        start: number of the frame to begin with, from 0.
        frames: how many at most, the first included.
        lost: score below which the target counts as lost (default: half of the first score).
        groundtruth: a file with x, y, width, height for every frame, to compare with.
        csv: a table to write.
        video, pictures: a .mp4 or .avi file and a folder to draw into.
        show: a window with the frames.
        progress: as for :func:`export`.

    Returns:
        an iterator of :class:`converter.track.run.Tracked`, (frame, box, score), the first being the given box; its
        ``picture`` is the frame, its ``lost`` says that the target is lost, and its ``result`` has the figures. What is
        to be written is in place when it has ended, or with its ``close()``.

    Raises:
        VerificationError: when a file or the manifest was changed, or a model's answer cannot be used.
        ConverterError: another of its kinds when something cannot be opened, run or written.
    """
    from converter.folder.subject import network_of_export
    from converter.track.groundtruth import read_truth
    from converter.track.options import TrackOptions
    from converter.track.run import Tracking

    wanted, export = checked_formats(formats), expanded(folder)
    if os.path.isfile(export):
        raise UsageError(f"{export} is a file, and {TRACKED}")
    flags = {"path_name": None, "template_size": None, "search_size": search_size}
    arch, network = network_of_export(export, None, path_of(config), flags, TRACKED)
    truth = None if groundtruth is None else read_truth(expanded(groundtruth))
    given = _box(box)
    options = TrackOptions(
        subject=VerifyOptions(
            arch=arch,
            network=network,
            checkpoint=None,
            folder=export,
            formats=wanted,
            search_sizes=(network.search_size,) if search_size else (),
        ),
        source=str(source) if isinstance(source, int) else source,
        box=truth.start(max(0, start)) if given is None and truth else given,
        start=start,
        frames=frames,
        lost=lost,
        truth=truth,
        csv=path_of(csv),
        video=path_of(video),
        pictures=path_of(pictures),
        show=show,
    )
    return Tracking(options, progress)


def _box(given: str | Sequence[float] | Box | None) -> Box | None:
    if given is None or isinstance(given, Box):
        return given
    return parse_box(given if isinstance(given, str) else ",".join(map(str, given)))
