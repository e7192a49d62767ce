"""``--json`` is one object in every outcome, and docs/schema describes every key of it."""

import json
import os
import shutil
import signal

import loose_limits
import pytest
from clips import save_video
from jsonschema import Draft202012Validator
from loose_limits import save_limits

from commands import ROOT, lt_bench, lt_calibrate, lt_export, lt_quantize, lt_track, lt_verify
from conftest import TINY
from converter.bench import run as bench_run
from converter.cli.progress import StageLines

PROGRAMS = {"lt-export": lt_export, "lt-verify": lt_verify, "lt-bench": lt_bench, "lt-track": lt_track}
STRICT = ("--rtol", "1e-12")
INTERRUPTED = [("lt-export", "trace"), ("lt-verify", "verify"), ("lt-bench", "load"), ("lt-track", "models")]


def refuse_constant(name):
    raise ValueError(f"{name} is no JSON")


def closed(schema):
    """The schema where an object has no key that it does not describe."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: closed(value) for key, value in schema.items()}
    described = "properties" in schema and "type" in schema and isinstance(schema["properties"], dict)
    return {"additionalProperties": False, **inner} if described else inner


def checked(program, done):
    """The object that a command printed, which its schema describes."""
    answer = json.loads(done.out, parse_constant=refuse_constant)
    schema = json.loads((ROOT / f"docs/schema/{program}.json").read_text())
    Draft202012Validator.check_schema(schema)
    for each in (schema, closed(schema)):
        errors = Draft202012Validator(each).iter_errors(answer)
        assert [(cause.json_path, cause.message[:200]) for error in errors for cause in error.context or [error]] == []
    if "error" in answer:
        assert answer["error"]["exit_code"] == done.code > 0
        assert answer["error"]["message"] in done.err
    else:
        assert done.code == 0
    return answer


@pytest.fixture
def export_words(tiny, tmp_path):
    return ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "--json")


def test_an_export_in_both_formats(export_words):
    words = ("--format", "ncnn", "--format", "onnx", "--search-size", 256, "--search-size", 288, "--golden")
    answer = checked("lt-export", lt_export(*export_words, *words, export_words[-2] / "golden"))
    assert (answer["verification"]["status"], answer["golden"]) == ("passed", "golden")


def test_a_calibration_set_and_one_that_is_refused(tiny, tmp_path):
    words = (tiny, "--path-name", TINY, "--json", "--image", tmp_path / "drawn.png")
    clip = ("--clip", save_video(tmp_path / "drawn.avi", 4), "--box", "40,30,20,16")
    assert checked("lt-calibrate", lt_calibrate(*words, "-o", tmp_path / "set", *clip))["error"]["exit_code"] == 2
    answer = checked("lt-calibrate", lt_calibrate(*words[:-2], "-o", tmp_path / "set", *clip))
    assert checked("lt-calibrate", lt_calibrate(*words[:-2], "--check", tmp_path / "set")) == answer


def test_int8_models_and_those_that_are_refused(tiny, tmp_path):
    words = (tiny, "--path-name", TINY, "--json", "--samples", 2, "--frames", 2, "-o", tmp_path / "small")
    for name in ("one", "two"):
        words += ("--clip", save_video(tmp_path / f"{name}.avi", 4), "--box", "40,30,20,16")
    assert checked("lt-quantize", lt_quantize(*words[:-4]))["error"]["exit_code"] == 2
    config = save_limits(tmp_path / "limits.yaml", loose_limits.STRICT)
    answer = checked("lt-quantize", lt_quantize(*words, "--config", config))
    assert (answer["verdict"], answer["manifest"], answer["error"]["exit_code"]) == ("refused", None, 1)
    save_limits(config)
    answer = checked("lt-quantize", lt_quantize(*words, "--config", config))
    assert (answer["verdict"], answer["manifest"]["precision"]) == ("published", "int8")


def test_an_export_without_a_proof(export_words):
    assert checked("lt-export", lt_export(*export_words, "--no-verify"))["verification"]["status"] == "unverified"


def test_an_export_that_is_refused_has_its_checks(export_words):
    answer = checked("lt-export", lt_export(*export_words, *STRICT))
    assert answer["error"]["exit_code"] == 1
    assert not all(check["passed"] for check in answer["error"]["checks"])


def test_models_judged_by_boxes_published_and_not(tiny, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "small", "--json", "--precision", "w8")
    answer = checked("lt-export", lt_export(*words))
    assert answer["verification"]["pictures"][0]["passed"]
    clip = ("--clip", save_video(tmp_path / "drawn.avi", 4), "--box", "40,30,20,16")
    answer = checked("lt-verify", lt_verify(tmp_path / "small", "--resume", tiny, "--json", *clip))
    assert answer["pictures"][0]["limits"]["smallest"] == 0.8
    answer = checked("lt-export", lt_export(*words, "--format", "onnx", "-o", tmp_path / "other"))
    assert not answer["pictures"][0]["passed"]


def test_everything_that_is_asked_for_beside_the_proof(tiny, tiny_both, tmp_path):
    export, clip = shutil.copytree(tiny_both, tmp_path / "export"), save_video(tmp_path / "drawn.avi", 4)
    wanted = ("--layers", "--fp16-report", "--clip", clip, "--box", "40,30,20,16", "--golden", tmp_path / "golden")
    answer = checked("lt-verify", lt_verify(export, "--resume", tiny, *wanted, "--write-golden", "--json"))
    assert answer["verification"]["status"] == "passed"
    assert {"layers", "fp16", "clip"} <= answer.keys()


def test_models_that_fail_have_everything_and_the_error(tiny, tiny_both, tmp_path):
    export = shutil.copytree(tiny_both, tmp_path / "export")
    weights = export / "lighttrack_update.bin"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\x80\x3f")
    answer = checked("lt-verify", lt_verify(export, "--resume", tiny, "--layers", "--json", *STRICT))
    assert (answer["verdict"], answer["files"]["status"]) == ("failed", "failed")
    assert any(walk["first_bad"] for walk in answer["layers"])


def test_single_models(tiny, tiny_export):
    files = [word for name in ("init", "update") for word in (f"--{name}", tiny_export / f"lighttrack_{name}.param")]
    answer = checked("lt-verify", lt_verify(*files, "--resume", tiny, "--path-name", TINY, "--json"))
    assert (answer["folder"], answer["checkpoint"]) == (None, None)


def test_a_measurement(tiny, tiny_both):
    words = ("--threads", 1, "--rounds", 2, "--runs", 1, "--json")
    assert len(checked("lt-bench", lt_bench(tiny_both, "--resume", tiny, *words))["results"]) == 8


def test_a_track(tiny_both, tmp_path):
    clip = save_video(tmp_path / "drawn.avi", 4)
    (tmp_path / "truth.txt").write_text("40,30,20,16\n" * 3)
    wanted = ("--groundtruth", tmp_path / "truth.txt", "--csv", tmp_path / "a.csv", "--lost", 1)
    answer = checked("lt-track", lt_track(tiny_both, clip, *wanted, "--json"))
    assert (answer["complete"], answer["lost"], answer["groundtruth"]["frames"]) == (True, [1, 2, 3], 2)


def test_a_track_that_ends_early_has_what_was_tracked_and_the_error(tiny_export, tmp_path):
    clip = save_video(tmp_path / "drawn.avi", 40)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    answer = checked("lt-track", lt_track(tiny_export, clip, "--box", "40,30,20,16", "--json"))
    assert (answer["complete"], answer["error"]["exit_code"]) == (False, 2)


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(
    ("words", "code"), [(("--nope",), 2), (("nowhere",), (2, 3)), (("--resume", "nowhere.pth", "{export}"), (2, 3))]
)
def test_what_is_refused(program, words, code, tiny_export, tmp_path):
    done = PROGRAMS[program](*(word.format(export=tiny_export) for word in words), "--json", cwd=tmp_path)
    assert done.code in (code if isinstance(code, tuple) else (code,))
    assert list(checked(program, done)) == ["error"]


@pytest.mark.parametrize(("program", "stage"), INTERRUPTED)
def test_what_is_interrupted(program, stage, tiny, tiny_export, export_words, monkeypatch, tmp_path):
    words = export_words if program == "lt-export" else (tiny_export, "--resume", tiny, "--json")
    if program == "lt-track":
        words = (tiny_export, save_video(tmp_path / "drawn.avi", 4), "--box", "40,30,20,16", "--json")
    begin = StageLines.begin

    def listening(lines, name):
        if name == stage:
            signal.signal(signal.SIGTERM, lines.interruption._arrived)
            os.kill(os.getpid(), signal.SIGTERM)
        begin(lines, name)

    monkeypatch.setattr(StageLines, "begin", listening)
    before = signal.getsignal(signal.SIGTERM)
    try:
        done = PROGRAMS[program](*words)
    finally:
        signal.signal(signal.SIGTERM, before)
    answer = checked(program, done)
    assert answer["error"]["exit_code"] == 128 + signal.SIGTERM
    undone = {"lt-export": "published", "lt-verify": "verified", "lt-bench": "measured", "lt-track": "tracked"}[program]
    assert answer["error"]["message"] == f"interrupted by SIGTERM; nothing was {undone}"
    assert not export_words[-2].exists()


def test_a_bug_of_ours(tiny_export, monkeypatch):
    def broken(*_):
        raise KeyError("wrong")

    monkeypatch.setattr(bench_run, "load_average", broken)
    monkeypatch.setattr(bench_run, "this_machine", broken)
    assert checked("lt-bench", lt_bench(tiny_export, "--json"))["error"]["exit_code"] == 70
