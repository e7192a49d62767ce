"""ncnn for C++ as something to set up: its source fetched, built for this CPU, and put in place in one step."""

import json
import logging
import os
import re
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from converter.checks.cpp.library import LIBRARY, RECORD, Library, LibraryRecord, cpu_flags, default_folder, library
from converter.checks.cpp.source import RELEASE, fetch_source
from converter.errors import DependencyError
from converter.util.commands import attempt, run
from converter.util.process import program
from converter.util.setups import Setup, Tool
from converter.util.stages import BYTES, Stages
from converter.util.unpacked import contents

log = logging.getLogger(__name__)

COST = "6 MB to fetch, some 2 minutes on two cores, 60 MB while it is built and 6 MB afterwards"
TOOLS = {"cmake": "cmake", "c++": "g++"}  # program to the package that has it
MOST_JOBS = 8
LONGEST = 7200.0  # seconds

# Of every family, split and precision; also what these make of themselves when they load.
LAYERS = (
    *("BatchNorm", "BinaryOp", "Cast", "Clip", "Concat", "Convolution", "ConvolutionDepthWise", "Crop", "Dequantize"),
    *("Dropout", "Eltwise", "ExpandDims", "Flatten", "Gemm", "HardSigmoid", "HardSwish", "InnerProduct", "Input"),
    *("Interp", "LayerNorm", "MatMul", "MemoryData", "Noop", "PReLU", "Packing", "Padding"),
    *("Permute", "Pooling", "Quantize", "ReLU", "Reduction", "Requantize", "Reshape", "Scale", "Sigmoid"),
    *("Slice", "Softmax", "Split", "Squeeze", "Swish", "UnaryOp"),
)
SWITCHES = {
    "BUILD_SHARED_LIBS": False,
    **dict.fromkeys(("NCNN_BUILD_TOOLS", "NCNN_BUILD_EXAMPLES", "NCNN_BUILD_TESTS", "NCNN_BUILD_BENCHMARK"), False),
    **dict.fromkeys(("NCNN_VULKAN", "NCNN_C_API", "NCNN_BF16", "NCNN_WEIGHT_QUANT"), False),
    **dict.fromkeys(("NCNN_PIXEL", "NCNN_PIXEL_ROTATE", "NCNN_PIXEL_AFFINE", "NCNN_PIXEL_DRAWING"), False),
    "NCNN_RUNTIME_CPU": False,  # every layer once, for this CPU, in place of six times for all
}
# Instruction sets that ncnn is told to use or not: with all flags that Linux must list of the CPU.
X86 = {
    "NCNN_AVX": ("avx",),
    "NCNN_FMA": ("fma",),
    "NCNN_F16C": ("f16c",),
    "NCNN_AVX2": ("avx2", "fma", "f16c"),
    "NCNN_AVX512": ("avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"),
    "NCNN_AVX512VNNI": ("avx512_vnni",),
    "NCNN_AVX512BF16": ("avx512_bf16",),
    "NCNN_AVX512FP16": ("avx512_fp16",),
    "NCNN_AVXVNNI": ("avx_vnni",),
    "NCNN_AVXVNNIINT8": ("avx_vnni_int8",),
    "NCNN_AVXVNNIINT16": ("avx_vnni_int16",),
    "NCNN_AVXNECONVERT": ("avx_ne_convert",),
    "NCNN_FMA4": ("fma4",),
    "NCNN_XOP": ("xop",),
}
COMPILED = re.compile(rb"^\[[^\]]*\] Building CXX object ", re.MULTILINE)  # a line of make's, and of ninja's


def setup_cpp(folder: Path, stages: Stages) -> tuple[Library, bool]:
    """Build the library, unless a sound one of the same release is there.

    Args:
        folder: where; absent, empty, or an earlier one, which is replaced when the new one is finished.
        stages: told of each step.

    Returns:
        the library, and whether it was built now.

    Raises:
        UsageError: for a folder that holds something else.
        DependencyError: naming what is missing.
    """
    folder = Path(os.path.abspath(folder))
    try:
        there = library(folder)
    except DependencyError as error:
        why = str(error)
    else:
        if there.record.ncnn == RELEASE and there.record.layers == list(LAYERS):
            return there, False
        why = f"{LIBRARY.name} {folder} is {there.record.ncnn}, wanted is {RELEASE}"
    for tool, package in TOOLS.items():
        if program(tool) is None:
            raise DependencyError(f"lt-setup cpp needs {tool}, not installed here: apt-get install {package}")
    LIBRARY.build(folder, lambda part: _build(part, stages), why)
    return library(folder), True


