"""One process of the toolkit's Python: started, asked, and ended whatever it does."""

import logging
import os
import shutil
import subprocess
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from converter.errors import ConversionError
from converter.formats.rknn.guest import ERRORS, FIXED, marked, read_message, said, write_message
from converter.formats.rknn.root import RknnRoot
from converter.util.child import Child, ChildEnded

log = logging.getLogger(__name__)

TIMEOUT = 900.0  # seconds that one call may take; on an idle machine the longest takes 5
SCRIPT = Path(__file__).with_name("guest.py")
LOG = "toolkit.log"
# of every model, or of every one with int8 layers, and about nothing: what is run is what those passes have made
USUAL = (
    *("config.mean_values is None", "config.std_values is None", "rknn_compute_order", "need parameter qtype"),
    "The QAT model is loaded, but the config.optimization_level",
)
Message = tuple[dict[str, Any], dict[str, np.ndarray]]


class Toolkit:
    """The toolkit in a process of its own. It answers calls, one at a time; once it has failed, it stays so.

    Args:
        root: what it runs in.
        what: it works on, for messages.
        timeout: seconds that one call may take.
        fixed: whether its memory lies at the same addresses in every run, where the system lets it.
    """

    def __init__(self, root: RknnRoot, what: str, timeout: float = TIMEOUT, fixed: bool = True):
        self.root, self.what, self.timeout, self.fixed = root, what, timeout, fixed
        self._failure: str | None = None
        self._told: set[str] = set()
        self._child: Child | None = None
        self.work = Path(tempfile.mkdtemp(prefix="lt-rknn-"))  # the name is of one length, as the process wants it
        # the kernel ends the process with the thread that started it, so that is one which lives as long
        self._thread = ThreadPoolExecutor(1, "rknn")
        self._ended = weakref.finalize(self, shutil.rmtree, self.work, ignore_errors=True)

    def call(self, call: str, arrays: Mapping[str, np.ndarray] | None = None, /, **header: Any) -> Message:
        """What the other side answers: a header and arrays by name.

        Raises:
            ConversionError: when it refuses, crashes, hangs, or says something that is no answer.
        """
        return self._thread.submit(self._call, call, arrays or {}, header).result()

    def tell_once(self, warnings: Sequence[str]) -> None:
        """Say what it warned of, each line once."""
        for line in worth_telling([each for each in warnings if each not in self._told]):
            self._told.add(line)
            log.warning("%s: the toolkit says: %s", self.what, line)

    def stop(self) -> None:
        """End it."""
        child, self._child = self._child, None
        self._failure = self._failure or f"{self.what}: the process was ended"
        if child is not None:
            child.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._ended()

    def _call(self, call: str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Message:
        if self._failure:
            raise ConversionError(self._failure)
        if self._child is None:
            self._child = self._started()
        answer, tensors = self._ask(self._child, call, arrays, header)
        self._tell(answer)
        if "error" in answer:
            raise ConversionError(f"{self.what}: {answer['error']}")
        return answer, tensors

    def _started(self) -> Child:
        try:
            return Child(self._popen)
        except OSError as error:
            raise ConversionError(f"{self.what}: {self.root.python} does not start: {error.strerror}") from None

    def _popen(self, errors: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.root.command(SCRIPT, str(os.getpid()), str(self.work / LOG), *([FIXED] if self.fixed else [])),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=self.root.environment(self.work),
            cwd=self.work,
        )

    def _ask(self, child: Child, call: str, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Message:
        def exchange(stdin: IO[bytes], stdout: IO[bytes]) -> Message:
            write_message(stdin, {"call": call, **header}, arrays)
            return read_message(stdout)

        try:
            return child.ask(exchange, self.timeout)
        except ChildEnded as ended:
            if ended.late:
                how = f"{call} took longer than {self.timeout:g} s and was ended"
            else:
                how = f"{call}: the toolkit's process {ended.how}{self._last_error()}"
            raise self._failed(how) from None
        except (ValueError, KeyError, TypeError, OverflowError, MemoryError) as error:
            raise self._failed(f"answered {call} with garbage: {str(error)[:120]}") from None

    def _last_error(self) -> str:
        try:
            texts = [(self.work / name).read_text(encoding="utf-8", errors="replace") for name in (LOG, LOG + ERRORS)]
        except OSError:
            return ""
        errors = marked([line for text in texts for line in said(text)], "E")
        return f"; it said: {errors[-1]}" if errors else ""

    def _failed(self, how: str) -> ConversionError:
        self._failure = f"{self.what}: {how}"
        child, self._child = self._child, None
        if child is not None:
            child.stop()
        return ConversionError(self._failure)

    def _tell(self, answer: Mapping[str, Any]) -> None:
        for line in answer.get("said", ()):
            log.debug("%s: %s", self.what, line)


def worth_telling(warnings: Sequence[str]) -> list[str]:
    """The toolkit's warnings but for those that every model gets."""
    return [line for line in warnings if not any(words in line for words in USUAL)]
