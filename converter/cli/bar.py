"""The stage under way on a terminal: its bar, how many of its parts are done, and the time."""

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from converter.util.stages import BYTES


class Bar:
    """One line that is gone when the stage is done; without parts the bar just moves.

    Args:
        console: on a terminal; other lines on it go above the bar.
    """

    def __init__(self, console: Console, stage: str) -> None:
        columns = TextColumn("{task.description:<10}"), BarColumn(20), TextColumn("{task.fields[parts]}")
        self._progress = Progress(
            *columns, TimeElapsedColumn(), console=console, transient=True, redirect_stdout=False, refresh_per_second=5
        )
        self._task = self._progress.add_task(stage, total=None, parts="")

    def start(self) -> None:
        """Show it; a signal that arrives meanwhile finds something to stop."""
        self._progress.start()

    def step(self, done: int, total: int, unit: str) -> None:
        numbers = [f"{number / 1e6:.1f}" if unit == BYTES else str(number) for number in (done, total)]
        parts = f"{' of '.join(numbers if total else numbers[:1])} {'MB' if unit == BYTES else unit}".rstrip()
        self._progress.update(self._task, completed=done, total=total or None, parts=parts)

    def stop(self) -> None:
        self._progress.stop()
