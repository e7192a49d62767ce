"""Everything that ever escaped, and a few fresh inputs, for every parser."""

import contextlib

import fuzzing
import pytest
from fuzzing import CORPUS, OURS, TARGETS, Target, batch, escapes

KEPT = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_what_escaped_once(path, tmp_path):
    if error := escapes(TARGETS[path.parent.name], path.read_bytes(), tmp_path):
        raise error


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_pass_and_changed_ones_do_not_escape(name, tmp_path):
    target = TARGETS[name]
    taken = 0
    for data in target.seeds():
        with contextlib.suppress(*OURS):
            target.run(data, tmp_path)
            taken += 1
    assert taken, "no seed is good, so the parser is hardly reached"
    done, escape = batch(name, 0, tmp_path, 5)
    assert done
    assert not escape, escape


def test_an_escape_is_found_and_shortened(monkeypatch, tmp_path):
    def fails_on_brackets(data, folder):
        if b"[" in data:
            raise IndexError

    target = Target(lambda: [b"abc"], fails_on_brackets)
    monkeypatch.setitem(fuzzing.TARGETS, "made-up", target)
    _, escape = batch("made-up", 1, tmp_path, 1000)
    assert escape is not None
    assert isinstance(escape[1], IndexError)
    assert len(escape[0]) <= 5


def test_a_parser_that_hangs_escapes(monkeypatch, tmp_path):
    def hangs(data, folder):
        while True:
            pass

    monkeypatch.setattr(fuzzing, "SECONDS_EACH", 0.1)
    assert "0.1 s" in str(escapes(Target(lambda: [b""], hangs), b"", tmp_path))


def test_every_target_is_run_at_least_once_and_what_escapes_is_kept(monkeypatch, tmp_path):
    said = []

    def fails(data, folder):
        raise IndexError

    monkeypatch.setattr(fuzzing, "CORPUS", tmp_path)
    monkeypatch.setitem(fuzzing.TARGETS, "made-up", Target(lambda: [b"abc"], fails))
    found = fuzzing.fuzz(["raw", "made-up"], 0, 1, said.append)
    assert found == {"raw": 0, "made-up": 1}
    assert len(list((tmp_path / "made-up").iterdir())) == 1
    assert [line.split()[0] for line in said] == ["made-up:", "raw", "made-up"]
