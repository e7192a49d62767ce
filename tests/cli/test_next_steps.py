"""A run ends with what comes next; what it prints as a command can be run as it stands there."""

import json
import os
import shlex
import sys
from zlib import crc32

import pytest

from commands import lt_export, lt_verify
from conftest import TINY, contents

PATH = f"path_{crc32(TINY.encode()):08x}"  # in the default folder
HEAD = "What comes next: "
REASON = f"{HEAD}this finds the first layer that is wrong:\n"


@pytest.fixture(scope="module")
def verified(tiny, tmp_path_factory):
    """What an export printed, and where."""
    folder = tmp_path_factory.mktemp("next") / "out put"
    done = lt_export(tiny, "--path-name", TINY, "-o", folder)
    assert done.code == 0, done.err
    return done.out, folder


def test_an_export_ends_with_how_to_call_the_models(verified, tiny):
    out, folder = verified
    last = out.partition(HEAD)[2].splitlines()
    manifest = json.loads((folder / "manifest.json").read_text())
    files = [file["name"] for graph in manifest["graphs"] for file in graph["files"]]
    assert all(any(file in line for line in last) for file in files)
    assert "- input z: template crop, 127x127 pixels" in last
    assert "- input x: search crop, 288x288 pixels" in last
    assert (
        "- preprocessing: RGB, (pixel / 255 - mean) / std with mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225"
        in last
    )
    assert any(line.startswith("- outputs: cls (foreground logit of every cell) and reg (") for line in last)
    assert last[-1].startswith("- verify them on a clip: lt-verify ")
    words = shlex.split(last[-1].partition(": ")[2])
    assert words == ["lt-verify", str(folder), "--resume", str(tiny), "--clip", "VIDEO", "--box", "X,Y,W,H"]
    done = lt_verify(*words[1:-4])
    assert done.code == 0, done.err


def test_the_names_are_those_of_the_files(tiny, tmp_path):
    done = lt_export(
        *(tiny, "--path-name", TINY, "-o", tmp_path / "out", "--preset", "pnnx", "--sigmoid"),
    )
    assert done.code == 0, done.err
    last = done.out.partition(HEAD)[2]
    assert "- input in0: template crop, 127x127 pixels\n" in last
    assert "- input in1: search crop, 288x288 pixels\n" in last
    assert "- outputs: out0 (foreground probability of every cell) and out1 (" in last


def test_options_that_reading_takes_are_in_the_command(tiny, tmp_path):
    (tmp_path / "my config.yaml").write_text("noise_feeds: 1\n")
    words = (tiny, "--path-name", TINY, "--config", "my config.yaml", "--allow-pickle")
    done = lt_export(*words, cwd=tmp_path)
    assert done.code == 0, done.err
    assert "--config 'my config.yaml' --allow-pickle --clip VIDEO" in done.out


def chained(line, cwd):
    """The exit codes of commands that are joined by &&."""
    codes = []
    for command in line.split(" && "):
        program, *words = shlex.split(command)
        done = {"lt-export": lt_export, "lt-verify": lt_verify}[program](*words, cwd=cwd)
        codes.append((done.code, done.out))
    return codes


def test_a_failed_export_ends_with_the_command_that_finds_the_layer(tiny, tmp_path):
    words = (tiny, "--path-name", TINY, "--rtol", "1e-12", "--seed", 3)
    done = lt_export(*words, cwd=tmp_path)
    assert done.code == 1
    line = done.out.partition(REASON)[2].strip()
    assert line.endswith("--rtol 1e-12 --layers --seed 3")
    assert not (tmp_path / "exports").exists()
    (made, _), (verified, said) = chained(line, tmp_path)
    assert (made, verified) == (0, 1)
    assert "first wrong layer is" in said
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [f"LightTrackM_Subnet-{PATH}-unverified"]


@pytest.mark.parametrize("option", ["--protect-fp16", "--golden"])
def test_no_command_where_none_could_be_run(tiny, tmp_path, option):
    words = (tiny, "--path-name", TINY, "--rtol", "1e-12", option, *(["g"] if option == "--golden" else []))
    done = lt_export(*words, cwd=tmp_path)
    assert done.code == 1
    assert HEAD not in done.out


