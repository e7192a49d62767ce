"""ncnn for C++: what is built, and a folder that cannot be used."""

import hashlib
import shutil
import subprocess
import tarfile

import pytest

from converter.checks.cpp import library as library_module
from converter.checks.cpp import setup as building
from converter.checks.cpp import source as source_module
from converter.checks.cpp.library import RECORD, LibraryRecord, library
from converter.checks.cpp.setup import LAYERS, SETUP, setup_cpp
from converter.errors import DependencyError, UsageError
from converter.util.stages import Silent, Stages
from converter.util.unpacked import contents

AVX2 = {"avx", "fma", "f16c", "avx2"}


class Told(Silent):
    """Keeps what it is told of a stage's parts."""

    def __init__(self):
        self.steps = []

    def step(self, done, total, unit=""):
        self.steps.append((done, total))


@pytest.fixture
def cpu(monkeypatch):
    """Sets what this CPU can do."""

    def can(flags):
        for module in (library_module, building):
            monkeypatch.setattr(module, "cpu_flags", lambda: set(flags))

    can(AVX2)
    return can


@pytest.fixture
def built(tmp_path, cpu):
    """A folder as a build leaves it."""
    folder = tmp_path / "cpp"
    (folder / "lib/cmake/ncnn").mkdir(parents=True)
    (folder / "lib/libncnn.a").write_bytes(b"library")
    (folder / "lib/cmake/ncnn/ncnnConfig.cmake").write_text("config")
    files, links = contents(folder)
    record = LibraryRecord(
        packages=[],
        files=files,
        links=links,
        ncnn=source_module.RELEASE,
        compiler="c++ 12",
        layers=list(LAYERS),
        flags=sorted(AVX2),
    )
    (folder / RECORD).write_text(record.model_dump_json())
    return folder


def test_a_sound_folder_is_taken_as_it_is(built):
    assert library(built).config == built / "lib/cmake/ncnn"
    there, made = setup_cpp(built, Stages())
    assert (there.folder, made) == (built, False)


def test_what_cannot_be_used_says_why_and_what_to_do(built, tmp_path, cpu):
    with pytest.raises(DependencyError, match=r"lt-setup cpp --folder \S+ builds it"):
        library(tmp_path / "nowhere")
    cpu(AVX2 - {"avx2"})
    with pytest.raises(DependencyError, match="was built for a CPU with avx2, which this one has not"):
        library(built)
    cpu(AVX2)
    (built / "lib/libncnn.a").write_bytes(b"changed")
    with pytest.raises(DependencyError, match=r"is damaged: lib/libncnn.a has changed"):
        library(built)
    (built / RECORD).unlink()
    with pytest.raises(DependencyError, match="is half-built"):
        library(built)


def test_removal_touches_only_what_was_built(built):
    (built / "lib/mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds 'lib/mine.txt', which lt-setup cpp did not put there"):
        SETUP.remove(built)
    (built / "lib/mine.txt").unlink()
    assert SETUP.remove(built)
    assert not built.exists()
    assert not SETUP.remove(built)


def switches(tmp_path, flags, layers=LAYERS):
    (tmp_path / "src").mkdir(exist_ok=True)
    names = [*layers, "Yolov3DetectionOutput"]
    (tmp_path / "src/CMakeLists.txt").write_text("".join(f"ncnn_add_layer({name})\n" for name in names))
    words = building.switches(tmp_path, tmp_path, building.this_cpu(flags))
    return dict(word.removeprefix("-D").split("=") for word in words)


def test_the_library_is_for_this_cpu_and_has_the_layers_of_the_families(tmp_path):
    found = switches(tmp_path, AVX2)
    assert found["WITH_LAYER_yolov3detectionoutput"] == "OFF"
    assert not any(found.get(f"WITH_LAYER_{name.lower()}") for name in LAYERS)
    assert (found["NCNN_AVX2"], found["NCNN_AVX512"], found["NCNN_RUNTIME_CPU"]) == ("ON", "OFF", "OFF")
    anywhere = switches(tmp_path, set())
    assert anywhere["NCNN_RUNTIME_CPU"] == "ON"
    assert "NCNN_AVX512" not in anywhere
    with pytest.raises(DependencyError, match="has no layer Swish"):
        switches(tmp_path, AVX2, [name for name in LAYERS if name != "Swish"])


def test_another_source_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    archive = tmp_path / "ncnn-1.0.20261020.tar.gz"
    with tarfile.open(archive, "w:gz"):
        pass
    monkeypatch.setattr(source_module, "_downloaded", lambda work, step: archive)
    with pytest.raises(DependencyError, match=r"nothing in it was used"):
        source_module.fetch_source(tmp_path / "source")
    assert not (tmp_path / "source").exists()
    monkeypatch.setattr(source_module, "SHA256", hashlib.sha256(archive.read_bytes()).hexdigest())
    source_module.fetch_source(tmp_path / "source")


@pytest.mark.cpp
@pytest.mark.parametrize("generator", ["Unix Makefiles", "Ninja"])
def test_compiling_says_how_many_files_of_how_many(tmp_path, generator):
    if generator == "Ninja" and shutil.which("ninja") is None:
        pytest.skip("no ninja here; apt-get install ninja-build")
    names = [f"file{index}.cpp" for index in range(3)]
    for name in names:
        (tmp_path / name).write_text("static_assert(true);\n")
    lines = [
        "cmake_minimum_required(VERSION 3.16)",
        "project(three CXX)",
        f"add_library(three STATIC {' '.join(names)})",
    ]
    (tmp_path / "CMakeLists.txt").write_text("\n".join(lines))
    words = ["-G", generator, "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"]
    subprocess.run(["cmake", "-S", tmp_path, "-B", tmp_path / "build", *words], check=True, capture_output=True)
    told = Told()
    building.compile_ncnn(tmp_path / "build", Stages(told))
    assert told.steps[-1] == (3, 3)
    (tmp_path / names[1]).write_text("#error nothing here\n")
    with pytest.raises(DependencyError, match=r"compiling ncnn ended with code \d+: .*error: #error nothing here"):
        building.compile_ncnn(tmp_path / "build", Stages())
