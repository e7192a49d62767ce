"""The table of a proof: the worst input of every output, and the verdict before it."""

import numpy as np

from converter.proof.compare import compare, compare_decision
from converter.proof.section import proof_section
from converter.proof.verify import Check
from converter.report.blocks import BAD, OK, Folded, Table
from converter.spec.tensors import Tolerance

REFERENCE = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)


def check(feed, off=0.0, cell=None, rtol=0.1):
    candidate = REFERENCE + np.float32(off)
    if cell is not None:
        candidate[0, 0][cell] = 15.5
    output = compare("cls", candidate, REFERENCE, Tolerance(rtol=rtol))
    decision = compare_decision("cls", candidate, REFERENCE)
    return Check("ncnn", "update", "alone", feed, (output,), decision)


def rows(*checks, every_input=False):
    """Title -> cell of every row."""
    blocks = proof_section(checks).blocks
    (table,) = [block for block in blocks if isinstance(block, Table)]
    if every_input:
        ((table,),) = [block.blocks for block in blocks if isinstance(block, Folded)]
    titles = [column.title for column in table.columns]
    return [dict(zip(titles, row.cells, strict=True)) for row in table.rows]


def test_the_worst_input_is_shown():
    for order in ((0.15, 0.3, 0.0), (0.3, 0.0, 0.15)):
        (row,) = rows(*(check(str(off), off) for off in order))
        assert (row["Verdict"], row["Output"], row["Graph"]) == ("ok", "cls", "ncnn update alone")
        assert (row["max |Δ|"], row["Best cell"]) == ("3.0e-01", "same")
        assert "Why" not in row


def test_every_input_is_there_too():
    found = rows(check("one", 0.15), check("two", 0.3), every_input=True)
    assert [(row["Input"], row["max |Δ|"]) for row in found] == [("one", "1.5e-01"), ("two", "3.0e-01")]


def test_a_difference_beyond_the_tolerance_fails():
    (row,) = rows(check("one"), check("two", 1.8))
    assert (row["Verdict"], row["max |Δ|"], row["Why"]) == ("FAILED", "1.8e+00", "beyond the tolerance")


def test_another_best_cell_is_said_and_fails():
    (row,) = rows(check("one"), check("two", cell=(3, 2), rtol=0.5))
    assert (row["Verdict"], row["Best cell"], row["Why"]) == ("FAILED", "(3, 2), expected (3, 3)", "another best cell")


def test_a_section_is_as_good_as_its_worst_comparison():
    passed, failed = proof_section([check("one")]), proof_section([check("one"), check("two", 1.8)])
    assert (passed.state, failed.state) == (OK, BAD)
    assert passed.summary.startswith("All 1 comparison passed")
    assert "ncnn update alone, two" in failed.summary
