"""What runs in the toolkit's own Python: builds models, runs them in the simulator, answers calls on stdout.

Nothing here imports the project, for its packages are of other versions than the toolkit takes. The other side is
:class:`converter.formats.rknn.process.Toolkit`, which imports what makes and reads messages from here.

A message is the length of an ``.npz`` (little-endian, 8 bytes) and the ``.npz``: a header as JSON under "header", and
arrays under their names.
"""

import ctypes
import io
import json
import os
import re
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any

PARENT_DIED, PERSONALITY, FIXED_ADDRESSES = 1, 0xFFFFFFFF, 0x0040000
HEADER, FIXED, ERRORS = "header", "fixed", ".errors"


def end_with(parent: int) -> None:
    """Let the kernel end this process when the one that started it ends, however that happens.

    Args:
        parent: its process id; it may be gone already.
    """
    ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def fix_addresses() -> None:
    """Start this program again at addresses that are the same in every run, where the system lets it.

    The toolkit writes memory that it has not set into its files, pointers among it.
    """
    libc = ctypes.CDLL(None)
    now = libc.personality(PERSONALITY)
    if now != -1 and not now & FIXED_ADDRESSES and libc.personality(now | FIXED_ADDRESSES) != -1:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    if sys.argv[3:] == [FIXED]:
        fix_addresses()
    end_with(int(sys.argv[1]))

import numpy as np  # noqa: E402

LARGEST = 1 << 30
CALLS = ("hello", "build", "infer")
# of a table in the toolkit's log: number, operator, type, where it runs, ..., name
OPERATOR = re.compile(r"\s\d+\s+(\S+)\s+(\S+)\s+(CPU|GPU|NPU)\s.*\s(\S+)\s*$")
LAYER, POOLED = "Conv", re.compile(r"_2conv\d+$")  # what has weights, and what a pooling is made of that has none
NOT_COMPUTED = ("InputOperator", "OutputOperator")
NO_ERRORS = ("rknn-toolkit2 version", "Traceback")  # what stands around one
NO_FAILURE = ("Unkown op target: 0",)  # said of every operator that is then on the CPU
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TIME = re.compile(r"^RKNN: \[[\d:.]+\] ")
MARK = re.compile(r"^([EW]) +(.*)")

Arrays = Mapping[str, np.ndarray]
Answer = tuple[dict[str, Any], dict[str, np.ndarray]]


