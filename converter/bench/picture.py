"""Pictures that matplotlib draws: where they may be, with which settings, and how they appear."""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import ConversionError, UsageError
from converter.util.atomic import obstacle_to_file, replacing
from converter.util.packages import check_installed
from converter.util.process import AWAY

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METADATA = {".png": "Software", ".svg": "Creator"}  # where a picture says who made it


def check_picture(path: Path, mark: str) -> None:
    """Refuse a picture that could not be drawn, before any work is done.

    Args:
        mark: tells an earlier picture of the command.

    Raises:
        UsageError: for another suffix, or a place where no file can be.
        DependencyError: without matplotlib.
    """
    if path.suffix.lower() not in METADATA:
        raise UsageError(f"--plot {path}: expected {' or '.join(METADATA)}")
    if reason := obstacle_to_file(path, mark.encode()):
        raise UsageError(f"--plot {path}: {reason}")
    check_installed(["matplotlib"], "--plot")


@contextmanager
def own_settings() -> Iterator[None]:
    """matplotlib as it is by itself.

    When it is imported it reads ``matplotlibrc`` of the working folder, which may be a downloaded export's, and then
    the user's; either may ask for LaTeX, or be a pipe.
    """
    with chdir(AWAY):
        import matplotlib
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        yield


def save(figure: "Figure", path: Path, mark: str) -> None:
    """Write a figure, whole or not at all.

    Raises:
        ConversionError: when the file cannot be written.
    """
    try:
        with replacing(path) as draft:
            figure.savefig(draft, dpi=130, metadata={METADATA[path.suffix.lower()]: mark})
    except OSError as error:
        raise ConversionError(f"cannot write {path}: {error.strerror}") from None
