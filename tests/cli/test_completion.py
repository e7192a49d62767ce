"""Completion in a shell, of every command."""

import subprocess

import pytest

from commands import command, environment
from converter.spec.presets import preset_names
from documents import MODULES, option_names


def run(program, *words, **variables):
    # the shell that calls is what typer looks for; a path, so that it is not exec'ed away
    script = " ".join(("'" + "' '".join(command(*words, module=MODULES[program])) + "'", ";", "exit $?"))
    done = subprocess.run(
        ["bash", "-c", script], env=environment(**variables), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def completed(program, line):
    """What bash is told that a line can go on with."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    return run(program, **{f"_{program.replace('-', '_').upper()}_COMPLETE": "complete_bash", **words}).split()


@pytest.mark.parametrize("program", MODULES)
def test_options_are_completed(program):
    names = {name for name in option_names(program) if name.startswith("--")}
    assert set(completed(program, f"{program} --")) >= names - {"--help"}
    assert completed(program, f"{program} --vers") == ["--version"]


def test_names_of_presets_and_formats_are_completed():
    assert completed("lt-export", "lt-export --preset ") == preset_names()
    assert completed("lt-export", "lt-export --preset ten") == ["tensorrt"]
    assert completed("lt-verify", "lt-verify --format ") == ["ncnn", "onnx", "rknn"]
    assert completed("lt-bench", "lt-bench --format o") == ["onnx"]
    assert completed("lt-track", "lt-track --format ") == ["ncnn", "onnx", "rknn"]


@pytest.mark.parametrize("program", MODULES)
def test_the_script_for_a_shell_is_shown(program, tmp_path):
    script = run(program, "--show-completion")
    assert f" {program}\n" in script
    assert f"_{program.replace('-', '_').upper()}_COMPLETE=complete_bash" in script
    (tmp_path / "completion").write_text(script)
    check = subprocess.run(["bash", "-c", f". {tmp_path}/completion; complete -p {program}"], capture_output=True)
    assert check.returncode == 0, check.stderr


@pytest.mark.parametrize("program", MODULES)
def test_the_script_is_installed_in_the_home_of_whoever_asks(program, tmp_path):
    said = run(program, "--install-completion", HOME=str(tmp_path))
    assert said.startswith(f"bash completion installed in {tmp_path}")
    assert program in (tmp_path / f".bash_completions/{program}.sh").read_text()