def _build(part: Path, stages: Stages) -> None:
    log.warning("ncnn %s is built for C++: %s", RELEASE, COST)
    work = part / "work"
    work.mkdir()
    with stages("source") as notes:
        source = fetch_source(work, partial(stages.progress.step, unit=BYTES))
        notes.append(source.name)
    flags = cpu_flags()
    with stages("configure") as notes:
        run(
            ["cmake", "-S", str(source), "-B", str(work / "build"), *switches(part, source, this_cpu(flags))],
            "configuring ncnn",
        )
        compiler = run(["c++", "--version"], "the compiler's version").splitlines()[0]
        notes.append(compiler)
    with stages("compile"):
        compile_ncnn(work / "build", stages)
        run(["cmake", "--install", str(work / "build")], "installing ncnn")
    shutil.rmtree(work)
    files, links = contents(part)
    needed = {flag for option, all_of in X86.items() if {*all_of} <= flags for flag in all_of}
    record = LibraryRecord(
        packages=[],
        files=files,
        links=links,
        ncnn=RELEASE,
        compiler=compiler,
        layers=list(LAYERS),
        flags=sorted(needed),
    )
    (part / RECORD).write_text(record.model_dump_json(indent=1) + "\n")


def this_cpu(flags: set[str]) -> dict[str, bool]:
    """Which instructions to use; without ``flags`` a library for any CPU of this kind."""
    if not flags:
        return {"NCNN_RUNTIME_CPU": True}
    return {option: {*all_of} <= flags for option, all_of in X86.items()}


def switches(place: Path, source: Path, cpu: Mapping[str, bool]) -> list[str]:
    """Options of CMake.

    Args:
        place: where the library is to be.
        source: ncnn's.
        cpu: options beside :data:`SWITCHES`.

    Raises:
        DependencyError: when the source lacks a layer.
    """
    all_layers = re.findall(r"^ncnn_add_layer\((\w+)", (source / "src/CMakeLists.txt").read_text(), re.MULTILINE)
    if unknown := sorted({*LAYERS} - {*all_layers}):
        raise DependencyError(f"ncnn {RELEASE} has no layer {unknown[0]}")
    values: dict[str, bool] = {**SWITCHES, **cpu}
    values |= {f"WITH_LAYER_{name.lower()}": False for name in all_layers if name not in LAYERS}
    return [
        *(f"-D{name}={'ON' if value else 'OFF'}" for name, value in values.items()),
        f"-DNCNN_VERSION={RELEASE}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG -w",
        "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON",
        f"-DCMAKE_INSTALL_PREFIX={place}",
        "-DCMAKE_INSTALL_LIBDIR=lib",
    ]


def compile_ncnn(build: Path, stages: Stages) -> None:
    """Compile what was configured; says n of m files while it runs.

    Raises:
        DependencyError: with the compiler's first error.
    """
    log_file = build / "lt-build.log"
    jobs = min(MOST_JOBS, os.cpu_count() or 1)
    total = len(json.loads((build / "compile_commands.json").read_bytes()))

    def told() -> None:
        if log_file.exists():
            stages.progress.step(len(COMPILED.findall(log_file.read_bytes())), total)

    command = 'exec nice -n 10 cmake --build "$1" -j "$2" >"$3" 2>&1'
    words = ["sh", "-c", command, "sh", str(build), str(jobs), str(log_file)]
    code, _, _ = attempt(words, "compiling ncnn", tick=told, seconds=LONGEST)
    told()
    if code:
        lines = log_file.read_text(errors="replace").splitlines() if log_file.exists() else []
        errors = [line.strip() for line in lines if "error" in line.lower()] or lines[-1:] or ["without a word"]
        raise DependencyError(f"compiling ncnn ended with code {code}: {errors[0][:300]}")


def _tool(there: Library) -> Tool:
    about = there.record.model_dump(include={"ncnn", "compiler", "layers", "flags"})
    return Tool(there.folder, there.summary, {"ncnn_DIR": str(there.config), **about})


def _build_tool(folder: Path, stages: Stages) -> tuple[Tool, bool]:
    there, built = setup_cpp(folder, stages)
    return _tool(there), built


SETUP = Setup(
    name="cpp",
    purpose="ncnn's library for what lt-cpp writes",
    folder=default_folder,
    look=lambda folder: _tool(library(folder)),
    build=_build_tool,
    remove=LIBRARY.remove,
)
