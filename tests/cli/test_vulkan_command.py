"""Vulkan's options: what is refused before any work, with the right code, and what is said where there is no device."""

import json

import pytest

from commands import lt_bench, lt_verify
from converter.spec.config import arch_names, network_for

VULKAN = ("--runtime", "ncnn-vulkan")


@pytest.fixture
def nowhere(tmp_path):
    """The environment in which a loader finds no driver, where there is a loader at all."""
    none = str(tmp_path / "none.json")
    return {"VK_DRIVER_FILES": none, "VK_ICD_FILENAMES": none, "LT_VULKAN_ROOT": str(tmp_path / "none")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vulkan-mode", "fp16"), "--vulkan-mode is about --runtime ncnn-vulkan; pass that too"),
        (("--vulkan-device", "0"), "--vulkan-device is about --runtime ncnn-vulkan; pass that too"),
        (("--runtime", "ncnn", "--vulkan-rtol", "0"), "--vulkan-rtol is about --runtime ncnn-vulkan; pass that too"),
        (("--runtime", "ncnn-vulcan"), "did you mean 'ncnn-vulkan'?"),
        ((*VULKAN, "--vulkan-mode", "fp8"), "--vulkan-mode fp8: expected one of fp32, fp16s, fp16, bf16"),
        ((*VULKAN, "--vulkan-rtol", "inf"), "--vulkan-rtol inf: expected a finite number"),
        ((*VULKAN, "--golden-from", "ncnn-vulkan"), "--golden-from ncnn-vulkan is about --write-golden; pass that too"),
        (
            (*VULKAN, "--golden-from", "ncnn-vulkan", "--write-golden", "--golden", "g"),
            "wants --runtime ncnn-vulkan and one --vulkan-mode",
        ),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(tiny_export, tiny, words, said):
    done = lt_verify(tiny_export, "--resume", tiny, *words)
    assert done.code == 2
    assert said in done.error_line


def test_onnx_models_cannot_run_on_it(tiny_both, tiny):
    done = lt_verify(tiny_both, "--resume", tiny, "--format", "onnx", *VULKAN)
    assert done.code == 2
    assert "--runtime ncnn-vulkan is about ncnn's half kernels, and there is no ncnn model here" in done.error_line


def test_no_device_is_a_missing_dependency_with_what_to_do(tiny_export, tiny, nowhere):
    for done in (
        lt_verify(tiny_export, "--resume", tiny, *VULKAN, **nowhere),
        lt_bench(tiny_export, *VULKAN, **nowhere),
    ):
        assert done.code == 5
        assert "no Vulkan device: this system has none (" in done.error_line
        assert f"Vulkan root {nowhere['LT_VULKAN_ROOT']} does not exist" in done.error_line
        assert done.error_line.endswith("; lt-setup vulkan gets llvmpipe, which runs on the CPU")


def test_a_damaged_root_says_so(tiny_export, tiny, nowhere, tmp_path):
    (tmp_path / "none").mkdir()
    (tmp_path / "none/vulkan-root.json").write_text("{}")
    done = lt_verify(tiny_export, "--resume", tiny, *VULKAN, "--json", **nowhere)
    assert done.code == 5
    assert f"Vulkan root {tmp_path}/none is damaged: vulkan-root.json: " in json.loads(done.out)["error"]["message"]


@pytest.mark.parametrize("arch", arch_names())
def test_every_network_says_what_passes_in_every_mode(arch):
    """Of its own: what was measured on another device's kernels says nothing of shaders."""
    _, network = network_for(arch)
    assert set(network.vulkan) == {"fp32", "fp16s", "fp16", "bf16"}
    outputs = {name for graph in network.graphs.values() for name in graph.outputs}
    for allowed in network.vulkan.values():
        assert outputs <= set(allowed.tolerances)
        assert allowed.one_step