def write_message(stream: IO[bytes], header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Send a header and arrays by name."""
    data = io.BytesIO()
    text = np.frombuffer(json.dumps(dict(header)).encode(), np.uint8)
    members: dict[str, Any] = {HEADER: text, **{f"array {name}": array for name, array in (arrays or {}).items()}}
    np.savez(data, **members)
    stream.write(struct.pack("<Q", data.tell()) + data.getvalue())
    stream.flush()


def read_message(stream: IO[bytes]) -> Answer:
    """Header and arrays of the next message.

    Raises:
        EOFError: when the stream ends before or in a message.
        ValueError: when something else than a message comes.
    """
    (length,) = struct.unpack("<Q", _exactly(stream, 8))
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes")
    with np.load(io.BytesIO(_exactly(stream, length)), allow_pickle=False) as data:
        header = json.loads(bytes(data[HEADER]))
        arrays = {name.removeprefix("array "): data[name] for name in data.files if name != HEADER}
    if not isinstance(header, dict):
        raise ValueError("a header that is no object")
    return header, arrays


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


def said(text: str) -> list[str]:
    """What the toolkit printed, line by line, without colours and progress bars."""
    lines = [COLOUR.sub("", line).strip() for line in text.replace("\r", "\n").split("\n")]
    return [line for line in lines if line and "it/s]" not in line and "?it/s" not in line]


def marked(lines: Sequence[str], mark: str) -> list[str]:
    """The toolkit's errors ("E") or warnings ("W")."""
    found = [match for line in lines if (match := MARK.match(line))]
    return list(dict.fromkeys(TIME.sub("", match[2]) for match in found if match[1] == mark))


def operators(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of the built model: the kinds that the NPU computes, each once, and those that it does not, as "kind name"."""
    found = [match for line in lines if (match := OPERATOR.search(line)) and match[1] not in NOT_COMPUTED]
    elsewhere = [f"{match[1]} {match[4].rpartition(':')[2]}" for match in found if match[3] != "NPU"]
    return sorted({match[1] for match in found if match[3] == "NPU"}), elsewhere


def layers_in_int8(lines: Sequence[str]) -> int:
    """How many layers with weights the built model computes in int8."""
    found = [match for line in lines if (match := OPERATOR.search(line))]
    int8 = [match[4] for match in found if match[1].startswith(LAYER) and match[2] == "INT8"]
    return sum(not POOLED.search(name) for name in int8)


def failure(step: str, how: str, lines: Sequence[str]) -> str | None:
    """Why a step failed, in a line with the toolkit's last error; None where it did not.

    Args:
        how: it says so itself; empty where it does not.
        lines: printed.
    """
    errors = [line for line in marked(lines, "E") if not any(words in line for words in NO_ERRORS)]
    if how or any(line not in NO_FAILURE for line in errors):
        return f"{step} failed ({how or 'and returned 0'})" + (f": {errors[-1]}" if errors else "")
    return None


class Models:
    """The model that was built last; a call takes a message and answers with one.

    Args:
        log: what the toolkit prints goes there.
    """

    def __init__(self, log: str) -> None:
        from rknn.api import RKNN

        self.toolkit = RKNN
        self.read = {log: 0, f"{log}{ERRORS}": 0}
        self.model: Any = None
        self.lines: list[str] = []  # printed during the call

    def hello(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """What runs here."""
        from importlib import metadata

        versions = {name: metadata.version(name) for name in ("rknn-toolkit2", "numpy", "onnx", "torch")}
        return {"python": ".".join(map(str, sys.version_info[:3])), "versions": versions}, {}

    def build(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """Build ``onnx`` (a path) for ``target``, with ``mean`` and ``std`` of every input where the model is to do
        that; write it to ``rknn`` where that is given, and make it ready to run in the simulator."""
        if self.model is not None:
            self.model.release()
        self.lines = []
        self.model = self.toolkit(verbose=True)
        inside = {} if header["mean"] is None else {"mean_values": header["mean"], "std_values": header["std"]}
        self._do("config", target_platform=header["target"], **inside)
        self._do("load_onnx", model=header["onnx"])
        self._do("build", do_quantization=False)
        if header.get("rknn"):
            self._do("export_rknn", header["rknn"])
        warnings = marked(self.lines, "W")
        on_npu, on_cpu = operators(self.lines)
        if header["runs"]:
            self._do("init_runtime")
        table = {"operators": on_npu, "on_cpu": on_cpu, "int8": layers_in_int8(self.lines)}
        return {"said": self.lines, "warnings": warnings, **table}, {}

    def infer(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """The outputs, in their order, for ``inputs``, names in their order, each in one of ``layouts``."""
        self.lines = []
        inputs = [arrays[name] for name in header["inputs"]]
        outputs = self._do("inference", inputs=inputs, data_format=header["layouts"])
        answer = {"said": self.lines, "warnings": marked(self.lines, "W")}
        return answer, {str(index): np.asarray(each) for index, each in enumerate(outputs)}

    def _do(self, step: str, *arguments: object, **named: object) -> Any:
        """A step of the toolkit, which returns a code that nobody looks at, or nothing where it fails. Its compiler
        prints errors and goes on: where there is one, whatever the code, the step has failed.

        Raises:
            RuntimeError: with its last error.
        """
        how = ""
        try:
            result = getattr(self.model, step)(*arguments, **named)
        except Exception as error:  # its functions raise whatever their insides do
            how = type(error).__name__
        else:
            if result is None or (isinstance(result, int) and result != 0):
                how = f"returned {result}"
        lines = self._said()
        self.lines += lines
        if why := failure(step, how, lines):
            raise RuntimeError(why)
        return result

    def _said(self) -> list[str]:
        """What was printed since the last time."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        ctypes.CDLL(None).fflush(None)  # its compiler prints by itself
        lines = []
        for path, read in self.read.items():
            with open(path, encoding="utf-8", errors="replace") as log:
                log.seek(read)
                lines += said(log.read())
                self.read[path] = log.tell()
        return lines


def main() -> None:
    """``guest.py PARENT LOG [fixed]``: ends when its input does."""
    answers = os.fdopen(os.dup(1), "wb")
    errors = os.fdopen(os.dup(2), "w")
    # what the toolkit prints gets neither between the messages nor, where it prints in both, into lines of itself
    for stream, path in ((1, sys.argv[2]), (2, f"{sys.argv[2]}{ERRORS}")):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    try:
        models = Models(sys.argv[2])
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=errors, flush=True)
        raise SystemExit(1) from None
    while True:
        try:
            header, arrays = read_message(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if header["call"] not in CALLS:
                raise RuntimeError(f"unknown call {header['call']!r}")
            answer, tensors = getattr(models, header["call"])(header, arrays)
        except RuntimeError as error:
            answer, tensors = {"error": str(error)}, {}
        write_message(answers, answer, tensors)


if __name__ == "__main__":
    main()
