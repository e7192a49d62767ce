"""What the half-precision report concludes from its numbers, and how it is printed."""

import io
import json
import math
from dataclasses import replace

import pytest
from rich.console import Console

from converter.checks.half.masks import DangerousMask
from converter.checks.half.report import HalfReport, LayerReport
from converter.report.terminal import print_section


def layer(name="conv", graph="update", largest=10.0, bound=40.0, masked=False, problem=None, kind="Convolution"):
    return LayerReport(
        graph=graph,
        layer=name,
        type=kind,
        blob=f"{name}_out",
        low=-largest,
        high=largest / 2,
        largest=largest,
        smallest=1e-6,
        subnormal=0.02,
        zero=0.0,
        sum_bound=bound,
        masked=masked,
        problem=problem,
    )


def report(*layers, **others):
    return HalfReport(("noise 0",), layers, **others)


def printed(found, verbose=False):
    console = Console(file=io.StringIO(), width=200)
    print_section(console, found.section(), verbose)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("found", "verdict", "headroom"),
    [
        (layer(), "ok", 65504 / 40),
        (layer(bound=None), "ok", 65504 / 10),
        (layer(largest=0.0, bound=None), "ok", math.inf),
        (layer(bound=16377.0), "near", 65504 / 16377),
        (layer(bound=16376.0), "ok", 4.0),
        (layer(largest=20000.0, bound=None), "near", 65504 / 20000),
        (layer(largest=65504.0, bound=65504.0), "near", 1.0),
        (layer(bound=65505.0), "protect", 65504 / 65505),
        (layer(bound=math.inf), "protect", 0.0),
        (layer(bound=65505.0, masked=True), "ok", 6550.4),
        (layer(largest=65505.0), "leaves", 65504 / 65505),
        (layer(largest=65505.0, bound=1e6), "leaves", 65504 / 1e6),
        (layer(largest=65505.0, masked=True), "leaves", 65504 / 65505),
        (layer(largest=math.inf), "leaves", 0.0),
        (layer(problem="type Foo is not known", bound=None), "unknown", 6550.4),
        (layer(problem="off", bound=1e6), "protect", 65504 / 1e6),
    ],
)
def test_verdict_of_a_layer(found, verdict, headroom):
    assert found.verdict == verdict
    assert found.headroom == pytest.approx(headroom)


def test_report_without_overflow_passes():
    found = report(layer(), layer("other", bound=None))
    assert found
    assert (found.failure(), found.advice(), found.protect, found.not_analysed) == ("", [], {}, ())
    assert "Nothing leaves ±65504" in printed(found)


def test_report_of_nothing_does_not_pass():
    assert not report()
    assert report().failure() == "no layer was looked at"


def test_layers_to_protect_are_named_by_graph():
    found = report(layer("a", "init", bound=1e5), layer("b"), layer("c", bound=1e5), layer("d", bound=1e5))
    assert not found
    assert found.protect == {"init": ("a",), "update": ("c", "d")}
    assert found.failure() == (
        "sums in half can pass 65504 inside 3 layers, first a of init: export with --protect-fp16"
    )
    assert [line for line in found.advice() if line.startswith("31=1 on c, d of update: ")]
    assert report(*(replace(one, masked=True) for one in found.layers))


def test_blob_that_leaves_the_range_is_named_first_and_not_protected():
    found = report(layer("a", bound=1e5), layer("b", largest=1e5), masks=(DangerousMask("update", "c", 3, "5"),))
    assert not found
    assert found.protect == {"update": ("a",)}
    assert found.failure() == (
        "blob b_out of layer b in update reaches 1e+05, beyond half's 65504; "
        "no mask saves it: set use_fp16_storage = false"
    )
    assert any("use_fp16_storage = false" in line and "update b" in line for line in found.advice())
    assert "reaches infinity" in report(layer(largest=math.inf)).failure()


def test_dangerous_mask_fails():
    found = report(layer(), masks=(DangerousMask("update", "c", 3, "5"),))
    assert not found
    assert found.failure().startswith("31=3 on layer c of update: ")
    assert found.as_dict()["masks"][0]["layer"] == "c"


def test_layer_that_is_not_analysed_is_named_everywhere():
    found = report(layer(), layer("odd", kind="Foo", problem="type Foo is not known"))
    assert found.as_dict()["not_analysed"] == [
        {"graph": "update", "layer": "odd", "type": "Foo", "problem": "type Foo is not known"}
    ]
    assert "not analysed: 1 layers, first odd (Foo) of update: type Foo is not known" in "\n".join(found.advice())
    text = printed(found)
    assert "update odd" in text
    assert "not analysed" in text


def test_edge_is_warned_of():
    found = report(layer(), layer("close", bound=30000.0), layer("closer", bound=40000.0))
    assert found
    assert "2 layers have less than 4 times headroom, the least closer of update (1.6 times)" in found.advice()[0]


def test_dict_is_json_and_says_what_was_run():
    found = report(replace(layer(largest=math.inf, bound=math.inf), low=math.inf))
    text = json.dumps(found.as_dict(), allow_nan=False)
    again = json.loads(text)
    assert again["passed"] is False
    assert again["layers"][0]["largest"] is None
    assert again["layers"][0]["verdict"] == "leaves"
    assert again["run"].startswith("ranges of the blobs: ncnn in float32")
    assert "no half kernel was run" in again["bounds"]
    assert "upper bounds" in again["bounds"]
    text = printed(found)
    assert "leaves the range" in text
    assert "∞" in text
    assert again["run"] in text
    assert again["bounds"] in text


def test_table_shows_the_riskiest_and_verbose_all():
    layers = [layer(f"conv_{index}", bound=100.0 + index) for index in range(20)]
    layers += [layer("split", bound=None, kind="Split", largest=60000.0), layer("bad", bound=1e6)]
    short, long = printed(report(*layers)), printed(report(*layers), verbose=True)
    assert [f"conv_{index} " in short for index in range(20)] == [False] * 16 + [True] * 4
    assert "update split" not in short
    assert "update bad" in short
    assert all(f"  {one.layer} " in long for one in layers)
