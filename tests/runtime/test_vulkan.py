"""ncnn's Vulkan kernels on llvmpipe: what agrees, what is broken only there, and drivers that die.

They need what ``lt-setup vulkan`` builds (``make test-vulkan``), and say so where it is missing.
"""

import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from comparisons import models_of
from half_models import Model, reported, scalable_pair, specs
from small_models import SIZES, SMALL, compared, feeds_of, save_lively

from commands import SUPPORT, lt_bench, lt_export, lt_setup, lt_verify
from converter.checks.device.modes import MODES
from converter.checks.vulkan.clip import Followed
from converter.checks.vulkan.devices import chosen, devices
from converter.checks.vulkan.process import VulkanProcess, ncnn_options
from converter.checks.vulkan.root import vulkan_root
from converter.checks.vulkan.run import VulkanRun, check_vulkan
from converter.errors import ConversionError, DependencyError, UsageError
from converter.formats.ncnn.param import load_param
from converter.formats.ncnn.runner import NcnnRunner
from converter.proof.boxes import Box
from converter.proof.chain import GraphModel
from converter.proof.inputs import noise_feeds
from converter.spec.config import network_for
from converter.spec.options import VulkanOptions
from converter.track.frames import open_clip
from converter.util.content import Contents
from converter.util.stages import Stages

VULKAN = ("--runtime", "ncnn-vulkan", "--vulkan-inputs", "1")
WIDE = ("--vulkan-rtol", "0.4", "--config", SUPPORT / "random_network.yaml")


@pytest.fixture(scope="session")
def tiny(tiny, once):
    return once("lively.pth", partial(save_lively, tiny))


@pytest.fixture(scope="session")
def small(llvmpipe, tiny, tmp_path_factory):
    """A checkpoint's export; copy it before changing it."""
    folder = tmp_path_factory.mktemp("exports") / "small"
    done = lt_export("--resume", tiny, *SIZES, "--output", folder)
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def model(small, tmp_path):
    return Model(shutil.copytree(small, tmp_path / "export"), specs(**SMALL))


@pytest.fixture
def feeds(model):
    return feeds_of(model)


@pytest.fixture(scope="session")
def device(llvmpipe):
    return chosen("llvmpipe", devices(llvmpipe.folder))


def on_vulkan(device, model, feeds, *modes, answers=None, layers=False, clip=None, **more):
    """The section on a model; compared with ncnn in float32 here, at tolerances that fit a random network."""
    comparison = compared(model, feeds, "vulkan", answers)
    followed = followed_by_cpu(model, comparison, clip) if clip else None
    options = VulkanOptions(root=Path("unused"), modes=modes, **{"inputs": 1, "timeout": 300.0, **more})
    run = VulkanRun(device, options, model.folder, Contents(), [comparison], "fp32", layers=layers, followed=followed)
    return check_vulkan(run, Stages())


def followed_by_cpu(model, comparison, clip):
    """A clip, with what ncnn computes on the CPU in place of the network."""
    models = comparison.tracker.of("ncnn")
    network = GraphModel(models, {each: NcnnRunner(*each.paths(model.folder), each.graph) for each in models})
    return Followed(open_clip(clip), Box(60, 40, 30, 30), network)


@pytest.fixture(scope="session")
def pictures(once):
    """A clip of five frames of noise."""

    def draw(folder):
        folder.mkdir()
        rng = np.random.default_rng(0)
        for index in range(5):
            frame = cv2.resize(rng.integers(0, 255, (12, 16, 3), np.uint8), (160, 120))
            cv2.imwrite(str(folder / f"{index}.png"), frame)

    return once("clip of noise", draw)


def behind_output(model, graph, name, *lines):
    """Put layers behind an output of a graph's file; its blob is called NAME_inner from then on."""
    param = model.files(graph)[0]
    there = param.read_text().splitlines()
    layers, blobs = map(int, there[1].split())
    given = sum(int(line.split()[3]) for line in lines)
    counts = f"{layers + len(lines)} {blobs + given}"
    inner = [re.sub(rf"(?<= ){name}(?= |$)", f"{name}_inner", line) for line in there[2:]]
    param.write_text("\n".join([there[0], counts, *inner, *lines]) + "\n")


