"""The table of a matrix: ranks, the Pareto front, CSV, and the page."""

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converter.matrix.cells import Cell
from converter.matrix.page import _scatter, cases_of, page_of, report_of, section_of, write_table
from converter.matrix.plan import Plan
from converter.matrix.run import Keep, MatrixOptions, MatrixResult
from converter.matrix.table import Row, csv_of, pareto, ranked
from converter.report.blocks import BAD
from converter.report.html import html_of
from converter.report.svg import CHARACTER
from converter.report.text import harmless

CELL = Cell(Path("/somewhere/super.pth"), "back_<b>", "ncnn", (127, 288))


def row(key, **figures):
    return Row(key, CELL, **{"outcome": "verified", **figures})


def keys(rows):
    return [each.key for each in rows]


def result(*rows, sort="bytes", folder=Path("matrix")):
    options = MatrixOptions(
        Plan("plan.yaml", ()),
        folder,
        2,
        60.0,
        None,
        (1, 1),
        Keep(),
        sort,
        None,
        None,
        None,
        allow_pickle=False,
        again=False,
    )
    return MatrixResult(options, tuple(ranked(rows, sort)), len(rows))


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("latency", ["b", "a", "c", "x"]),
        ("bytes", ["c", "a", "b", "x"]),
        ("error", ["a", "c", "b", "x"]),
        ("ao", ["c", "b", "a", "x"]),
    ],
)
def test_ranks(sort, order):
    rows = [
        row("x", outcome="failed", latency=0.1, bytes=1, error=0.0, ao=1.0),
        row("a", latency=3.0, bytes=20, error=1e-7, ao=0.5),
        row("b", latency=2.0, bytes=30, error=3e-7, ao=0.6),
        row("c", bytes=10, error=2e-7, ao=0.7),  # nobody measured it: behind those that are, where it counts
    ]
    assert keys(ranked(rows, sort)) == order


def test_the_front_is_what_no_other_beats_in_everything():
    rows = [
        row("fast", latency=1.0, bytes=30, ao=0.5),
        row("small", latency=3.0, bytes=10, ao=0.5),
        row("good", latency=4.0, bytes=40, ao=0.8),
        row("beaten", latency=1.0, bytes=31, ao=0.5),
        row("same", latency=1.0, bytes=30, ao=0.5),
        row("unknown", latency=0.5, bytes=5),
        row("failed", latency=0.1, bytes=1, ao=1.0, outcome="failed"),
    ]
    assert pareto(rows) == {"fast", "same", "small", "good"}
    assert pareto([row("a", bytes=2), row("b", bytes=3)]) == {"a"}  # figures that no cell has do not count
    assert pareto([row("x", outcome="unfinished")]) == set()


def test_csv_is_read_by_others_and_holds_no_formula():
    rows = [row("a", bytes=5, ao=0.25), Row("b", CELL, "unfinished", 4, '=SUM(A1) "quoted", and\nmore')]
    found = list(csv.DictReader(io.StringIO(csv_of(rows))))
    assert [each["cell"] for each in found] == ["a", "b"]
    assert (found[0]["bytes"], found[0]["ao"], found[0]["latency"], found[0]["sizes"]) == ("5", "0.25", "", "127/288")
    assert found[1]["message"] == '\'=SUM(A1) "quoted", and\nmore'


def test_the_page_links_to_manifests_that_are_there_and_trusts_no_text(tmp_path):
    rows = [
        row("a", bytes=5_000_000, multiply_adds=4e8, kept=True),
        row("b", bytes=6_000_000, multiply_adds=5e8),
        Row("c", CELL, "failed", 1, "<script>alert(1)</script>"),
    ]
    made = result(*rows, folder=tmp_path)
    page = page_of(made)
    assert 'href="models/a/manifest.json"' in page
    assert "models/b" not in page
    assert "<script>" not in page
    assert "back_&lt;b&gt;" in page
    assert page.count("<circle") == 2 * 2  # for a desk and for a phone
    assert "MB over multiply-adds a frame" in page
    assert "accuracy is not known" in page
    write_table(made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv", "table.html", "table.json"]
    table = json.loads((tmp_path / "table.json").read_text())
    assert [cell["manifest"] for cell in table["cells"]] == ["models/a/manifest.json", None, None]


def test_latency_and_ao_are_drawn_where_they_are_known():
    page = page_of(result(row("a", latency=2.0, ao=0.5, bytes=1), row("b", latency=3.0, ao=0.6, bytes=1)))
    assert "AO over update, ms" in page
    assert "nothing here measured it again" in page


@pytest.mark.parametrize(
    "values", [(12.3,), (12.3, 12.3000001), (0.5, 0.5), (12.345678, 45.9), (1e-3, 1.0), (980.0, 1499.0)]
)
def test_numbers_of_the_axes_are_apart_and_inside(values):
    rows = [row(str(index), latency=value, ao=0.5004 + index * 1e-6, bytes=1) for index, value in enumerate(values)]
    for kind, width in (("wide", 920), ("narrow", 360)):
        drawing = ElementTree.fromstring(_scatter(tuple(rows), kind, width))
        levels = {}
        for text in drawing.iter("text"):
            long = len(text.text) * (13 if text.get("class") == "name" else 11) * CHARACTER
            start = float(text.get("x")) - long * {None: 0, "middle": 0.5, "end": 1}[text.get("text-anchor")]
            assert start >= 0, text.text
            assert start + long <= width, text.text
            levels.setdefault(text.get("y"), []).append((start, start + long, text.text))
        for texts in levels.values():
            assert all(before[1] <= after[0] for before, after in pairwise(sorted(texts))), texts
        up = [text.text for text in drawing.iter("text") if text.get("x") == "40"]
        assert len(up) == len({*up}) >= 3


def test_the_page_is_in_the_reports_style_and_holds_no_control_characters():
    made = result(Row("c", replace(CELL, checkpoint=Path("a\x1b[31m\u202e.pth")), "failed", 1, "\x07\x9b"))
    page = page_of(made)
    assert harmless(page) == page
    assert "a\\x1b[31m\\u202e.pth" in page
    report = html_of(report_of(made, "today"))
    assert page[page.index("<style>") + 7 : page.index("#cells")].strip() in report
    assert page[: page.index("<title>")] == report[: report.index("<title>")]
    assert "<svg" not in page


def test_failed_cells_are_named_and_are_cases():
    made = result(
        row("a", bytes=1),
        Row("b", CELL, "failed", 1, "off by 3"),
        Row("c", CELL, "unfinished", 4, "died"),
        Row("d", CELL),
    )
    assert not made
    section = section_of(made)
    assert (section.state, section.summary) == (
        BAD,
        "4 cells: 1 verified, 1 not the network that was trained, 1 not finished for an error, 1 not done.",
    )
    assert [each.outcome for each in cases_of(made)] == ["passed", "failure", "error", "skipped"]
