"""Layers by their error: one set of levels, drawn on the page and as signs in text, and never by colour alone."""

import io
import itertools
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

import converter.report
from converter.report.blocks import BAD, Graph, Node, Report, Section
from converter.report.charts import layer_graph
from converter.report.html import html_of
from converter.report.levels import ALL_LEVELS, LEVELS, UNMATCHED, level_of, sign_legend, sign_lines
from converter.report.markdown import markdown_code, markdown_of
from converter.report.terminal import print_section

NASTY = """<b> & "quotes' ``` | end"""
SHARES = (1e-4, 1e-3, 5e-3, 0.05, 0.5, 1.0, 1.001, 10.0, 11.0, math.inf, None)


def graph(*shares, wrong=None, name="conv", reads=None):
    nodes = [
        Node(
            f"{name}_{place}",
            f"about {place}",
            share,
            (reads or {}).get(place, (place - 1,) if place else ()),
            place == wrong,
        )
        for place, share in enumerate(shares)
    ]
    return Graph("g", "ncnn update", tuple(nodes))


def drawn(block):
    """The wide and the narrow drawing."""
    return tuple(ElementTree.fromstring(svg) for svg in layer_graph(block))


def of_class(root, name):
    return [one for one in root.iter() if name in (one.get("class") or "").split()]


def boxes(root, name):
    """How many layers the elements of a class draw; one is the sample of the legend."""
    return sum(one.get("d").count("M") for one in of_class(root, name)) - 1


def test_the_tolerance_is_the_edge_between_two_levels():
    assert [ALL_LEVELS.index(level_of(node)) for node in graph(*SHARES).nodes] == [0, 0, 1, 2, 3, 3, 4, 4, 5, 5, 6]
    assert [level.beyond for level in ALL_LEVELS] == [False] * 4 + [True] * 2 + [False]


def test_levels_differ_in_sign_and_in_shape():
    assert len({level.sign for level in ALL_LEVELS}) == len(ALL_LEVELS)
    assert "!" not in {level.sign for level in ALL_LEVELS}
    within = [level.filled for level in LEVELS if not level.beyond]
    assert within == sorted(set(within))
    for root in drawn(graph(*SHARES)):
        assert [boxes(root, f"l{number}") for number in range(6)] == [2, 1, 1, 2, 2, 2]
        assert boxes(root, "x4") == boxes(root, "x5") == 2, "beyond the tolerance a layer is crossed"
        assert boxes(root, "none") == 1, "the outline of one that was compared with nothing is dashed"


def test_layers_stand_in_order_and_neighbours_beside_each_other():
    wide, narrow = drawn(graph(*[1e-4] * 50))
    numbers = [one.text for one in of_class(wide, "n")]
    assert numbers == [str(place + 1) for place in range(50)]
    places = [(float(one.get("x")), float(one.get("y"))) for one in of_class(wide, "n")]
    steps = [(abs(x2 - x1), abs(y2 - y1)) for (x1, y1), (x2, y2) in itertools.pairwise(places)]
    assert set(steps) == {(45.0, 0.0), (0.0, 62.0)}
    assert [one.text for one in of_class(narrow, "n")] == ["1", "15", "29", "43", "50"], (
        "each row's first, and the last"
    )
    for root in (wide, narrow):
        width, height = map(float, root.get("viewBox").split()[2:])
        for x, y in re.findall(r"M(-?[\d.]+) (-?[\d.]+)", " ".join(one.get("d", "") for one in root.iter("path"))):
            assert 0 <= float(x) <= width
            assert 0 <= float(y) <= height


def test_what_a_layer_reads_is_joined_to_it():
    block = graph(*[1e-4] * 40, reads={5: (1, 4), 30: (2,), 7: ()})
    for root in drawn(block):
        (links,) = of_class(root, "link")
        assert links.get("d").count("M") == sum(len(node.reads) for node in block.nodes) == 39
        assert links.get("d").count("Q") == 1, "over the layers between, where both are in a row"


def test_a_layer_that_is_pointed_at_says_its_figures():
    block = graph(1e-4, None, name=NASTY)
    wide, narrow = drawn(block)
    titles = [one.find("title").text for one in wide.iter("path") if one.find("title") is not None]
    assert titles == [f"1 {NASTY}_0: about 0", f"2 {NASTY}_1: about 1"]
    assert [one for one in narrow.iter("path") if one.find("title") is not None] == []