def test_every_mode_is_proved_and_differs(device, model, feeds):
    section = on_vulkan(device, model, feeds, "fp32", "fp16s", "fp16", "bf16", layers=True)
    assert section, section.failure()
    found = {mode.mode.name: (mode.proof.storage, mode.proof.arithmetic) for mode in section.modes}
    assert found == {
        "fp32": ("float32", "float32"),
        "fp16s": ("half", "float32"),
        "fp16": ("half", "half"),
        "bf16": ("bfloat16", "float32"),
    }
    zf = [mode.checks[0].check.outputs[0].relative for mode in section.modes]
    assert 0 < zf[0] < 1e-5 < zf[1] < zf[3] < 0.1
    assert zf[1] < zf[2] < 0.1
    assert [(each.check.graph, each.check.how) for each in section.modes[0].checks] == [
        *(("init", "alone"), ("update", "alone"), ("update", "chained"))
    ]
    assert [(walk.mode, walk.graph) for walk in section.walks][:2] == [("fp32", "init"), ("fp32", "update")]
    assert all(section.walks)
    assert {str(layer).split()[1] for layer in section.on_cpu} == {"(MatMul)"}


def test_the_default_is_that_of_the_device(device, model, feeds):
    section = on_vulkan(device, model, feeds)
    assert [mode.mode.name for mode in section.modes] == ["fp16"]
    assert section.about.startswith("ncnn 1.0.2026")
    assert "fp16-p/s/u/a 1/1/1/1" in section.about
    assert "Mesa" in section.device.driver


def test_a_layer_that_is_wrong_only_on_a_gpu_is_found(device, model, feeds):
    """A shader's fmod is x - y * trunc(x / y), which is wrong for large x; the CPU's is exact."""
    behind_output(
        *(model, "update", "cls"),
        "BinaryOp times_1 1 1 cls_inner cls_large 0=2 1=1 2=1000000.0",
        "BinaryOp fmod_1 1 1 cls_large cls 0=12 1=1 2=0.7",
    )
    section = on_vulkan(device, model, feeds, "fp32", layers=True)
    assert not section
    assert [walk.graph for walk in section.walks if not walk] == ["update"]
    assert section.walks[-1].first.layer == "fmod_1"
    assert "fp32: layer fmod_1 (BinaryOp) of update is off by" in section.failure()
    assert [check.check.graph for check in section.modes[0].checks if not check] == ["update", "update"]


def test_scores_that_are_off_a_little_only_on_a_gpu_are_other_cells_on_a_clip(device, model, feeds, pictures):
    """As above, but within what the scores may be off by; the best cell moves nevertheless."""
    behind_output(
        *(model, "update", "cls"),
        "Split twice 1 2 cls_inner cls_kept cls_used",
        "BinaryOp times_1 1 1 cls_used cls_large 0=2 1=1 2=1000000.0",
        "BinaryOp fmod_1 1 1 cls_large cls_rest 0=12 1=1 2=0.7",
        "BinaryOp times_2 1 1 cls_rest cls_small 0=2 1=1 2=2.0",
        "BinaryOp plus_1 2 1 cls_kept cls_small cls 0=0",
    )
    section = on_vulkan(device, model, feeds, "fp32", clip=pictures)
    (clip,) = section.clips
    assert not clip
    assert "another best cell in" in clip.failure()
    assert clip.steps.score_max < 0.1


def test_sums_that_overflow_in_half_only_there_are_named(device, model):
    images = [tensor for graph in model.graphs for tensor in graph.inputs if tensor.meaning in ("z", "x")]
    smooth = noise_feeds(0, 2, images, network_for(None)[1].preprocess)[1:]
    sound = model.report(smooth)
    first, second = scalable_pair(model, sound)
    model.scale("update", first, second, 3e5 / reported(sound, "update", first).largest)
    section = on_vulkan(device, model, smooth, "fp16", "fp32", layers=True)
    fp16, fp32 = section.modes
    assert not fp16
    assert fp32, fp32.failure()
    assert f"layer {first} (" in fp16.failure()
    wrong = next(walk for walk in section.walks if not walk)
    assert (wrong.mode, wrong.graph, wrong.first.layer, wrong.first.alone) == ("fp16", "update", first, None)


def test_layers_that_were_told_to_stay_on_the_cpu_are_listed_and_a_graph_of_them_proves_nothing(device, model, feeds):
    param = model.files("init")[0]
    graph = load_param(param)
    for layer in graph.layers:
        if layer.type != "Input":
            graph = graph.with_param(layer.name, 31, 16)
    param.write_text(graph.text())
    section = on_vulkan(device, model, feeds, "fp32")
    assert not section
    assert "every layer of init fell back to the CPU: nothing of it was run on the device" in section.failure()


def test_a_process_without_a_device_is_not_taken_for_one(device, model, feeds):
    """ncnn itself goes on with the CPU and says nothing."""
    nowhere = {**device.environment, "VK_DRIVER_FILES": "/none.json", "VK_ICD_FILENAMES": "/none.json"}
    lost = VulkanProcess(replace(device, environment=nowhere), MODES["fp32"], 60.0)
    with pytest.raises(ConversionError, match="Vulkan device 0 is gone: there are 0 now"):
        lost.start()


