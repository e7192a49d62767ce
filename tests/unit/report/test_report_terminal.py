"""Sections on a terminal: the outcome is there and every figure is whole, at any width."""

import io

import pytest
from rich.console import Console

from converter.report.blocks import (
    BAD,
    OK,
    OPEN,
    RIGHT,
    Charts,
    Column,
    Folded,
    Picture,
    Pictures,
    Points,
    Row,
    Section,
    Table,
    Terms,
    Text,
)
from converter.report.terminal import print_section

COLUMNS = (
    Column("verdict"),
    Column("graph"),
    Column("output"),
    *(Column(title, RIGHT, priority) for priority, title in enumerate(("max", "allowed", "mean", "needed", "cosine"))),
)
FIGURES = ("1.2345e-01", "2.3456e-02", "3.4567e-03", "rtol 4.5678e-04", "0.9999999")
TABLE = Table(
    COLUMNS,
    (
        Row(("FAILED", "ncnn neck_head chained through the backbone", "cls", *FIGURES), BAD),
        Row(("ok", "onnx init alone", "zf", *FIGURES), OK),
    ),
)


def shown(*blocks, width=100, verbose=False, state=OK):
    console = Console(file=io.StringIO(), width=width)
    print_section(console, Section("outputs", "Outputs", state, "all are equal", blocks), verbose)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
def test_the_verdict_is_there_and_no_figure_is_cut(width):
    _, *lines = shown(TABLE, width=width)
    assert max(map(len, lines)) <= max(width, len("  graph ncnn neck_head chained through the backbone"))
    assert [line.split()[0] for line in lines if line.startswith(("FAILED", "ok"))] == ["FAILED", "ok"]
    text = "\n".join(lines)
    assert text.count("1.2345e-01") == 2
    assert "…" not in text
    for figure in FIGURES:
        # 2.3456e-02 is whole or absent, never a part of it
        assert text.count(figure[:-2]) == text.count(figure)


def test_the_least_important_columns_go_first():
    heads = {width: shown(TABLE, width=width)[1].split() for width in (80, 100, 140)}
    assert heads[140] == [column.title for column in COLUMNS]
    assert heads[100] == ["verdict", "graph", "output", "max", "allowed", "mean"]
    assert heads[80] == ["verdict", "graph", "output", "max"]


def test_a_table_that_fits_by_no_columns_is_stacked_with_every_cell():
    lines = shown(TABLE, width=40)
    assert lines[1:4] == ["FAILED", "  graph ncnn neck_head chained through the backbone", "  output cls"]
    assert "  cosine 0.9999999" in lines


@pytest.mark.parametrize(("state", "head"), [(OK, "ok"), (BAD, "FAILED"), (OPEN, "not checked")])
def test_the_outcome_is_a_word_and_comes_first(state, head):
    assert shown(state=state) == [f"{head} Outputs: all are equal"]


def test_what_is_folded_or_long_is_for_verbose_and_drawings_are_never_shown():
    long = Table((Column("layer"),), (Row(("conv_1",)),), long=True)
    blocks = (
        Text("a text"),
        Points(("a point",)),
        long,
        Terms((("alone", "by itself"),)),
        Folded("details", (Text("inside"), long)),
        Charts((("<svg/>",),)),
        Pictures((Picture("data:", "a frame"),)),
    )
    assert shown(*blocks)[1:] == ["a text", "- a point"]
    verbose = ["a text", "- a point", "layer", "conv_1", "alone: by itself", "details", "inside", "layer", "conv_1"]
    assert shown(*blocks, verbose=True)[1:] == verbose


def test_words_in_brackets_are_words():
    assert shown(Text("[red]x[/red]"))[1:] == ["[red]x[/red]"]