def test_the_first_wrong_layer_is_framed_and_named():
    for place in (0, 1, 19, 30, 39):
        for root in drawn(graph(*[5.0] * 40, wrong=place, name=NASTY)):
            (ring,) = of_class(root, "ring")
            assert ring.get("d").count("M") == 1
            (name,) = of_class(root, "strong")
            assert name.text.startswith("first wrong: <b>")
            assert f"first wrong is {NASTY}_{place}" in root.find("desc").text
    for root in drawn(graph(5.0)):
        assert of_class(root, "ring") == of_class(root, "strong") == []


@pytest.mark.parametrize("shares", [(), (None,), (1e-4,) * 500])
def test_graphs_of_no_layer_one_and_many(shares):
    for root in drawn(graph(*shares)):
        assert root.find("desc").text.startswith(f"{len(shares)} layer")
    assert len("".join(layer_graph(graph(*shares)))) < 400 * (len(shares) + 5)


def test_signs_of_layers():
    block = graph(*SHARES, *[1e-4] * 60, wrong=8)
    lines = list(sign_lines(block))
    assert lines[0].split()[:3] == ["1", "..:oOOXX!#", "?........."]
    assert lines[1].split()[0] == "61"
    assert "".join("".join(line.split()[1:]) for line in lines) == "..:oOOXX!#?" + "." * 60
    legend = sign_legend(block)
    assert legend.startswith("ncnn update, a sign per layer")
    for level in ALL_LEVELS:
        assert f"{level.sign} {level.words}" in legend
    assert "! first wrong" in legend
    assert "first wrong" not in sign_legend(graph(*SHARES))


def report(block):
    section = Section("layers", "Layer by layer", BAD, "wrong", (block,))
    return Report("r", False, "Not verified", "", (), (), (), (section,), "today")


def test_every_language_shows_a_graph():
    block = replace(graph(*SHARES, wrong=8), title=NASTY)
    html, markdown = html_of(report(block)), markdown_of(report(block))
    assert html.count("<svg") == 2
    assert "<b> &" not in html
    assert "```text\n 1 ..:oOOXX!# ?\n```" in markdown
    assert "<b>" not in markdown
    shown = {}
    for wrong in (8, None):
        for verbose in (True, False):
            console = Console(file=io.StringIO(), width=200)
            section = Section("layers", "L", BAD, "s", (graph(*SHARES, wrong=wrong),))
            print_section(console, section, verbose)
            shown[wrong is not None, verbose] = "..:oOOXX" in console.file.getvalue()
    assert shown == {(True, True): True, (True, False): True, (False, True): True, (False, False): False}


@pytest.mark.parametrize("text", ["lt-verify e1", "a ``` b", "````\n# no heading\n`````", "<img src=x> @team"])
def test_code_in_markdown_ends_where_it_should(text):
    written = str(markdown_code(text))
    fence = re.match("`+", written).group()
    assert written == f"{fence}text\n{text}\n{fence}"
    assert len(fence) >= 3
    assert fence not in text


def colours(theme):
    """Variables of the style sheet in one of its themes."""
    css = (Path(converter.report.__file__).parent / "templates/style.css").read_text()
    return dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})\b", css.split(":root {")[theme].partition("}")[0]))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    values = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [1, 2, 3])
def test_levels_are_told_apart_without_colour(theme):
    """Light, dark, paper: the levels within the tolerance lie apart in grey, and beyond it the cross stands out."""
    shades = colours(theme)
    within = [shades[f"l{number}"] for number in range(4)]
    assert all(contrast(one, other) >= 1.4 for one, other in itertools.pairwise(within)), within
    away = [contrast(shades["paper"], shade) for shade in within]
    assert away == sorted(away), "more error, further from the paper"
    assert contrast(shades["l4"], "#000") >= 4.5
    assert contrast(shades["l5"], shades["paper"]) >= 4.5
    assert all(contrast(shades["paper"], shades[name]) >= 4.5 for name in ("ink", "soft", "ok", "bad", "note"))
    assert UNMATCHED.filled == 0