def test_hang_is_ended(device, model, feeds):
    section = on_vulkan(device, model, feeds, "fp32", timeout=0.05)
    assert not section
    assert "took longer than 0.05 s and was ended" in section.failure()
    assert "Vulkan fp32 on llvmpipe" in section.failure()


@pytest.fixture(scope="session")
def bad_driver(llvmpipe, tmp_path_factory):
    """The environment in which the system's only driver is one that hands on to llvmpipe, until it goes wrong."""
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no gcc, which makes the driver that dies")
    folder = tmp_path_factory.mktemp("driver")
    words = [compiler, "-shared", "-fPIC", "-o", folder / "bad.so", SUPPORT / "bad_driver.c", "-ldl"]
    subprocess.run(words, check=True)
    icd = {"library_path": str(folder / "bad.so"), "api_version": "1.1.230"}
    (folder / "bad.json").write_text(json.dumps({"file_format_version": "1.0.0", "ICD": icd}))
    return {
        "LD_LIBRARY_PATH": str(llvmpipe.libraries),
        "VK_DRIVER_FILES": str(folder / "bad.json"),
        "VK_ICD_FILENAMES": str(folder / "bad.json"),
        "BAD_DRIVER": str(llvmpipe.libraries / "libvulkan_lvp.so"),
        "LT_VULKAN_ROOT": str(folder / "none"),
    }


@pytest.mark.parametrize(
    ("call", "action", "after", "said"),
    [
        (
            "vkQueueSubmit",
            "abort",
            6,
            r"(load|infer) of (init|update): the driver's process crashed with SIGABRT; it said",
        ),
        (
            "vkCreateComputePipelines",
            "lost",
            30,
            r"SIGSEGV; it said: vkCreateComputePipelines failed -4 .*; run again layer by layer, it fails in "
            r"layer \w+ \(\w+\) of (init|update)",
        ),
        ("vkQueueSubmit", "hang", 6, r" took longer than 8 s and was ended"),
        ("vkQueueSubmit", "lost", 6, r"(extract of blob '\w+'|load_model) returned -|does not use the Vulkan device"),
        ("vkCreateComputePipelines", "abort", 0, r"load of a probe: the driver's process crashed with SIGABRT"),
        ("vkQueueSubmit", "lost", 0, r"ncnn does not use the Vulkan device, but the CPU in its place"),
        ("vkCreateInstance", "gone", 0, r"Vulkan device 0 is gone: there are 0 now"),
    ],
)
def test_a_driver_that_goes_wrong_is_a_failure_in_a_line(bad_driver, small, tiny, tmp_path, call, action, after, said):
    timeout = "8" if action == "hang" else "120"
    words = (small, "--resume", tiny, *VULKAN, *WIDE, "--vulkan-mode", "fp32", "--vulkan-timeout", timeout, "--json")
    bad = {"BAD_CALL": call, "BAD_ACTION": action, "BAD_AFTER": str(after), "BAD_FILE": str(tmp_path / "first")}
    done = lt_verify(*words, **bad_driver, **bad)
    assert done.code == 1, done.err
    assert re.search(said, done.error_line), done.error_line
    assert "Vulkan fp32 on llvmpipe" in done.error_line
    assert "driver llvmpipe Mesa" in done.error_line
    result = json.loads(done.out)
    assert (result["verification"]["status"], result["vulkan"]["passed"]) == ("passed", False)


def test_a_driver_that_dies_while_it_is_listed_is_a_missing_device(bad_driver, small, tiny):
    bad = {"BAD_CALL": "vkCreateInstance", "BAD_ACTION": "abort"}
    done = lt_verify(small, "--resume", tiny, *VULKAN, **bad_driver, **bad)
    assert done.code == 5
    said = "no Vulkan device: this system: a driver crashed with SIGABRT while devices were listed: the bad driver"
    assert said in done.error_line
    assert done.error_line.endswith("lt-setup vulkan gets llvmpipe, which runs on the CPU")


