"""verify_cpp() of :mod:`converter.api`: from arguments to the comparison."""

from collections.abc import Sequence

from converter.checks.cpp.report import CppReport
from converter.checks.cpp.run import check_cpp
from converter.proof.boxes import parse_box
from converter.spec.arguments import AnyPath, expanded, path_of
from converter.track.cpp.api import open_described
from converter.track.frames import open_source
from converter.util.stages import Listener, Stages


def verify_cpp(
    folder: AnyPath,
    cpp: AnyPath,
    clip: AnyPath,
    box: str | Sequence[float],
    *,
    search_size: int | None = None,
    config: AnyPath | None = None,
    progress: Listener | None = None,
) -> CppReport:
    """Compare a C++ tracker with the official procedure and the same ncnn models, frame by frame and step by step.

    The tracker is built aside; neither the checkpoint nor torch is needed.

    Args:
        folder: of the export.
        cpp: folder that ``cpp`` wrote, as it is or as somebody changed it.
        clip: a video or a folder of pictures.
        box: x, y, width, height of the target in the first frame.
        search_size: of an export with several.
        config: the YAML file that it was exported with, where it was.
        progress: as for :func:`export`.

    Returns:
        false when something differs: ``failure()`` names the first stage that does.

    Raises:
        VerificationError: when a file of the export was changed, or the C++ does not build.
        ConverterError: another of its kinds when it could not be compared.
    """
    stages = Stages(progress)
    given = parse_box(box if isinstance(box, str) else ",".join(map(str, box)))
    opened = open_source(str(expanded(clip)), "clip")
    with stages("models") as notes:
        about, export = open_described(expanded(folder), search_size, path_of(config))
        notes.append(f"{', '.join(map(str, about.models))}, {export.status}")
    return check_cpp(expanded(cpp), export, opened, given, stages)
