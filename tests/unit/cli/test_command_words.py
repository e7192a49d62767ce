"""Words that are no command line: one line that says what to do, and one JSON object where JSON was asked for."""

import json
import logging

import pytest

from commands import lt_verify, surroundings
from converter.cli.command import log_to_stderr

WRITE = "--write-golden is a flag: --golden DIR names the folder to write to"
SETUP = "--setup-arm is a flag: --arm-root DIR names the folder to build"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--write-golden=g",), WRITE),
        (("export", "--write-golden", "g"), WRITE),
        (("--init", "a.param", "--update", "b.param", "--write-golden", "g"), WRITE),
        (("--init", "a.param", "--update", "b.param", "--write-golden"), "pass --golden DIR, the folder to write to"),
        (("--setup-arm=g",), SETUP),
        (("--setup-arm", "g"), SETUP),
    ],
)
def test_a_flag_that_took_a_folder_says_what_to_do_now(words, said, tmp_path):
    done = lt_verify(*words, cwd=tmp_path)
    assert done.code == 2
    assert done.error_line.endswith(said)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("--nope",), ("--layers=3",), ("--seed", "x"), ("a", "b"), ("-q", "-v")])
def test_json_is_asked_for_wherever_it_stands(words, tmp_path):
    for line in ((*words, "--json"), ("--json", *words)):
        assert json.loads(lt_verify(*line, cwd=tmp_path).out)["error"]["exit_code"] == 2
    assert lt_verify(*words, cwd=tmp_path).out == ""


def test_a_value_called_json_asks_for_none(tmp_path):
    assert lt_verify("--init", "--json", "--update", "b.param", cwd=tmp_path).out == ""


@pytest.mark.parametrize(("quiet", "warns"), [(True, False), (False, True)])
def test_quiet_keeps_nothing_but_errors(quiet, warns):
    with surroundings(None, {}):
        log_to_stderr(verbose=False, quiet=quiet)
        for name in ("converter", "official_patches", "somebody.else"):
            assert logging.getLogger(name).isEnabledFor(logging.WARNING) == warns
            assert logging.getLogger(name).isEnabledFor(logging.ERROR)
