"""The options of the emulated ARM cpu: what is refused before any work, with the right code, and what help says."""

import json

import pytest

from commands import lt_export, lt_verify
from conftest import TINY

ARM = ("--runtime", "ncnn-arm64")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--arm-mode", "fp16"), "--arm-mode is about --runtime ncnn-arm64; pass that too"),
        (("--arm-blobs",), "--arm-blobs is about --runtime ncnn-arm64; pass that too"),
        (("--arm-rtol", "0"), "--arm-rtol is about --runtime ncnn-arm64; pass that too"),
        (("--runtime", "ncnn", "--arm-cpu", "max"), "--arm-cpu is about --runtime ncnn-arm64; pass that too"),
        (("--runtime", "tflite"), "--runtime tflite: expected one of ncnn, onnxruntime, ncnn-arm64, ncnn-vulkan"),
        ((*ARM, "--arm-mode", "int8"), "--arm-mode int8: expected one of fp32, fp16s, fp16, bf16"),
        ((*ARM, "--arm-rtol", "inf"), "--arm-rtol inf: expected a finite number"),
        ((*ARM, "--golden-from", "ncnn-arm64"), "--golden-from ncnn-arm64 is about --write-golden; pass that too"),
        (
            ("--golden-from", "ncnn-arm64", "--write-golden", "--golden", "g"),
            "wants --runtime ncnn-arm64 and one --arm-mode",
        ),
        (
            ("--golden-from", "phone", "--write-golden", "--golden", "g"),
            "--golden-from phone: expected torch or ncnn-arm64 or ncnn-vulkan",
        ),
        (
            (
                *ARM,
                "--golden-from",
                "ncnn-arm64",
                "--write-golden",
                "--golden",
                "g",
                "--arm-mode",
                "fp16",
                "--arm-mode",
                "fp32",
            ),
            "wants --runtime ncnn-arm64 and one --arm-mode",
        ),
        (("--setup-arm",), "verifies nothing: leave"),
    ],
)
def test_options_that_do_not_fit_are_wrong_usage(tiny_export, tiny, words, said):
    done = lt_verify(tiny_export, "--resume", tiny, *words)
    assert done.code == 2
    assert said in done.error_line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--runtime", "ncnn"), "--runtime ncnn: expected ncnn-arm64"),
        (("--arm-inputs", "3"), "--arm-inputs is about --runtime ncnn-arm64; pass that too"),
        ((*ARM, "--no-verify"), "--runtime ncnn-arm64 wants the proof's inputs and answers"),
        ((*ARM, "--format", "onnx"), "--runtime ncnn-arm64 is about ncnn models; add --format ncnn"),
    ],
)
def test_export_options_that_do_not_fit_are_wrong_usage(tiny, tmp_path, words, said):
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", *words)
    assert done.code == 2
    assert said in done.error_line
    assert not (tmp_path / "out").exists()


def test_onnx_models_cannot_run_on_it(tiny_both, tiny):
    done = lt_verify(tiny_both, "--resume", tiny, "--format", "onnx", *ARM)
    assert done.code == 2
    assert "--runtime ncnn-arm64 is about ncnn's half kernels, and there is no ncnn model here" in done.error_line


def test_missing_root_is_a_missing_dependency_with_what_to_do(tiny_export, tiny, tmp_path):
    done = lt_verify(tiny_export, "--resume", tiny, *ARM, LT_ARM_ROOT=str(tmp_path / "none"))
    assert done.code == 5
    assert done.error_line.endswith("none: no such folder; lt-setup arm builds it")
    done = lt_export(
        "--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", *ARM, LT_ARM_ROOT=str(tmp_path / "none")
    )
    assert done.code == 5
    assert not (tmp_path / "out").exists()


def test_mode_without_tolerances_is_a_matter_of_the_config(tiny_export, tiny, tmp_path):
    from converter.spec.config import network_for

    _, network = network_for(None)
    assert set(network.arm) == {"fp32", "fp16s", "fp16", "bf16"}
    for table in network.arm.values():
        assert set(table.tolerances) == {"zf", "xf", "cls", "reg"}
    (tmp_path / "bad.yaml").write_text("arm: {fp16: {tolerances: {hat: {rtol: 0.1}}}}\n")
    done = lt_verify(tiny_export, "--resume", tiny, "--config", tmp_path / "bad.yaml")
    assert done.code == 2
    assert "arm names 'hat', known are z, x, zf, xf, cls, reg" in done.error_line


def test_runtimes_choose_the_models_of_an_export(tiny_both, tiny):
    for runtime, format in (("ncnn", "ncnn"), ("onnxruntime", "onnx")):
        done = lt_verify(tiny_both, "--resume", tiny, "--runtime", runtime, "--json")
        assert done.code == 0, done.err
        result = json.loads(done.out)
        assert {model["format"] for model in result["models"]} == {format}
        assert "arm" not in result


def test_help_has_a_part_of_its_own():
    for help in (lt_verify("--help").out, lt_export("--help").out):
        assert "Emulated ARM (--runtime ncnn-arm64)" in help
        for option in ("mode", "cpu", "inputs", "blobs", "rtol", "timeout", "root"):
            assert f"--arm-{option}" in help
    assert "--setup-arm" in lt_verify("--help").out
