"""RKNN through the command line, as far as nothing of the toolkit is needed: what is refused before any work."""

import pytest
import yaml

from commands import lt_export, lt_setup, lt_verify
from converter.spec.config import config_folder

HALF = "rk2118, rk3562, rk3566, rk3568, rk3576, rk3588, rv1126b"
RKNN = ("--format", "rknn")
REFUSED = [
    (RKNN, f"--format rknn: pass --target CHIP, one of {HALF}"),
    ((*RKNN, "--target", "rk3589"), "--target rk3589: expected one of rk2118, "),
    ((*RKNN, "--target", "rk358"), "did you mean 'rk3588'?"),
    ((*RKNN, "--target", "rv1106"), "--target rv1106: its NPU computes in int8 only, which lt-export does not make"),
    ((*RKNN, "--target", "rk3588", "--precision", "fp32"), "--precision fp32: an NPU computes in half; leave it out"),
    ((*RKNN, "--target", "rk3588", "--no-half"), "--precision fp32: an NPU computes in half; leave it out"),
    ((*RKNN, "--target", "rk3588", "--format", "onnx"), "--format rknn beside onnx: its models compute in half"),
    ((*RKNN, "--target", "rk3588", "--dynamic-search"), "--dynamic-search: an .rknn has one size"),
    ((*RKNN, "--target", "rk3588", "--split", "one"), "--split one: expected two or three for rknn"),
    ((*RKNN, "--target", "rk3588", "--normalise", "both"), "--normalise both: expected inside or outside"),
    ((*RKNN, "--target", "rk3588", "--oldest-ncnn", "20230223"), "--oldest-ncnn is about ncnn models"),
    (("--target", "rk3588"), "--target is about RKNN models; add --format rknn"),
    (("--normalise", "inside"), "--normalise is about RKNN models; add --format rknn"),
    (("--precision", "int4"), "--precision int4: expected fp32 or half"),
    (("--precision", "fp32", "--half"), "--precision fp32 beside --half: pass one of the two"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED])
def test_what_cannot_be_is_refused_in_a_line(words, said, tiny, tmp_path):
    done = lt_export(tiny, *words, "--output", tmp_path / "out")
    assert done.code == 2
    assert said in done.error_line
    assert not (tmp_path / "out").exists()


def test_tolerances_that_a_config_lacks_are_missed_before_the_toolkit_is(tiny, tmp_path):
    own = yaml.safe_load((config_folder() / "lighttrack_mobile.yaml").read_text())
    own |= {"archs": ["LightTrackMine"], "tolerances": {"fp32": own["tolerances"]["fp32"]}}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(own))
    words = ("--arch", "LightTrackMine", "--config", tmp_path / "mine.yaml", "--output", tmp_path / "out")
    place = {"LT_RKNN_ROOT": str(tmp_path / "none")}
    done = lt_export(tiny, *words, *RKNN, "--target", "rk3588", **place)
    assert (done.code, "config: tolerances has no 'rknn', which --format rknn needs" in done.error_line) == (2, True)
    done = lt_export(tiny, *words, *RKNN, "--target", "rk3588", "--no-verify", **place)
    assert done.code == 5, "without proof nothing is judged"
    done = lt_export(tiny, *words, "--half")
    assert (done.code, "config: tolerances has no 'half', which --precision half needs" in done.error_line) == (2, True)


def test_a_missing_environment_ends_with_the_command_that_makes_it(tiny, tmp_path):
    place = {"LT_RKNN_ROOT": str(tmp_path / "none")}
    done = lt_export(tiny, *RKNN, "--target", "rk3588", "--output", tmp_path / "out", **place)
    assert done.code == 5
    assert f"RKNN root {tmp_path}/none: no such folder; lt-setup rknn builds it" in done.error_line
    assert not (tmp_path / "out").exists()


def test_a_model_without_the_source_beside_it_cannot_be_verified(tiny, tmp_path):
    (tmp_path / "init.rknn").write_bytes(b"RKNN")
    done = lt_verify("--init", tmp_path / "init.rknn", "--resume", tiny)
    assert done.code == 2
    assert "no init.rknn.onnx beside it" in done.error_line


def test_setting_up_a_folder_that_holds_something_else_touches_nothing(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    done = lt_setup("rknn", "--folder", tmp_path)
    assert done.code == 2
    assert "holds 'mine.txt', which is no part of one; nothing was touched" in done.error_line
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_removing_what_is_not_there_says_so(tmp_path):
    done = lt_setup("--remove", "rknn", "--folder", tmp_path / "none")
    assert (done.code, done.out.strip()) == (0, f"nothing to remove: {tmp_path}/none does not exist")
