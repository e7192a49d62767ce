"""Good files of every kind, small, for the fuzzer to change."""

import atexit
import io
import itertools
import json
import pickletools
import shutil
import zipfile
from collections.abc import Mapping
from functools import cache
from os.path import commonprefix
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx
import torch
from calibration_folder import make_calibration
from golden_folder import SHAPES, TWO, make_golden, picture_feed
from onnx import TensorProto, helper, numpy_helper

from converter.calibrate.listing import MARKER
from converter.folder.golden_index import GOLDEN_INDEX

WEIGHT, COUNTER = torch.arange(6.0).reshape(2, 3), torch.tensor(1)

PARAM = b"""7767517
6 7
Input            x     0 1 x 0=8 1=8 2=3
Split            s     1 2 x a b
Convolution      c1    1 1 a c 0=4 1=3 11=3 3=1 4=1 5=1 6=108 9=2 -23310=1,1.000000e-01
ConvolutionDepthWise c2 1 1 c d 0=4 1=3 4=1 5=1 6=36 7=4
MemoryData       m     0 1 m 0=4
BinaryOp         add   2 1 d m y 0=0
"""
INT8 = b"""7767517
2 2
Input in 0 1 x
Convolution conv 1 1 x y 0=4 1=3 5=1 6=108 8=2
"""
SCALES = b"conv_0_param_0 156.6 inf 0.000000 \nfc_param_0 1e-30 12.5 \nm_param_1 3 4 \nconv_0 26.7 \nfc 0.0625 \n"
SHAPED = b"""7767517
4 4
Input            zf    0 1 zf 0=4 1=4 2=2
Reshape          r     1 1 zf r 0=16 1=2 6="16,2,1"
InnerProduct     f     1 1 r f 0=3 1=1 2=96 8=2
Gemm             g     1 1 f cls 4=0 5=1 6=1 7=1 8=2 9=3 10=4
"""
TABLE = b"""7767517
3 3
pnnx.Input pnnx_input_0 0 1 0 #0=(1,3,8,8)f32
nn.Conv2d convrelu_0 1 1 0 1 bias=True groups=1 in_channels=3 out_channels=4 @bias=(4)f32 @weight=(4,3,3)f32
F.relu relu 1 1 1 2 $input=1
"""
YAML = (
    b"search_size: 256\ntolerances:\n  fp32:\n    cls: {rtol: 1.0e-3}\n    reg: {atol: 0.1, rtol: 1.0e-3}\n",
    b"tracker: {lr: 0.6, penalty_k: 0.007}\nnoise_feeds: 4\nmasks: no\nintermediates: [features.blocks.*, head.*]\n",
    b"a: &a {about: text, shape: [1, channels, 8, 8]}\ntensors: {zf: *a, xf: {<<: *a, about: more}}\n",
    b"preprocess:\n  colour_order: BGR\n  pixel_range: [0.0, 1.0]\n  mean: [0.1, 0.2, 0.3]\n  std: [1.0, 1.0, 1.0]\n",
    b"archs: [LightTrackM_Subnet]\nsplits: {two: [init, update]}\ngraphs: {init: {mode: template, inputs: [z]}}\n",
    b"usual_mistakes: [{cause: c, text: 't {factor}', change: divided, factors: [2.0, lr]}]\nlogits: {cls: p}\n",
    b"archs: [STARK_Lightning]\npath_name: rep_v2\nsearch_size: 320\n",
)


@cache
def torch_files() -> tuple[bytes, ...]:
    """Checkpoints of ``torch.save``, with all that may be in one."""
    states: list[object] = [
        {"w": WEIGHT, "n": COUNTER},
        {"epoch": 3, "state_dict": {"module.w": WEIGHT, "n": COUNTER}, "lr": np.float64(0.1), "best": np.int64(3)},
        {
            "net": {"w": torch.nn.Parameter(WEIGHT), "n": COUNTER},
            "a": np.zeros(3),
            "t": np.float32,
            "d": np.dtype("f4"),
        },
        {"w": WEIGHT.to_sparse(), "n": COUNTER},
        {"w": torch.quantize_per_tensor(WEIGHT, 0.1, 0, torch.qint8), "n": WEIGHT.to("meta")},
        {"w": torch.nested.nested_tensor([WEIGHT, WEIGHT[:1]]), "n": WEIGHT.to(torch.float8_e4m3fn)},
        {"w": WEIGHT.to(torch.complex64), "n": WEIGHT.to_sparse_csr(), "b": bytearray(b"a"), "s": {1, 2}, "o": b"x"},
    ]
    files = [_saved(state) for state in states]
    return (*files, _saved(states[0], zipped=False), _saved(states[1], zipped=False))


