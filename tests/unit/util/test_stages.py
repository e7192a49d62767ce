"""Stages are timed and told, in their order."""

import time

import pytest

from converter.util.stages import Silent, Stages


class Listener(Silent):
    def __init__(self):
        self.told = []

    def begin(self, stage):
        self.told.append(("begin", stage))

    def end(self, stage, seconds, note):
        self.told.append(("end", stage, note))
        self.seconds = seconds


def test_a_stage_begins_and_ends_with_its_notes():
    listener = Listener()
    stages = Stages(listener)
    with stages("trace") as notes:
        assert listener.told == [("begin", "trace")]
        notes += ["init", "update"]
    with stages("verify"):
        pass
    assert listener.told[1:] == [("end", "trace", "init, update"), ("begin", "verify"), ("end", "verify", "")]


def test_a_stage_is_timed():
    listener = Listener()
    with Stages(listener)("trace"):
        time.sleep(0.02)
    assert 0.02 <= listener.seconds < 5


def test_a_stage_that_fails_does_not_end():
    listener = Listener()
    with pytest.raises(KeyError), Stages(listener)("trace"):
        raise KeyError
    assert listener.told == [("begin", "trace")]


def test_nobody_needs_to_listen():
    with Stages()("trace") as notes:
        notes.append("init")
    Stages().progress.step(1, 2)
