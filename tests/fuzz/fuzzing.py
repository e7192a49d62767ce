"""Parsers with inputs that hypothesis makes up, and what counts as an escape."""

import contextlib
import hashlib
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, Phase, given, seed, settings
from mutation import programs
from targets import OURS, TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"
BATCH = 50
SECONDS_EACH = 5


class Late(BaseException):
    """It took too long."""


def escapes(target: Target, data: bytes, folder: Path) -> BaseException | None:
    """What went wrong, where it is none of our errors."""
    try:
        with _deadline():
            target.run(data, folder)
    except OURS as error:
        return None if str(error).strip() else AssertionError(f"{type(error).__name__} without a message")
    except (Exception, Late) as error:
        return error
    return None


@contextlib.contextmanager
def _deadline() -> Iterator[None]:
    def late(number: int, frame: object) -> None:
        raise Late(f"more than {SECONDS_EACH} s of work")

    before = signal.signal(signal.SIGVTALRM, late)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS_EACH)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def batch(name: str, number: int, folder: Path, count: int = BATCH) -> tuple[int, tuple[bytes, BaseException] | None]:
    """Programs of one seed, each on every good input and in every way.

    Returns:
        How many inputs there were; the shortest that escaped, and how.
    """
    target = TARGETS[name]
    ways = [(change, which) for change in target.changes for which in range(len(target.seeds()))]
    done = 0
    last: list[tuple[bytes, BaseException]] = []

    @seed(number)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @given(programs)
    def run(program: bytes) -> None:
        nonlocal done
        for change, which in ways:
            done += 1
            data = change(target.seeds(), which, program)
            if error := escapes(target, data, folder):
                last[:] = [(data, error)]
                raise AssertionError from error

    try:
        run()
    except Exception:
        if not last:
            raise
    return done, last[0] if last else None


def fuzz(names: list[str], seconds: float, first: int, say: Callable[[str], None] = print) -> dict[str, int]:
    """Every target at least once, then whichever has had the least time, until it is over; kept escapes by target."""
    ends = time.monotonic() + seconds
    runs, batches, found = (dict.fromkeys(names, 0) for _ in range(3))
    spent = dict.fromkeys(names, 0.0)
    with TemporaryDirectory() as folder:
        while time.monotonic() < ends or not all(batches.values()):
            name = min(names, key=lambda name: spent[name])
            began, number = time.monotonic(), first + batches[name]
            done, escape = batch(name, number, Path(folder).resolve())
            spent[name] += time.monotonic() - began
            batches[name] += 1
            runs[name] += done
            if escape:
                found[name] += 1
                say(f"{name}: seed {number}: {kept(name, *escape)}")
    for name in names:
        say(f"{name:12} {runs[name]:9,} inputs, {spent[name]:6.0f} s, {found[name]} escapes")
    return found


def kept(name: str, data: bytes, error: BaseException) -> str:
    """Keep what escaped for the ordinary tests; what it did, and where it is."""
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"{type(error).__name__}: {str(error)[:300]}\n    kept as {path}"