def _saved(state: object, zipped: bool = True) -> bytes:
    file = io.BytesIO()
    torch.save(state, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


@cache
def pickles() -> tuple[bytes, ...]:
    """What lies in them beside the numbers."""
    archives = [zipfile.ZipFile(io.BytesIO(file)) for file in torch_files() if file.startswith(b"PK")]
    return tuple(archive.read(next(n for n in archive.namelist() if n.endswith("data.pkl"))) for archive in archives)


@cache
def pickle_words() -> tuple[bytes, ...]:
    """Instructions as they stand in them: globals, tuples, calls, integers."""
    words: set[bytes] = set()
    for data in pickles():
        starts = [place for _, _, place in pickletools.genops(data)]
        words |= {data[a:b] for a, b in itertools.pairwise(starts)}
        words |= {data[a:b] for a, b in zip(starts, starts[3:], strict=False)}
    return tuple(sorted(words))


def as_archive(pickled: bytes) -> bytes:
    """A pickle in an archive that torch reads, with the storages of the good one that begins most alike."""
    file = io.BytesIO()
    shared = [len(commonprefix([pickled, good])) for good in pickles()]  # noqa: RUF071 of bytes, not of paths
    alike = shared.index(max(shared))
    with zipfile.ZipFile(io.BytesIO(torch_files()[alike])) as good, zipfile.ZipFile(file, "w") as archive:
        for name in good.namelist():
            archive.writestr(name, pickled if name.endswith("data.pkl") else good.read(name))
    return file.getvalue()


def safetensors_of(tensors: Mapping[str, tuple[str, list[int], int]], **metadata: str) -> bytes:
    """A file of zeros.

    Args:
        tensors: name to dtype, shape and bytes.
    """
    header: dict[str, object] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name, (dtype, shape, size) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + bytes(end)


SAFETENSORS = (
    safetensors_of({"w": ("F32", [2, 3], 24), "n": ("I64", [], 8)}),
    safetensors_of({"module.w": ("BF16", [2, 3], 12), "n": ("I64", [1], 8), "e": ("F32", [0, 3], 0)}, format="pt"),
)


@cache
def golden_folder() -> Path:
    """Golden vectors of two cases; gone with the process."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_golden(folder, [picture_feed("picture", 1), picture_feed("another", 2)], TWO)
    return folder


@cache
def dumps_folder() -> Path:
    """Three files of a device."""
    folder = golden_folder() / "device"
    folder.mkdir()
    for name, shape in (("picture_zf.bin", "zf"), ("update_cls.npy", "cls"), ("another_update_reg.txt", "reg")):
        np.zeros(SHAPES[shape], np.float32).tofile(folder / name)
    return folder


@cache
def golden_index() -> bytes:
    return (golden_folder() / GOLDEN_INDEX).read_bytes()


@cache
def calibration_folder() -> Path:
    """A calibration set of two samples; gone with the process."""
    folder = Path(mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_calibration(folder)
    return folder


@cache
def calibration_listing() -> bytes:
    return (calibration_folder() / MARKER).read_bytes()


@cache
def onnx_models() -> tuple[bytes, ...]:
    """A convolution with its norm, and a graph with constants and a subgraph."""
    weight = numpy_helper.from_array(np.zeros((4, 3, 3, 3), np.float32), "w")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], group=1),
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.ones(4, np.float32))),
        helper.make_node("Identity", ["k"], ["i"]),
        helper.make_node("Add", ["c", "i"], ["a"]),
        helper.make_node("Relu", ["a"], ["y"], name="relu"),
    ]
    shapes = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, 8, 8]) for name in ("x", "y")}
    first = helper.make_graph(nodes, "g", [shapes["x"]], [shapes["y"]], [weight])
    inner = helper.make_graph([helper.make_node("Relu", ["x"], ["t"])], "t", [], [shapes["y"]])
    more = [
        helper.make_node("Gemm", ["x", "w"], ["c"], transB=1),
        helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner),
    ]
    second = helper.make_graph(more, "g", [shapes["x"]], [shapes["y"]], [weight])
    models = (helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]) for graph in (first, second))
    return tuple(onnx.ModelProto.SerializeToString(model) for model in models)


@cache
def arrays() -> tuple[bytes, ...]:
    """.npy files."""
    files = []
    for array in (np.zeros((1, 2, 3), np.float32), np.zeros(6, np.float16), np.zeros((2, 3), ">i4"), np.array(["a"])):
        file = io.BytesIO()
        np.save(file, array)
        files.append(file.getvalue())
    return tuple(files)


NUMBERS_AS_TEXT = (b"1.0 2.0\n3.0,4.0;5 6\n", b"# made by\n1e-3\n-2\nnan\ninf 5 6", b"\xef\xbb\xbf1,2,3,4,5,6\r\n")
