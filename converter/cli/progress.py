"""What a run shows while it works, and how a signal ends it."""

import signal
from types import FrameType

from rich.console import Console
from rich.status import Status

from converter.util.stages import stage_line

LAST_STAGE = "publish"
# before the work begins; a run that is refused there says why, and nothing else
PREPARATION = ("start", "check", "import")


class Interruption:
    """Turns a signal into an exception that unwinds the run; what the run has begun is undone on the way.

    Extension modules turn an exception that meets them into one of theirs or drop it, so the signal is also
    remembered and looked at between stages and at the end.

    Attributes:
        number: of the first signal that arrived; None before.
        stages: of the run, once it has begun.
    """

    class Interrupted(BaseException):
        """Raised where the signal arrives."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.stages: StageLines | None = None

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._arrived)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self.number is None and not self._done:
            self.number = number
            raise self.Interrupted

    def raise_if_asked(self) -> None:
        if self.number is not None and not self._done:
            raise self.Interrupted

    @property
    def _done(self) -> bool:
        return self.stages is not None and self.stages.stage == "done"

    def line(self) -> str:
        """What ended the run, and what it left behind."""
        if self.stages is not None and self.stages.last != LAST_STAGE:
            outcome = "what was asked for is not finished"
        elif self.stages is not None and self.stages.stage == LAST_STAGE:
            outcome = "while publishing: the folder holds the old export or the new one, whole"
        else:
            outcome = "nothing was published"
        name = signal.Signals(self.number).name if self.number is not None else "nothing"
        return f"interrupted by {name}; {outcome}"


class StageLines:
    """A Progress: a line per finished stage on stderr; on a terminal, what is under way shows a spinner.

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
        self.console = Console(stderr=True)
        self.quiet, self.detailed = quiet, detailed
        self.seconds = 0.0
        self.stage = "start"
        self.last = last
        self.status: Status | None = None
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
        if self.console.is_terminal and not self.quiet:
            self.status = self.console.status(stage)
            self.status.start()

    def step(self, done: int, total: int) -> None:
        if self.status:
            self.status.update(f"{self.stage} {done} of {total}")

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
        if self.status:
            self.status.stop()
            self.status = None