def test_verification_reports_and_writes_golden_vectors_of_the_shaders(llvmpipe, small, tiny, tmp_path):
    golden = tmp_path / "golden"
    words = (small, "--resume", tiny, *VULKAN, *WIDE, "--golden-from", "ncnn-vulkan", "--vulkan-mode", "fp16")
    pages = ("--report", tmp_path / "page.html", "--report", tmp_path / "page.md")
    done = lt_verify(*words, "--write-golden", "--golden", golden, *pages)
    assert done.code == 0, done.err
    assert re.search(r"^ok +fp16 +update chained +cls ", done.out, re.MULTILINE), done.out
    assert "no vendor's driver was asked" in done.out
    for name in ("page.html", "page.md"):
        assert "llvmpipe" in (tmp_path / name).read_text()
    index = json.loads((golden / "index.json").read_text())
    assert "on Vulkan device 0: llvmpipe" in index["reference"]
    again = lt_verify(small, "--golden", golden, *VULKAN, "--vulkan-mode", "fp16", "--vulkan-rtol", "0", "--json")
    assert json.loads(again.out)["vulkan"]["passed"], again.err


def test_a_clip_is_followed_one_step_at_a_time(llvmpipe, small, tiny, pictures):
    words = (
        small,
        "--resume",
        tiny,
        *VULKAN,
        *WIDE,
        "--vulkan-mode",
        "fp32",
        "--clip",
        pictures,
        "--box",
        "60,40,30,30",
    )
    done = lt_verify(*words, "--json")
    (clip,) = json.loads(done.out)["vulkan"]["clips"]
    assert clip["passed"], clip
    assert (clip["mode"], clip["frames"], clip["other_cells"]) == ("fp32", 4, 0)
    assert clip["iou_smallest"] > 0.999
    assert re.search(r": 5 frames, about \d+\.\d minutes", done.err), done.err


def test_devices_are_listed_and_chosen(llvmpipe, tmp_path):
    done = lt_setup("--json", LT_VULKAN_ROOT=str(llvmpipe.folder))
    (state,) = (setup for setup in json.loads(done.out)["setups"] if setup["name"] == "vulkan")
    assert state["state"] == "ok"
    names = [device["name"] for device in state["devices"]]
    there = devices(llvmpipe.folder)
    assert names == [device.name for device in there]
    assert there[-1].has("fp16-a")
    assert there[-1].has("int8-s")
    assert not there[-1].has("bf16-s")
    assert chosen("LLVMpipe", there).is_software
    assert chosen(str(len(there) - 1), there) is there[-1]
    with pytest.raises(UsageError, match=rf"--vulkan-device {len(there)}: there are {len(there)}: 0 "):
        chosen(str(len(there)), there)
    with pytest.raises(UsageError, match=r"--vulkan-device llvmpie: expected a number .*; did you mean 'llvmpipe'\?"):
        chosen("llvmpie", there)


def test_a_root_is_built_from_packages_and_damage_is_noticed(llvmpipe, tmp_path):
    folder = tmp_path / "cache/vulkan"
    shutil.copytree(llvmpipe.folder, folder, symlinks=True)
    done = lt_setup("vulkan", "--folder", folder, "--json")
    assert json.loads(done.out)["built"] is False
    library = next(path for path in folder.rglob("libvulkan.so.1.*") if not path.is_symlink())
    library.write_bytes(library.read_bytes()[:-1])
    with pytest.raises(DependencyError, match=r"is damaged: system/.*lt-setup vulkan --folder .* rebuilds it"):
        vulkan_root(folder)
    again = lt_setup("vulkan", "--folder", folder)
    assert again.code == 0, again.err
    assert "is damaged" in again.err
    assert again.out.startswith("ready ")
    assert lt_setup("--remove", "vulkan", "--folder", folder).code == 0
    assert list(folder.parent.iterdir()) == []


def test_llvmpipe_is_no_stopwatch(llvmpipe, small):
    done = lt_bench(small, "--runtime", "ncnn-vulkan", LT_VULKAN_ROOT=str(llvmpipe.folder))
    assert done.code == 2
    assert "is no GPU but a program on this CPU, and its times measure nothing" in done.error_line


def test_the_stopwatch_of_a_gpu_runs_the_models_on_it(device, model, feeds):
    """The same code that a GPU is measured with, in a process that finds llvmpipe."""
    code = (
        "import pickle, sys; folder, models, options, z, x = pickle.load(sys.stdin.buffer)\n"
        "from converter.bench.timed import timed_vulkan\n"
        "timed = timed_vulkan(folder, models, options, z, x)\n"
        "print(timed.warm_up(1, 100.0), sorted(timed.turn(1, 100.0)['update'].graphs))\n"
    )
    models = models_of(model.graphs, named="lighttrack_{}")
    tensors = feeds[0].tensors
    options = ncnn_options(MODES["fp16"], device)
    sent = pickle.dumps((model.folder, models, options, (tensors["z"],), (tensors["x"],)))
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=sent,
        capture_output=True,
        env={**os.environ, **device.environment},
        check=True,
    )
    assert done.stdout.decode().strip() == "[] ['update']"
