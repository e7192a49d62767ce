"""The Python API has what the commands have, in Python's own terms, and says the same."""

import inspect
from pathlib import Path

import pytest
import report_results
from typer.main import get_command

from commands import lt_export, lt_track, lt_verify
from converter import api
from converter.cli import bench as lt_bench_module
from converter.cli import calibrate as lt_calibrate_module
from converter.cli import export as lt_export_module
from converter.cli import quantize as lt_quantize_module
from converter.cli import track as lt_track_module
from converter.cli import verify as lt_verify_module
from converter.errors import CheckpointError, ConverterError, UsageError
from converter.exporting.made import Exported
from converter.report.html import html_of
from converter.spec.arguments import names_of, path_of, paths_of, texts_of
from converter.spec.config import network_for
from converter.spec.options import ExportOptions
from converter.util.stages import Stages
from converter.verifying.page import report_of

TERMINAL = {
    *("as_json", "verbose", "quiet", "version", "list_presets", "per_graph", "setup_arm", "junit", "runtime"),
    *("install_completion", "show_completion"),
    "cpp",  # a function of its own, verify_cpp
}
ARM = {"arm_mode", "arm_cpu", "arm_inputs", "arm_blobs", "arm_rtol", "arm_timeout", "arm_root"}
VULKAN = {f"vulkan_{name}" for name in ("device", "mode", "inputs", "rtol", "timeout", "root")}
OTHERWISE = {
    "resume": "checkpoint",
    "exports": "folder",
    "export": "folder",
    "format": "formats",
    "image": "images",
    "report": "reports",
    "half": "precision",
    "no_simplify": "simplify",
    "no_verify": "verify",
    **dict.fromkeys(("init", "update", "backbone", "neck_head"), "models"),
    **dict.fromkeys(ARM, "arm"),
    **dict.fromkeys(VULKAN, "vulkan"),
}


@pytest.mark.parametrize(
    ("module", "function"),
    [
        (lt_export_module, api.export),
        (lt_verify_module, api.verify),
        (lt_bench_module, api.bench),
        (lt_track_module, api.track),
        (lt_calibrate_module, api.calibrate),
        (lt_quantize_module, api.quantize),
    ],
)
def test_every_option_of_a_command_is_an_argument(module, function):
    options = {option.name for option in get_command(module.command.app).params} - TERMINAL
    arguments = set(inspect.signature(function).parameters)
    otherwise = OTHERWISE | ({"precision": "precisions"} if function is api.bench else {})
    assert {otherwise.get(name, name) for name in options} | {"progress"} == arguments - {"command_line", "spent"}


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda: api.export("no.pth"), lambda: lt_export("--resume", "no.pth")),
        (lambda: api.export("no.pth", opset=13), lambda: lt_export("-r", "no.pth", "--opset", 13)),
        (lambda: api.export("no.pth", formats="tflite"), lambda: lt_export("-r", "no.pth", "--format", "tflite")),
        (lambda: api.export("no.pth", atol=float("inf")), lambda: lt_export("-r", "no.pth", "--atol", "inf")),
        (lambda: api.export("no.pth", arch="Nobody"), lambda: lt_export("-r", "no.pth", "--arch", "Nobody")),
        (lambda: api.verify("nowhere", "no.pth"), lambda: lt_verify("nowhere", "--resume", "no.pth")),
        (lambda: api.verify(), lambda: lt_verify()),
        (lambda: api.track("nowhere", 0, "1,2,3,4"), lambda: lt_track("nowhere", 0, "--box", "1,2,3,4")),
        (
            lambda: api.verify("nowhere", models={"init": "a.param"}),
            lambda: lt_verify("nowhere", "--init", "a.param"),
        ),
    ],
)
def test_an_error_has_the_text_of_the_command(call, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConverterError) as caught:
        call()
    done = command()
    assert done.error_line.partition(": error: ")[2] == str(caught.value)
    assert done.code == caught.value.exit_code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"seed": -1}, r"seed -1: expected at least 0"),
        ({"pnnx_timeout": 0}, r"pnnx_timeout 0: expected more than 0"),
        ({"precision": "int8"}, "--precision int8: int8 arithmetic has to be fitted to clips, which lt-quantize makes"),
        ({"verify": "no"}, r"verify 'no': expected true or false"),
        ({"search_size": "big"}, r"search"),
    ],
)
def test_a_value_of_the_wrong_kind_is_a_usage_error(more, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=message):
        api.export("no.pth", arch="LightTrackM_Subnet", **more)


def test_options_of_the_emulated_cpu(tmp_path):
    options = api.arm_options(modes="bf16", root=str(tmp_path))
    assert (options.modes, options.inputs, options.cpu, options.root) == (("bf16",), 2, "max", tmp_path)
    for more, message in (({"modes": ["fp8"]}, "--arm-mode fp8"), ({"inputs": 0}, "inputs 0: expected at least 1")):
        with pytest.raises(UsageError, match=message):
            api.arm_options(**more)


def test_a_single_one_needs_no_list():
    assert names_of("ncnn") == ("ncnn",)
    assert names_of(["onnx", "ncnn", "onnx"]) == ("onnx", "ncnn")
    assert names_of(None) == ()
    assert paths_of("a.png") == paths_of(Path("a.png")) == paths_of(["a.png"]) == (Path("a.png"),)
    assert texts_of({"cls": "score", "init:zf": "feat"}) == ("cls=score", "init:zf=feat")
    assert path_of(None) is None


def test_a_tilde_is_the_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path_of("~/exports") == tmp_path / "exports"
    with pytest.raises(CheckpointError, match=f"checkpoint {tmp_path}/no.pth: no such file"):
        api.export("~/no.pth", tmp_path / "out")


def test_progress_is_a_function_or_an_object():
    lines = []
    with Stages(lines.append)("convert") as notes:
        notes.append("ncnn")
    assert lines == ["convert      0.0 s  ncnn"]


def test_a_result_shows_its_report_in_a_notebook():
    result = report_results.result()
    frame = result._repr_html_()
    assert frame.startswith("<iframe title=")
    assert " sandbox " in frame
    assert frame.count("<") == 2  # the page is inside, escaped
    sections = html_of(report_of(result, "")).count("<section")
    assert frame.count("&lt;section") == sections > 3


def test_what_a_result_says_in_a_line():
    passed, failed = report_results.result(), report_results.result(problems=("cls is off",))
    assert bool(passed)
    assert repr(passed).startswith("<verified LightTrackM_Subnet in ")
    assert not failed
    assert repr(failed) == "<NOT VERIFIED LightTrackM_Subnet in /exports/e1; cls is off>"
    assert passed.max_of_range == max(
        output.relative for check in passed.verification.report.checks for output in check.outputs
    )


def test_an_export_without_proof_is_false_and_says_so():
    manifest = report_results.subject().manifest
    arch, network = network_for(None)
    options = ExportOptions(arch=arch, network=network, checkpoint=Path("a.pth"), output=Path("out"))
    exported = Exported(Path("out"), manifest, None, None, options)
    assert not exported
    assert exported.max_of_range is None
    assert "NOT VERIFIED" in repr(exported)
    assert "nothing was compared, so nothing is proved" in exported._repr_html_()
