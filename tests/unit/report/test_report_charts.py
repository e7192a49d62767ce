"""Charts are well-formed SVG that says in words what it shows, and place things where they belong."""

import math
from xml.etree import ElementTree

import pytest

from converter.report.charts import Limit, Series, curve, histogram, lowest_tick, overlaps
from converter.report.charts.parts import MOST_POINTS, thinned
from converter.report.svg import Scale, decade, element, round_steps, shortened

NASTY = """<b> & "quotes' | end"""


def parsed(svg):
    root = ElementTree.fromstring(svg)
    width, height = map(float, root.get("viewBox").split()[2:])
    names = root.get("aria-labelledby").split()
    assert [root.find("title").get("id"), root.find("desc").get("id")] == names
    for one in root.iter():
        for key, size in (("x", width), ("x1", width), ("x2", width), ("cx", width), ("y", height), ("cy", height)):
            if one.get(key):
                assert -1 <= float(one.get(key)) <= size + 1, ElementTree.tostring(one)
    return root


def texts(root):
    return [one.text for one in root.iter("text")]


def of_class(root, name):
    return [one for one in root.iter() if name in (one.get("class") or "").split()]


def test_element_escapes_attributes_and_leaves_out_none():
    assert (
        element("a", class_='x"<', text_anchor="end", d=None, x=1.25)
        == '<a class="x&quot;&lt;" text-anchor="end" x="1.2"/>'
    )


def test_histogram_draws_what_is_there_and_marks_what_is_beyond():
    root = parsed(histogram("h", NASTY, [0, 0, 3, 90, 7, 0], -10, 1e-7))
    bars = of_class(root, "bar")
    assert len(bars) == 3
    assert of_class(root, "beyond") == bars[1:]
    assert max(bars, key=lambda bar: float(bar.get("height"))) is bars[1]
    assert {"3", "90", "7"} <= set(texts(root))
    assert "allowed 1.0e-07" in texts(root)
    assert "1e-7 to 1e-6: 90 %" in root.find("desc").text
    assert root.find("title").text == NASTY


@pytest.mark.parametrize("counts", [[0, 0, 0], [0, 0, 10**9, 1]])
def test_histogram_of_nothing_and_of_one_among_many(counts):
    root = parsed(histogram("h", "cls", counts, -10, None))
    assert len(of_class(root, "bar")) == sum(map(bool, counts))
    assert of_class(root, "limit") == []
    assert all(float(bar.get("height")) >= 2 for bar in of_class(root, "bar"))


def points_of(line):
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


def test_curve_breaks_at_gaps_and_crosses_failures():
    series = Series("error", (1e-7, 1e-6, None, 1e-3, 0.0, None), frozenset({3, 5}))
    for svg in curve("k", "name", "about", [series], [Limit("tolerance", (1e-4,) * 6)], (3, NASTY)):
        root = parsed(svg)
        first, second = of_class(root, "series")[1:]  # the one before them is in the legend
        assert [len(points_of(line)) for line in (first, second)] == [2, 2]
        assert points_of(first)[0][1] > points_of(first)[1][1] > points_of(second)[0][1]
        assert points_of(second)[1][1] == max(y for line in (first, second) for _, y in points_of(line))
        assert len(of_class(root, "cross")) == 2
        assert len(of_class(root, "mark")) == 1
        assert root.find("desc").text == "about"
        assert any(text.startswith("<b> &") for text in texts(root))


def test_curve_for_wide_and_narrow_screens_have_names_of_their_own():
    wide, narrow = (parsed(svg) for svg in curve("k", "name", "about", [Series("a", (1.0, 2.0))]))
    assert float(wide.get("width")) > 2 * float(narrow.get("width"))
    assert wide.find("title").get("id") != narrow.find("title").get("id")


@pytest.mark.parametrize("values", [(), (None, None), (0.0,), (1e-300, 1e300), (5.0,)])
def test_curve_of_odd_values(values):
    for svg in curve("k", "name", "about", [Series("a", values), Series("b", values, single=True)]):
        parsed(svg)


def test_overlap_says_where_the_smallest_is():
    values = [1.0, 0.95, 0.4, None, 0.99]
    for svg in overlaps("o", "ncnn", [0, 1, 2, 3, 9], values, [("floor", 0.9)]):
        root = parsed(svg)
        assert "smallest 0.40000, frame 2" in texts(root)
        assert "floor 0.9" in texts(root)
        assert len(of_class(root, "dot")) == 1
        assert root.find("desc").text == "Smallest 0.40000 in frame 2 of 5; 1 frame below 0.9."


def test_overlap_of_a_model_that_stopped_or_never_began():
    for svg in overlaps("o", "ncnn", [0, 1, 2], [1.0, 0.9, None], [], "frame 2: no output"):
        assert len(of_class(parsed(svg), "mark")) == 1
    for svg in overlaps("o", "ncnn", [0, 1], [None, None], [("floor", 0.9)]):
        assert parsed(svg).find("desc").text == "No frame was compared."


def test_long_clip_keeps_every_dip():
    values = [1.0] * 100_000
    values[77_777] = 0.1
    points = thinned(values, min)
    assert len(points) <= 600
    assert (77_777, 0.1) in points
    for svg in overlaps("o", "ncnn", range(100_000), values, [("floor", 0.9)]):
        assert len(svg) < 20_000
        assert "smallest 0.10000, frame 77777" in texts(parsed(svg))


def test_thinning_keeps_peaks_and_leaves_few_values_alone():
    assert thinned([1.0, None, 3.0]) == [(0, 1.0), (1, None), (2, 3.0)]
    several = thinned([1.0, 5.0, None, None, 2.0, None] * 200)
    assert len(several) == MOST_POINTS
    assert several[:3] == [(1, 5.0), (2, None), (4, 2.0)]


@pytest.mark.parametrize(
    ("values", "limits", "low"), [([1.0, 0.99], [0.9], 0.8), ([0.05], [0.9], 0.0), ([None], [], 0.0), ([0.72], [], 0.7)]
)
def test_axis_of_overlaps_ends_below_everything(values, limits, low):
    assert math.isclose(lowest_tick(values, limits), low)


@pytest.mark.parametrize(("low", "high", "most"), [(0, 196, 5), (0.7, 1.0, 5), (1, 1, 3), (0, 3, 12)])
def test_round_steps_stay_inside(low, high, most):
    steps = round_steps(low, high, most)
    assert 1 <= len(steps) <= most + 1
    assert low - 1e-9 <= steps[0] <= steps[-1] <= high + 1e-9


def test_scale_decade_and_shortened():
    scale = Scale(0, 10, 100, 0)
    assert [scale(value) for value in (0, 5, 10, 99, -1)] == [100, 50, 0, 0, 100]
    assert decade(-12) == "10⁻¹²"
    assert shortened("abcdefghij", 30, 10) == "abcd…"
    assert shortened("abc", 30, 10) == "abc"
