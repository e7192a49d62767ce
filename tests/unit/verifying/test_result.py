"""The result of a verification: when it has passed, and its JSON."""

import json
from dataclasses import replace

from report_results import check, checks, full, output, result, subject, verification

from converter.folder.exported import FileProblem
from converter.folder.subject import Missing

WRONG = check("update", "noise 2", output("cls", 0.5), same=False)


def test_comparisons_pass_when_all_do_and_every_format_ran():
    assert verification(*checks())
    assert not verification(*checks(), WRONG)
    assert not verification(*checks(), failed=("onnx",))
    assert not verification()
    assert verification(*checks()).as_dict()["status"] == "passed"
    assert verification(*checks(), failed=("onnx",)).as_dict()["status"] == "failed"


def test_one_problem_fails_it():
    assert result()
    assert not result(problems=("lighttrack_init.bin is missing",))
    assert (result().as_dict()["verdict"], result(problems=("x",)).as_dict()["verdict"]) == ("passed", "failed")


def test_files_are_judged_by_the_manifest():
    changed = (FileProblem("lighttrack_init.bin", "is missing"),)
    assert result().files_status == "passed"
    assert result(files=changed).files_status == "failed"
    assert result(subject=subject(manifest=False)).files_status == "no manifest"


def test_json_holds_everything_that_was_looked_at():
    found = json.loads(json.dumps(full(False).as_dict(), allow_nan=False))
    assert {"layers", "clip", "dumps", "fp16", "arm"} <= found.keys()
    assert found["verdict"] == found["files"]["status"] == found["verification"]["status"] == "failed"
    assert len(found["verification"]["checks"]) == len(checks()) + 1
    assert [len(model["files"]) for model in found["models"]] == [2, 2]
    assert found["problems"] == ["lighttrack_init.bin is missing", "cls is off"]
    assert found["sizes"]["search_size"] == 256


def test_json_of_what_was_not_asked_for_has_no_key():
    assert not {"layers", "clip", "dumps", "fp16", "arm"} & result().as_dict().keys()


def test_json_without_a_manifest_says_so():
    found = result(subject=subject(manifest=False), export=None).as_dict()
    assert (found["checkpoint"], found["precision"], found["folder"]) == (None, None, None)
    assert found["files"] == {"status": "no manifest", "problems": []}


def test_json_names_what_is_missing():
    lacking = replace(subject(), missing=(Missing("ncnn", ("update",), (127, 256)),))
    expected = [{"format": "ncnn", "graphs": ["update"], "sizes": [127, 256]}]
    assert result(subject=lacking).as_dict()["missing"] == expected
    assert result().as_dict()["missing"] == []
