"""From TorchScript to ncnn: run the pnnx binary, and believe nothing that it says about itself.

pnnx returns 0 for operators that ncnn does not have and for files that it could not write, so its
result is proved: the files are there, the layer table is whole and known to ncnn, the weights have the
length the table asks for, and inputs and outputs are the declared ones in the declared order.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from converter.errors import ConversionError, DependencyError
from converter.formats.ncnn.param import NcnnGraph, read_param, read_table
from converter.formats.ncnn.release import readable_by
from converter.formats.ncnn.weights import NcnnWeights, halved, load_bin
from converter.formats.source import Source
from converter.spec.tensors import GraphSpec, TensorSpec
from converter.util.atomic import make_folder, write
from converter.util.child import last_words, tail

LAST_WORDS = 3
# what pnnx writes beside the ncnn model and nobody reads: its own weights and ONNX file, two scripts
UNREAD = ("pnnxbin", "pnnxonnx", "pnnxpy", "ncnnpy")
# pnnx runs the network once, for the shapes; there, several threads wait for each other more than they work
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
FULL_DISK = 1 << 20
NOT_STARTED = 127  # of the loader, where a shared library is missing
REINSTALL = "reinstall it: pip install --force-reinstall pnnx"


class PnnxRun:
    """One pnnx process, started at once, in a folder of its own.

    Args:
        torchscript: the traced graph, a TorchScript file.
        source: what to make of it.
        folder: for the finished files, and for a folder of pnnx's own.
        timeout: seconds it may take from now on.
        process_group: where to put the process, for whoever has to end it when we are gone.
        half: store weights as halves.
        release: of the oldest ncnn that is to read the model.

    Raises:
        DependencyError: when there is no pnnx to run.
        ConversionError: when the TorchScript file cannot be written.
    """

    def __init__(
        self,
        torchscript: bytes,
        source: Source,
        folder: Path,
        timeout: float,
        process_group: int | None = None,
        half: bool = False,
        release: str | None = None,
    ):
        self.graph, self.files = source.graph, [folder / f"{source.stem}{suffix}" for suffix in (".param", ".bin")]
        self.folder = folder = make_folder(folder / f"{source.stem}.pnnx")
        self.half, self.release = half, release
        self.others = (source.other or source.graph).inputs
        self.timeout, self.deadline = timeout, time.monotonic() + timeout
        write(folder / "model.pt", torchscript)
        write(folder / "log", b"")
        command = [pnnx_binary(), "model.pt", f"inputshape={_shapes(source.graph)}", "fp16=0"]
        if source.other:
            command.append(f"inputshape2={_shapes(source.other)}")
        command += [f"{output}={os.devnull}" for output in UNREAD]
        try:
            with (folder / "log").open("ab") as log:
                self.process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env=os.environ | ONE_THREAD,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    process_group=process_group,
                )
        except OSError as error:
            raise DependencyError(f"cannot run {command[0]}: {error.strerror}; {REINSTALL}") from None

    def result(self) -> tuple[Path, ...]:
        """Wait for pnnx, prove what it wrote, give blobs their declared names.

        Returns:
            the ``.param`` and the ``.bin`` file.

        Raises:
            ConversionError: with the operator, or with pnnx's own last words.
            DependencyError: when it does not start.
        """
        try:
            code = self.process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
            raise self._failed(f"did not finish within {self.timeout:g} s and was ended (--pnnx-timeout)") from None
        if code < 0:
            raise self._failed(f"ended by signal {-code}")
        if code == NOT_STARTED:
            raise DependencyError(f"{self._failed('could not be started')}; {REINSTALL}")
        if code > 0:
            raise self._failed(f"returned {code}, expected 0")
        graph, stored = self._proved()
        graph = readable_by(graph, self.release)
        # pnnx calls blobs in0, in1, ..., out0, ... in the order of the traced function
        names = {f"in{index}": tensor.name for index, tensor in enumerate(self.graph.inputs)}
        names |= {f"out{index}": tensor.name for index, tensor in enumerate(self.graph.outputs)}
        param, weights = self.files
        write(param, graph.making_room(set(names.values()) - names.keys()).renamed(names).text().encode())
        if self.half:
            write(weights, halved(graph, stored).data())
        else:
            (self.folder / "model.ncnn.bin").rename(weights)
        return param, weights

    def stop(self) -> None:
        """End the process if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _proved(self) -> tuple[NcnnGraph, NcnnWeights]:
        param, weights = self.folder / "model.ncnn.param", self.folder / "model.ncnn.bin"
        for path in (param, weights):
            if not path.is_file():
                raise self._failed(f"wrote no {path.suffix} file")
        graph = self._read(param, read_param)
        self._check_layers(graph)
        for what, found, declared in (
            ("inputs", graph.input_blobs(), [f"in{index}" for index in range(len(self.graph.inputs))]),
            ("outputs", graph.output_blobs(), [f"out{index}" for index in range(len(self.graph.outputs))]),
        ):
            if sorted(found) != declared:
                raise self._failed(f"the graph has {what} {', '.join(found) or 'none'}, expected {', '.join(declared)}")
        try:
            stored = load_bin(graph, weights)
        except ConversionError as error:
            raise self._failed(str(error)) from None
        self._check_shapes()
        return graph, stored

    def _check_layers(self, graph: NcnnGraph) -> None:
        import ncnn  # while pnnx runs, not before it is started

        unknown = sorted({layer.type for layer in graph.layers if ncnn.layer_to_index(layer.type) < 0})
        if unknown:
            raise self._failed(f"{', '.join(unknown)} is left in the graph, and ncnn has no such layer")

    def _check_shapes(self) -> None:
        """pnnx's own graph says which shape it gave to which input; a swapped pair shows here."""
        table = self._read(self.folder / "model.pnnx.param", read_table)
        shapes = []
        for layer in table.layers:
            if layer.type == "pnnx.Input":
                shape = re.search(rf"#{re.escape(layer.outputs[0])}=\(([\d,?]+)\)", " ".join(layer.params))
                shapes.append(tuple(shape[1].split(",")) if shape else None)
        declared = [_known_sizes(tensor, other) for tensor, other in zip(self.graph.inputs, self.others, strict=True)]
        if shapes != declared:
            raise self._failed(f"the graph has input shapes {shapes}, expected {declared}")

    def _read(self, path: Path, read: Callable[[str, str], NcnnGraph]) -> NcnnGraph:
        try:
            return read(path.read_text(errors="replace") if path.is_file() else "", path.name)
        except ConversionError as error:
            raise self._failed(str(error)) from None

    def _failed(self, what: str) -> ConversionError:
        if shutil.disk_usage(self.folder).free < FULL_DISK:
            what = f"the disk is full, {what}"
        with (self.folder / "log").open("rb") as log:
            said = tail(log)
        # "ignore <operator> ..." is how pnnx mentions what it could not convert
        telling = "\n".join(line for line in said.split("\n") if line.strip().startswith("ignore ")) or said
        last = last_words(telling, LAST_WORDS)
        return ConversionError(f"pnnx on {self.graph.name}: {what}; it said: {last or 'nothing'}")


def _shapes(graph: GraphSpec) -> str:
    return ",".join(f"[{','.join(map(str, tensor.shape))}]f32" for tensor in graph.inputs)


def _known_sizes(tensor: TensorSpec, other: TensorSpec) -> tuple[str, ...]:
    """A shape as pnnx writes it: a question mark where the two differ."""
    return tuple(str(one) if one == two else "?" for one, two in zip(tensor.shape, other.shape, strict=True))


def pnnx_binary() -> str:
    """The binary that comes with the ``pnnx`` package."""
    import pnnx

    return str(pnnx.EXEC_PATH)