def test_no_command_whose_folder_is_taken(tiny, tmp_path):
    (tmp_path / "out-unverified").mkdir()
    (tmp_path / "out-unverified/mine.txt").touch()
    done = lt_export(tiny, "--path-name", TINY, "--rtol", "1e-12", "-o", "out", cwd=tmp_path)
    assert done.code == 1
    assert HEAD not in done.out


def test_a_failed_proof_ends_with_the_command_that_finds_the_layer(verified, tiny, tmp_path):
    done = lt_verify(verified[1], "--resume", tiny, "--rtol", "1e-12")
    assert done.code == 1
    line = done.out.partition(REASON)[2].strip()
    assert line == shlex.join(["lt-verify", str(verified[1]), "--resume", str(tiny), "--rtol", "1e-12", "--layers"])
    ((code, said),) = chained(line, tmp_path)
    assert code == 1
    assert "first wrong layer is" in said
    assert HEAD not in said


def test_layers_are_not_offered_where_they_say_nothing(verified, tiny, tmp_path):
    golden = tmp_path / "golden"
    assert lt_verify(verified[1], "--resume", tiny, "--write-golden", "--golden", golden, "-q").code == 0
    without_network = lt_verify(verified[1], "--golden", golden, "--rtol", "1e-12")
    incomplete = lt_verify("--init", verified[1] / "lighttrack_init.param", "-r", tiny, "--path-name", TINY)
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for name, data in contents(verified[1]).items():
        (damaged / name).write_bytes(b"nothing" if name.endswith("param") else data)
    for done in (without_network, incomplete, lt_verify(damaged, "--resume", tiny)):
        assert done.code == 1
        assert "NOT VERIFIED" in done.out
        assert "--layers" not in done.out + done.err


def test_a_check_that_cannot_be_carried_out_is_no_failed_proof(verified, tiny, tmp_path, monkeypatch):
    from converter.errors import ConversionError
    from converter.verifying import sections

    def refuse(*_):
        raise ConversionError("the disk is full")

    monkeypatch.setattr(sections, "half", refuse)
    done = lt_verify(verified[1], "--resume", tiny, "--fp16-report", "--report", tmp_path / "page.md")
    assert done.code == 1
    assert done.error_line == "lt-verify: error: fp16: the disk is full"
    assert "NOT VERIFIED" not in done.out
    assert "NOT FINISHED: the models of LightTrackM_Subnet in " in done.out
    assert "Not finished" in (tmp_path / "page.md").read_text()


@pytest.mark.parametrize(
    ("words", "marks"),
    [
        ((), "{path}"),
        (("--preset", "pnnx"), "pnnx-{path}"),
        (("--search-size", "256"), "127-256-{path}"),
        (("--search-size", "256", "--search-size", "288"), "127-256-288-{path}"),
        (("--preset", "rknn", "--template-size", "128"), "rknn-128-288-{path}"),
        (("--format", "onnx", "--dynamic-search"), "127-288-dynamic-{path}-onnx"),
        (("--format", "onnx", "--format", "ncnn", "--half"), "{path}-ncnn-onnx-half"),
        (("--split", "three", "--sigmoid", "--rename", "init:zf=feat"), "{path}-three-sigmoid-init_zf_feat"),
        (("--seed", "1", "--keep-torchscript", "--split", "two", "--no-half"), "{path}"),
    ],
)
def test_calls_do_not_overwrite_each_other(tiny, tmp_path, words, marks):
    done = lt_export(tiny, "--path-name", TINY, "--no-verify", "-q", *words, cwd=tmp_path)
    assert done.code == 0, done.err
    name = f"LightTrackM_Subnet-{marks.format(path=PATH)}"
    assert [path.name for path in (tmp_path / "exports").iterdir()] == [name]


def test_a_program_off_the_path_is_named_with_its_folder(tmp_path, monkeypatch):
    from converter.cli.next_steps import program

    for folder in ("here", "there"):
        for name in ("lt-export", "lt-verify"):
            path = tmp_path / folder / name
            path.parent.mkdir(exist_ok=True)
            path.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "here/lt-export")])
    for on_path, expected in ((tmp_path / "here", "lt-verify"), (tmp_path / "there", str(tmp_path / "here/lt-verify"))):
        monkeypatch.setenv("PATH", f"{on_path}{os.pathsep}/usr/bin")
        assert program("lt-verify") == expected
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/site-packages/converter/cli/export.py"])
    assert program("lt-verify") == "lt-verify"
