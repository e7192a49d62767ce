"""What a run shows while it works, and how a signal ends it."""

import signal
from typing import Any

from rich.console import Console

LAST_STAGE = "publish"
# before the work begins; a run that is refused there says why, and nothing else
PREPARATION = ("start", "check", "import")


class StageLines:
    """A line per finished stage on stderr; on a terminal, what is under way shows a spinner until the block ends.

    Attributes:
        quiet: no lines.
        detailed: hundredths of seconds, and what goes on before and behind the work.
        stage: what is under way; "done" behind the last stage.
        last: the stage behind which nothing can be undone.
        seconds: of all finished stages.
    """

    def __init__(self, quiet: bool, detailed: bool = False, last: str = LAST_STAGE):
        self.console = Console(stderr=True)
        self.quiet, self.detailed = quiet, detailed
        self.seconds = 0.0
        self.stage = "start"
        self.last = last
        self.status = None

    def __enter__(self) -> "StageLines":
        interruption.stages = self
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, name: str, seconds: float | None, note: str) -> None:
        self.stop()
        self.stage = name if seconds is None else "done" if name == self.last else self.stage
        self.seconds += seconds or 0.0
        interruption.raise_if_asked()
        if self.quiet:
            return
        if seconds is None:
            if self.console.is_terminal:
                self.status = self.console.status(name)
                self.status.start()
            return
        if self.detailed or name not in PREPARATION:
            self._print(name, seconds, note)

    def _print(self, name, seconds, note):
        line = f"{name:<10} {seconds:5.{2 if self.detailed else 1}f} s  {note}".rstrip()
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
        if self.status:
            self.status.stop()
            self.status = None


class Interruption:
    """Turns a signal into an exception that unwinds the run; what the run has begun is undone on the way.

    Extension modules turn an exception that meets them into one of theirs or drop it, so the signal is also
    remembered and looked at between stages and at the end.
    """

    class Interrupted(BaseException):
        """Raised where the signal arrives."""

    def __init__(self):
        self.number = None
        self.stages: StageLines | None = None

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._arrived)

    def _arrived(self, number: int, _frame: Any) -> None:
        if self.number is None and not self._done:
            self.number = number
            raise self.Interrupted

    def raise_if_asked(self) -> None:
        if self.number is not None and not self._done:
            raise self.Interrupted

    @property
    def _done(self):
        return self.stages is not None and self.stages.stage == "done"

    def __str__(self):
        if self.stages is not None and self.stages.last != LAST_STAGE:
            outcome = "what was asked for is not finished"
        elif self.stages is not None and self.stages.stage == LAST_STAGE:
            outcome = "while publishing: the folder holds the old export or the new one, whole"
        else:
            outcome = "nothing was published"
        return f"interrupted by {signal.Signals(self.number).name}; {outcome}"


interruption = Interruption()
