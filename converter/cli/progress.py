"""What a run shows while it works, and how a signal ends it."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING

from converter.cli.terminal import log_console, shows_movement

if TYPE_CHECKING:
    from converter.cli.bar import Bar

from converter.util.stages import stage_line

LAST_STAGE = "publish"
# before the work begins; a run that is refused there says why, and nothing else
PREPARATION = ("start", "check", "import")
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
GRACE = 0.7  # seconds to unwind a run in; what takes longer is C code that no exception ends, or a process that hangs
PATIENCE = 0.2  # seconds, with a bar that another thread may be drawing


class Interruption:
    """Turns a signal into an exception that unwinds the run; what the run has begun is undone on the way.

    Extension modules turn an exception that meets them into one of theirs or drop it, so the signal is also
    remembered and looked at between stages and at the end. A run that has not unwound in time is ended as it stands.

    Args:
        undone: what it leaves behind, in words.

    Attributes:
        number: of the first signal that arrived; None before.
        saves: whether the run keeps what it has, for which it takes its time.
        rescue: saves what it can where the main thread waits for something, and says what is there; None for nothing.
        stages: of the run, once it has begun.
    """

    class Interrupted(BaseException):
        """Raised where the signal arrives."""

    def __init__(self, undone: str = "nothing was published") -> None:
        self.undone = undone
        self.number: int | None = None
        self.saves = False
        self.rescue: Callable[[], str] | None = None
        self.stages: StageLines | None = None
        self._first = threading.RLock()

    def listen(self, end: Callable[[], None]) -> None:
        """From here on to every signal that ends a process.

        Args:
            end: ends the process as it stands, called from another thread.
        """
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing)
        for number in SIGNALS:
            signal.signal(number, self._arrived)
        sys.unraisablehook = self._dropped
        threading.Thread(target=self._watch, args=(reading, end), daemon=True).start()

    def _dropped(self, dropped: "sys.UnraisableHookArgs") -> None:
        """What met nobody who could pass it on is not shown either: the signal is remembered."""
        if not issubclass(dropped.exc_type, self.Interrupted):
            sys.__unraisablehook__(dropped)

    def _watch(self, reading: int, end: Callable[[], None]) -> None:
        """Python's own part of a signal handler waits for the main thread; this one does not."""
        number = None
        while number not in SIGNALS:
            number = os.read(reading, 1)[0]
        time.sleep(GRACE)
        if not self._done and self.ends():
            self.number = self.number or number
            end()

    def ends(self) -> bool:
        """Whether whoever asks ends the process; of two threads only the first does, however often it asks."""
        return self._first.acquire(blocking=False)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        """A second one ends what is being saved for the first."""
        if not self._done and (self.number is None or self.saves):
            self.number = self.number or number
            if self.saves:
                self.ends()
            raise self.Interrupted

    def raise_if_asked(self) -> None:
        if self.number is not None and not self._done:
            raise self.Interrupted

    @property
    def _done(self) -> bool:
        return self.stages is not None and self.stages.stage == "done"

    def line(self) -> str:
        """What ended the run, and what it left behind."""
        if self.stages is not None and self.stages.stage == LAST_STAGE:
            outcome = "while publishing: the folder holds the old export or the new one, whole"
        else:
            outcome = self.undone
        name = signal.Signals(self.number).name if self.number is not None else "nothing"
        return f"interrupted by {name}; {outcome}"


class StageLines:
    """A Progress: a line per finished stage on stderr; on a terminal, what is under way shows a bar.

    Attributes:
        quiet: no lines.
        detailed: hundredths of seconds, and what goes on before and behind the work.
        stage: what is under way; "done" behind the last stage.
        last: the stage behind which nothing can be undone.
        seconds: of all finished stages.
    """

    def __init__(self, interruption: Interruption, quiet: bool, detailed: bool = False, last: str = LAST_STAGE) -> None:
        """
        Args:
            interruption: looked at between stages; knows from here on what is under way.
        """
        self.console = log_console()
        self.quiet, self.detailed = quiet, detailed
        self.seconds = 0.0
        self.stage = "start"
        self.last = last
        self.bar: Bar | None = None
        self.interruption = interruption
        interruption.stages = self

    def __enter__(self) -> "StageLines":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def begin(self, stage: str) -> None:
        self.stop()
        self.stage = stage
        self.interruption.raise_if_asked()
        if not self.quiet and shows_movement(self.console):
            from converter.cli.bar import Bar  # nobody else needs what it imports

            self.bar = Bar(self.console, stage)
            self.bar.start()

    def step(self, done: int, total: int, unit: str = "") -> None:
        self.interruption.raise_if_asked()
        if self.bar:
            self.bar.step(done, total, unit)

    def end(self, stage: str, seconds: float, note: str) -> None:
        self.stop()
        self.seconds += seconds
        if stage == self.last:
            self.stage = "done"
        self.interruption.raise_if_asked()
        if not self.quiet and (self.detailed or stage not in PREPARATION):
            self._print(stage, seconds, note)

    def _print(self, name: str, seconds: float, note: str) -> None:
        line = stage_line(name, seconds, note, 2 if self.detailed else 1)
        self.console.print(line, highlight=False, soft_wrap=True)

    def close(self, seconds: float) -> None:
        """Where the rest of the process's time went.

        Args:
            seconds: since the process was started.
        """
        if self.detailed:
            self._print("finish", seconds - self.seconds, "folders, summary")
            self._print("total", seconds, "the whole process")

    def stop(self) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None

    def stop_at_once(self) -> None:
        """From another thread, where the one that has begun a stage may hold whatever the bar waits for."""
        if self.bar:
            stopping = threading.Thread(target=self.bar.stop, daemon=True)
            stopping.start()
            stopping.join(PATIENCE)
            sys.stderr = sys.__stderr__  # the bar has one of its own in its place
