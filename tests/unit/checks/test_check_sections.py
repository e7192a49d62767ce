"""What the checks show of themselves: the outcome first, what is long folded, nothing cut off."""

from dataclasses import replace

import numpy as np
import pytest
from clips import report, row

from converter.checks.clip.one_step import Step
from converter.checks.dumps.causes import SIGMOID, Cause
from converter.checks.dumps.report import DumpsReport, TensorReport
from converter.checks.layers.figures import Figures
from converter.checks.layers.walk import FirstBad, LayerRow, LayerWalk
from converter.checks.layers.walks import Walks
from converter.folder.golden_index import GoldenTensor
from converter.proof.compare import compare
from converter.report.blocks import Charts, Folded, Pictures, Points, Table, Text
from converter.spec.tensors import Tolerance

TOLERANCE = Tolerance(rtol=1e-4)


def of(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def words(section):
    """What a terminal shows without --verbose, besides tables."""
    lines = [section.summary, *(block.text for block in of(section, Text))]
    return "\n".join([*lines, *(line for block in of(section, Points) for line in block.lines)])


def folded(section, title):
    (block,) = [block for block in of(section, Folded) if title in block.summary]
    return block


def titles(table):
    return [column.title for column in table.columns]


def layer(name, **changes):
    place = {"type": "ReLU", "blob": "b", "module": "head", "operation": "relu"}
    verdict = {key: changes.pop(key, True) for key in ("matched", "passed")}
    figures = replace(Figures(None, 1e-6, 1e-4, 5e-7, 1.0, -1.0, 1.0), **changes)
    return LayerRow(layer=name, **place, figures=figures, **verdict)


def walk(*rows, first=None, outputs=True, rounding=0):
    return LayerWalk("update", "ncnn", rows, rounding, first, outputs)


ROWS = tuple(layer(f"conv_{index}") for index in range(20))


def test_a_walk_without_a_fault_is_a_line_a_drawing_and_folded_tables():
    unmatched = layer("split", matched=False, max_abs=None, allowed=None, relative=None, cosine=None)
    section = Walks((walk(*ROWS, unmatched),)).section()
    assert (section.key, section.state) == ("layers", "ok")
    assert section.summary == "No layer is to blame: 20 of 21 layers matched with the network's."
    assert "ncnn update: 20 of 21 layers matched." in words(section)
    assert of(section, Table) == []
    assert len(of(section, Charts)) == 1
    (table,) = folded(section, "all 21 layers").blocks
    assert titles(table)[0] == "Verdict"
    assert table.rows[0].cells[:5] == ("ok", "1", "conv_0", "ReLU", "head: relu")
    assert table.rows[20].cells[0] == "not matched"
    assert len(folded(section, "5 worst layers").blocks[0].rows) == 5


def test_the_first_wrong_layer_stands_among_its_neighbours():
    bad = layer("conv_10", max_abs=0.2, relative=0.1, passed=False)
    lost = layer("conv_11", max_abs=None, relative=None, cosine=None, problem="3 of 9 values are NaN", passed=False)
    rows = (*ROWS[:10], bad, lost, *ROWS[12:])
    first = FirstBad("conv_10", "ReLU", "head", "relu", "its inputs are right, its output is not", bad)
    section = Walks((walk(*ROWS), walk(*rows, first=first, outputs=False, rounding=1))).section()
    assert section.state == "bad"
    assert section.summary == "Something is wrong in 1 of 2 graphs, first at: ncnn update conv_10."
    text = words(section)
    assert "ncnn update: first wrong layer is conv_10 (ReLU, in the network head relu): its inputs are right" in text
    assert "2 beyond the tolerance; 1 layer beyond the tolerance through rounding alone" in text
    (table,) = of(section, Table)
    assert titles(table) == ["Verdict", "Layer", "Type", "max |Δ|", "Allowed", "Of range"]
    assert [row.cells[1] for row in table.rows] == [f"conv_{index}" for index in range(7, 14)]
    assert table.rows[3].cells == ("first wrong", "conv_10", "ReLU", "2.0e-01", "1.0e-04", "1.0e-01")
    assert table.rows[4].cells[:2] == ("3 of 9 values are NaN", "conv_11")
    assert [row.state for row in table.rows] == ["", "", "", "bad", "bad", "", ""]


def test_a_blamed_layer_that_computes_nothing_shows_where_it_is_seen():
    bad = layer("conv_1", max_abs=0.2, passed=False)
    first = FirstBad("flatten", "Reshape", None, None, "another order", None)
    (table,) = of(Walks((walk(ROWS[0], bad, ROWS[2], first=first),)).section(), Table)
    assert [row.cells[0] for row in table.rows] == ["ok", "beyond", "ok"]


def test_a_wrong_output_without_a_layer_to_blame_and_no_walk_at_all():
    section = Walks((walk(*ROWS, outputs=False),)).section()
    assert section.state == "bad"
    assert "no layer before it can be blamed" in words(section)
    assert Walks(()).section().summary == "No graph was walked."
    assert Walks(()).section().state == "bad"
    made_up_for = layer("gap", max_abs=None, relative=None, cosine=None, problem="shape 1x2, expected 2x1")
    (table,) = folded(Walks((walk(made_up_for),)).section(), "all 1 layer").blocks
    assert table.rows[0].cells[0] == "made up for by later layers: shape 1x2, expected 2x1"


def tensor(name="cls", role="output", off=0.0, explanations=(), case="case_0"):
    right = np.linspace(0, 1, 8, dtype=np.float32)
    figures = compare(name, right + np.float32(off), right, TOLERANCE)
    place = {"file": f"{case}/{name}.bin", "case": case, "title": "bag.png", "graph": "update", "name": name}
    return TensorReport(
        **place, meaning=name, role=role, layout="NHWC", figures=figures, explanations=explanations, notes=()
    )


def dumps(*tensors, missing=(), others=(), notes=()):
    return DumpsReport("/device", tensors, missing, others, notes, 0)


def test_dumps_begin_with_causes_and_right_inner_tensors_are_folded():
    wrong = tensor(off=0.5, explanations=((SIGMOID,), (Cause("other", "something else"),)))
    inner = tensor("features.1", "intermediate")
    missing = tuple(
        GoldenTensor.model_construct(case="case_1", graph="update", name=name, role=role)
        for name, role in (("reg", "output"), ("tower", "intermediate"))
    )
    section = dumps(wrong, inner, missing=missing, others=("log.txt",), notes=("a note",)).section()
    assert section.state == "bad"
    assert section.summary == "1 of 2 dumped tensors are off."
    text = words(section)
    for line in (
        *("update cls: it is a probability, a logit is expected", "Or, equally well: something else", "a note"),
        *("First off in bag.png, in the order of the run: update cls.", "Dumps in /device."),
        *("Not dumped: case_1 update reg.", "Named after no tensor: log.txt."),
    ):
        assert line in text
    assert "tower" not in text
    (table,) = of(section, Table)
    (line,) = table.rows
    assert line.cells[:5] == ("OFF: sigmoid_applied", "update cls", "bag.png", "NHWC", "5.0e-01")
    (table,) = folded(section, "Inner tensors that are right (1)").blocks
    assert table.rows[0].cells[:2] == ("right", "update features.1")


def test_right_dumps_dumps_without_an_output_and_none():
    assert dumps(tensor()).section().summary == "All 1 dumped tensor are right."
    assert dumps(tensor()).section().state == "ok"
    inner = dumps(tensor("zf", "intermediate")).section()
    assert inner.state == "bad"
    assert "that is not enough: no output is among them" in inner.summary
    assert "Nothing was compared" in dumps().section().summary
    assert "none of the usual causes explains it" in words(dumps(tensor(off=0.5)).section())


def test_many_missing_dumps_are_counted_and_folded():
    others = tuple(f"file_{index}" for index in range(20))
    section = dumps(tensor(), others=others).section()
    assert "file_7 and 12 more." in words(section)
    assert folded(section, "Named after no tensor: all 20").blocks[0].lines == others


def test_a_clip_says_what_passed_and_how_fast():
    rows = [row(0, ncnn=1.0, onnx=1.0), row(1, ncnn=0.99996, onnx=0.95), row(2, ncnn=0.99998, onnx=0.75)]
    section = report(rows).section()
    assert (section.state, section.folded) == ("bad", False)
    assert (
        "ncnn: mean overlap in one step 0.99997 over 2 frames, smallest 0.99996 in frame 1; "
        "free running 0.99997, floor 0.97000." in section.summary
    )
    outcome, free = of(section, Table)
    assert [line.cells for line in outcome.rows] == [
        ("passed", "ncnn", "2", "0.99997", "0.99996", "1", "0", "0.0e+00"),
        ("beyond the limits", "onnx", "2", "0.85000", "0.75000", "2", "0", "0.0e+00"),
    ]
    assert [line.state for line in outcome.rows] == ["ok", "bad"]
    assert outcome.about.startswith("drawn.avi, 120×90, from x, y, w, h = 30.0, 20.0, 16.0, 12.0.")
    assert "with a mean overlap of 0.9, another cell in no frame, scores off by 0.001." in outcome.about
    assert [line.cells for line in free.rows] == [
        ("ncnn", "2", "0.99997", "0.99997", "0.99996", "1", "none", "2.5e-01", "2.0 ms", "100.0"),
        ("onnx", "2", "0.85000", "0.85000", "0.75000", "2", "2", "2.5e-01", "2.0 ms", "100.0"),
        ("floor, 2 seeds", "–", "0.97000", "0.97000", "0.96000", "–", "–", "–", "–", "–"),
        ("reference", "2", "–", "–", "–", "–", "–", "–", "4.0 ms", "50.0"),
    ]
    assert {line.state for line in free.rows} == {""}


def test_a_track_that_runs_away_by_itself_is_no_failure():
    """One step is exact, free running is not: that is chaos, and the floor beside it says so."""
    right = {"ncnn": Step(1.0, True, 0.0)}
    found = report([row(0, ncnn=1.0), row(1, right, ncnn=0.85), row(2, right, ncnn=0.0)])
    assert found
    assert of(found.section(), Table)[1].rows[0].cells[:5] == ("ncnn", "2", "0.42500", "0.42500", "0.00000")


def test_frames_in_which_the_target_is_lost_are_told_apart():
    wrong = {"ncnn": Step(0.5, False, 0.9)}
    lost = [row(2, wrong, lost=("cut", "jump"), ncnn=0.4), row(3, wrong, lost=("after",), ncnn=0.3)]
    found = report([row(0, ncnn=1.0), row(1, ncnn=0.99), *lost, row(4, ncnn=1.0), row(5, ncnn=1.0)])
    assert found
    section = found.section()
    outcome, free = of(section, Table)
    assert [line.cells for line in outcome.rows] == [
        ("passed", "ncnn", "3", "0.99666", "0.99000", "1", "0", "0.0e+00"),
        ("not judged", "ncnn, lost", "2", "0.50000", "0.50000", "2", "2", "9.0e-01"),
    ]
    assert free.rows[0].cells[:4] == ("ncnn", "5", "0.73800", "0.99000")
    assert "The reference has lost the target in 2 frames: 2 to 3 (frame 2: cut, jump)." in words(section)


def test_where_the_target_is_mostly_lost_all_frames_are_judged():
    """Else a model could be wrong in most of a clip and pass."""
    lost, wrong = ("score",), {"ncnn": Step(1.0, False, 0.0)}
    right = report([row(0, ncnn=1.0), row(1, ncnn=1.0), row(2, lost=lost, ncnn=1.0)])
    assert right
    assert of(right.section(), Table)[0].rows[0].cells[:3] == ("passed, mostly lost", "ncnn", "2")
    bad = report([row(0, ncnn=1.0), row(1, ncnn=1.0), row(2, wrong, lost=lost, ncnn=1.0)])
    assert not bad
    assert bad.failure() == "drawn.avi: ncnn: another best cell in 1 frame, expected in none"
    assert len(of(bad.section(), Table)[0].rows) == 1
    assert bad.as_dict()["candidates"][0]["one_step"]["judged"]["frames"] == 2
    assert report([row(0, ncnn=1.0), row(1, lost=lost, ncnn=1.0)])
    assert not report([row(0, ncnn=1.0), row(1, wrong, lost=lost, ncnn=1.0)])


def test_a_clip_names_what_stopped_a_model():
    rows = [row(0, ncnn=1.0, onnx=1.0), row(1, ncnn=0.99, onnx=None)]
    section = report(rows, onnx="frame 1: 3 of 64 values of cls are NaN").section()
    assert "onnx: no frame was compared; stopped: frame 1: 3 of 64 values of cls are NaN." in section.summary
    assert of(section, Table)[0].rows[1].cells[:4] == ("stopped", "onnx", "0", "–")
    section = report(rows, problem="frame 2: gave up").section()
    assert section.state == "bad"
    assert "The reference stopped: frame 2: gave up" in words(section)
    assert report([row(0), row(1)]).section().summary == "No model was compared."


def test_the_worst_frames_of_every_model_are_folded_and_pictured():
    rows = [row(0, ncnn=1.0), *(row(index, ncnn=1 - index / 100) for index in range(1, 31))]
    found = report(rows, thumbnails=((30, b"\xff\xd8\xff"),))
    section = found.section()
    (table,) = folded(section, "ncnn: 10 worst frames").blocks
    assert [line.cells[0] for line in table.rows] == [str(index) for index in range(21, 31)]
    assert table.rows[-1].cells[1:] == (
        "0.70000",
        "40.0, 20.0, 30.0, 40.0",
        "0.7500",
        "40.5, 20.0, 30.0, 40.0",
        "0.5000",
    )
    ((picture,),) = (block.pictures for block in of(section, Pictures))
    assert picture.caption == "Frame 30: overlap ncnn 0.70000"
    assert picture.source == "data:image/jpeg;base64,/9j/"
    assert "thumbnails" not in found.as_dict()
    assert len(of(section, Charts)) == 1


@pytest.mark.parametrize("section", [Walks((walk(*ROWS),)).section(), dumps(tensor()).section()])
def test_verdicts_come_first(section):
    tables = [block for block in section.blocks if isinstance(block, Table)]
    tables += [block for fold in of(section, Folded) for block in fold.blocks if isinstance(block, Table)]
    assert {titles(table)[0] for table in tables} == {"Verdict"}
