"""The table of a proof: the worst input of every output, and the verdict beside it."""

import io

import numpy as np
from rich.console import Console

from converter.cli.summary import print_checks
from converter.proof.compare import compare, compare_decision
from converter.proof.verify import Check
from converter.spec.network import Tolerance

REFERENCE = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)


def check(feed, off=0.0, cell=None, rtol=0.1):
    candidate = REFERENCE + np.float32(off)
    if cell is not None:
        candidate[0, 0][cell] = 15.5
    output = compare("cls", candidate, REFERENCE, Tolerance(rtol=rtol))
    decision = compare_decision("cls", candidate, REFERENCE)
    return Check("ncnn", "update", "alone", feed, (output,), decision).as_dict()


def table(*checks, every_feed=False):
    console = Console(file=io.StringIO(), width=160)
    print_checks(console, checks, every_feed)
    return [line.split() for line in console.file.getvalue().splitlines()[1:]]


def test_the_worst_input_is_shown():
    for order in ((0.15, 0.3, 0.0), (0.3, 0.0, 0.15)):
        (row,) = table(*(check(str(off), off) for off in order))
        assert row[:5] == ["ncnn", "update", "alone", "cls", "3.0e-01"]
        assert row[-2:] == ["same", "ok"]


def test_every_input_is_shown_on_request():
    rows = table(check("one", 0.15), check("two", 0.3), every_feed=True)
    assert [(row[3], row[5]) for row in rows] == [("one", "1.5e-01"), ("two", "3.0e-01")]


def test_a_difference_beyond_the_tolerance_fails():
    (row,) = table(check("one"), check("two", 1.8))
    assert row[4] == "1.8e+00"
    assert row[-2:] == ["same", "FAILED"]


def test_another_best_cell_is_said_and_fails():
    (row,) = table(check("one"), check("two", cell=(3, 2), rtol=0.5))
    assert row[-2:] == ["other", "FAILED"]
