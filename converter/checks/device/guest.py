"""What runs in a process on another device: loads ncnn models, answers calls on stdout. Stands on its own.

Nothing here imports the project, for an emulated Python has only numpy and ncnn beside it; Python 3.11 or newer. The
other side is :class:`converter.checks.device.process.GuestProcess`, which imports what makes and reads messages.

A message is ``MAGIC``, the length of a header (little-endian, 4 bytes), the header as JSON, and the arrays that the
header names under "arrays" as [name, shape] pairs, float32, one behind the other.
"""

import ctypes
import json
import math
import os
import signal
import struct
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

PARENT_DIED = 1  # prctl's PR_SET_PDEATHSIG


def end_with(parent: int) -> None:
    """Let the kernel end this process when the one that started it ends, however that happens.

    Args:
        parent: its process id; it may be gone already.
    """
    ctypes.CDLL(None).prctl(PARENT_DIED, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


if __name__ == "__main__":  # before numpy, whose import takes seconds in an emulated process
    end_with(int(sys.argv[1]))

import numpy as np  # noqa: E402

MAGIC = b"lt-arm 1"
LARGEST_HEADER = 1 << 24
LARGEST_ARRAYS = 1 << 30
CALLS = ("hello", "load", "infer", "count", "walk", "begin", "go_on")
DEVICE = "vulkan_device"  # among the options: the number of the GPU that runs the models

Arrays = Mapping[str, np.ndarray]
Answer = tuple[dict[str, Any], dict[str, np.ndarray]]


def write_message(stream: IO[bytes], header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Send a header and float32 arrays by name."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in (arrays or {}).items()}
    described = {**header, "arrays": [[name, list(array.shape)] for name, array in arrays.items()]}
    text = json.dumps(described).encode()
    stream.write(MAGIC + struct.pack("<I", len(text)) + text)
    for array in arrays.values():
        stream.write(array.tobytes())
    stream.flush()


def read_message(stream: IO[bytes]) -> Answer:
    """Header and arrays of the next message.

    Raises:
        EOFError: when the stream ends before or in a message.
        ValueError: when something else than a message comes.
    """
    start = _exactly(stream, len(MAGIC) + 4)
    if not start.startswith(MAGIC):
        raise ValueError(f"{start!r} where a message should begin")
    (length,) = struct.unpack("<I", start[len(MAGIC) :])
    if length > LARGEST_HEADER:
        raise ValueError(f"a header of {length} bytes")
    header = json.loads(_exactly(stream, length))
    if not isinstance(header, dict):
        raise ValueError("a header that is no object")
    arrays, left = {}, LARGEST_ARRAYS
    for name, shape in header.pop("arrays"):
        size = 4 * math.prod(shape)
        left -= size
        if min(shape, default=0) < 0 or left < 0:
            raise ValueError(f"an array of shape {shape}")
        arrays[name] = np.frombuffer(_exactly(stream, size), "<f4").reshape(shape).astype(np.float32)
    return header, arrays


def _exactly(stream: IO[bytes], count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise EOFError
    return data


class Models:
    """ncnn models by name, all with the same options; a call takes a message and answers with one.

    Args:
        options: of ``ncnn.Option``, name to value; :data:`DEVICE` among them for a GPU.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        import ncnn

        self.ncnn = ncnn
        self.options = {name: value for name, value in options.items() if name != DEVICE}
        self.device: int | None = options.get(DEVICE)
        self.nets: dict[str, Any] = {}
        self.begun: Iterator[tuple[str, np.ndarray]] = iter(())

    def hello(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """What runs here."""
        about = {
            "machine": os.uname().machine,
            "python": ".".join(map(str, sys.version_info[:3])),
            "numpy": np.__version__,
            "ncnn": self.ncnn.__version__,
            "half_arithmetic": bool(self.ncnn.cpu_support_arm_asimdhp()),
        }
        if self.device is not None:
            about["device"] = self._device_name(self.device)
        return about, {}

    def load(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """Load the files ``param`` and ``weights``, in messages ``called`` otherwise, as ``name``; what ncnn says its
        inputs and outputs are."""
        net = self.nets[header["name"]] = self._loaded(header, self.options, self.device)
        about = {"inputs": net.input_names(), "outputs": net.output_names()}
        if self.device is not None:
            about["on_cpu"] = [[layer.name, layer.type] for layer in net.layers() if not layer.support_vulkan]
        return about, {}

    def _loaded(self, header: Mapping[str, Any], options: Mapping[str, Any], device: int | None) -> Any:
        net = self.ncnn.Net()
        for option, value in options.items():
            if not hasattr(net.opt, option):
                raise RuntimeError(f"this ncnn has no option {option}")
            setattr(net.opt, option, value)
        if device is not None:
            self._device_name(device)  # ncnn takes another where it is gone, and the CPU where none is left
            net.opt.use_vulkan_compute = True
            net.set_vulkan_device(device)
        for call, key in ((net.load_param, "param"), (net.load_model, "weights")):
            if (code := call(header[key])) != 0:
                called = header.get("called", {}).get(key, os.path.basename(header[key]))
                raise RuntimeError(f"ncnn does not load {called}: {call.__name__} returned {code}")
        if device is not None and (not net.opt.use_vulkan_compute or net.vulkan_device() is None):
            raise RuntimeError("ncnn does not use the Vulkan device, but the CPU in its place")
        return net

    def _device_name(self, device: int) -> str:
        with nothing_said():  # what each device can do, many lines
            there = self.ncnn.get_gpu_count()
        if device >= there:
            raise RuntimeError(f"Vulkan device {device} is gone: there are {max(there, 0)} now")
        return str(self.ncnn.get_gpu_info(device).device_name())

    def infer(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """``blobs`` of the model ``name``, float32, without the batch axis."""
        ends = set(header["blobs"]) <= set(self.nets[header["name"]].output_names())
        return {}, dict(self._extracted(header, arrays, light=ends))  # light mode drops inner blobs after their use

    def count(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """Of each blob: how many values it has, are NaN, are infinite, and the largest finite magnitude."""
        counts = {}
        for blob, array in self._extracted(header, arrays, light=False):
            finite = np.abs(array[np.isfinite(array)])
            largest = float(finite.max()) if finite.size else None
            counts[blob] = [array.size, int(np.isnan(array).sum()), int(np.isinf(array).sum()), largest]
        return {"counts": counts}, {}

    def walk(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """Of each of ``layers`` ([its inputs, its outputs] by blob) how far it is from the CPU's in float32.

        By blob: the largest difference where the layer is given the CPU's inputs, the same where everything before it
        ran as it does here, and the range of the CPU's; None for what is not finite.
        """
        name = header["name"]
        cpu = f"{name} on the CPU"
        if cpu not in self.nets:
            off = {option: False for option, value in self.options.items() if option.startswith("use_") and value}
            self.nets[cpu] = self._loaded(header, {**self.options, **off}, None)
        blobs = [blob for _, outputs in header["layers"] for blob in outputs]
        right = {**arrays, **dict(self._extracted({"name": cpu, "blobs": blobs}, arrays, light=False))}
        chained = self._extracted({"name": name, "blobs": blobs}, arrays, light=False)
        along = {blob: _difference(array, right[blob]) for blob, array in chained}
        rows = {}
        for inputs, outputs in header["layers"]:
            feed = {blob: right[blob] for blob in inputs}
            for blob, array in self._extracted({"name": name, "blobs": outputs}, feed, light=False):
                rows[blob] = [_difference(array, right[blob]), along[blob], float(np.ptp(right[blob]))]
        return {"rows": rows}, {}

    def begin(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """Get ready to compute ``blobs`` of the model ``name`` one at a time, in this order."""
        self.begun = self._extracted(header, arrays, light=False)
        return {}, {}

    def go_on(self, header: Mapping[str, Any], arrays: Arrays) -> Answer:
        """Compute the next of them; its name."""
        blob, _ = next(self.begun, ("", None))
        return {"blob": blob}, {}

    def _extracted(self, header: Mapping[str, Any], feed: Arrays, light: bool) -> Iterator[tuple[str, np.ndarray]]:
        with self.nets[header["name"]].create_extractor() as extractor:
            extractor.set_light_mode(light)
            for blob, array in feed.items():
                array = np.ascontiguousarray(array)  # named until it is cloned: ncnn.Mat shares its memory
                self._check("input", blob, extractor.input(blob, self.ncnn.Mat(array).clone()))
            for blob in header["blobs"]:
                code, mat = extractor.extract(blob)
                self._check("extract", blob, code if code or not mat.empty() else "an empty blob")
                yield blob, np.array(mat).astype(np.float32, copy=True)

    def _check(self, call: str, blob: str, code: int | str) -> None:
        if code != 0:
            raise RuntimeError(f"{call} of blob {blob!r} returned {code}, expected 0")


@contextmanager
def nothing_said() -> Iterator[None]:
    """What is written to stderr meanwhile goes nowhere."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _difference(array: np.ndarray, right: np.ndarray) -> float | None:
    """The largest; None where it is not finite."""
    if array.shape != right.shape:
        return None
    difference = float(np.abs(array - right).max())
    return difference if math.isfinite(difference) else None


def main() -> None:
    """``guest.py PARENT OPTIONS``: the options of ncnn as JSON; ends when its input does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what ncnn prints cannot get between the messages
    models = Models(json.loads(sys.argv[2]))
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
