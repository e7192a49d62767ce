"""What is expected of a layer and which one is blamed, on graphs small enough to be worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from converter.checks.layers import kinds
from converter.checks.layers.align import align
from converter.checks.layers.blame import first_bad
from converter.checks.layers.expect import Expectation, Expected
from converter.checks.layers.figures import same_numbers
from converter.checks.layers.graphs import ConvertedGraph, ConvertedLayer, Operation, Recording
from converter.checks.layers.kinds import Primitive, Window
from converter.spec.tensors import Tolerance

TOLERANCE = Tolerance(rtol=1e-4)
X = np.linspace(-2, 2, 24, dtype=np.float32).reshape(1, 2, 3, 4)
STEPS = {
    "scale 2": (kinds.CONVOLUTION, lambda x: x * 2),
    "norm": (kinds.NORM, lambda x: x + 0.5),
    "relu": (kinds.RELU, lambda x: x.clip(0)),
    "sigmoid": (kinds.SIGMOID, lambda x: 1 / (1 + np.exp(-x))),
    "scale 3": (kinds.CONVOLUTION, lambda x: x * 3),
    "times": (kinds.MULTIPLY, lambda x, y: x * y),
    "plus": (kinds.ADD, lambda x, y: x + y),
}


def recorded(*steps):
    """A network: (step, indices it reads) each; index 0 is the input."""
    operations = [Operation(0, Primitive("input"), (), X, "", "x", None)]
    for name, *reads in steps:
        kind, function = STEPS[name]
        value = function(*(operations[index].value for index in reads)).astype(np.float32)
        window = Window(2, 2) if kind == kinds.CONVOLUTION else None
        operations.append(
            Operation(
                len(operations),
                Primitive(kind, window),
                tuple(reads),
                value,
                f"module{len(operations)}",
                name,
                _on_inputs(function),
            )
        )
    return Recording(tuple(operations), (len(operations) - 1,))


def _on_inputs(function):
    return lambda inputs: function(*inputs)


def layer(name, reads, *kinds_, type="Layer"):
    windows = [Window(2, 2) if kind == kinds.CONVOLUTION else None for kind in kinds_]
    return ConvertedLayer(name, type, tuple(reads), (name,), tuple(map(Primitive, kinds_, windows)))


def sides(recording, layers, values):
    """Both sides aligned; the last layer gives the output."""
    converted = ConvertedGraph(tuple(layers))
    values = {"x": X, **{name: value.astype(np.float32) for name, value in values.items()}}
    outputs = {layers[-1].outputs[0]: recording.outputs[0]}

    def same(index, operation):
        blob = values.get(converted.layers[index].outputs[0])
        return same_numbers(blob, recording.operations[operation].value, TOLERANCE)

    alignment = align(recording, converted, outputs, same)
    return Expectation(recording, converted, alignment, {"x": 0}, outputs, values, TOLERANCE)


CHAIN = recorded(("scale 2", 0), ("norm", 1), ("relu", 2), ("scale 3", 3))
RELU = (X * 2 + 0.5).clip(0)


def named(expectation, failed=()):
    finding, _ = first_bad(expectation, dict(failed))
    return finding and (expectation.layer(finding.layer).name, finding.reason)


def test_folded_norm_and_fused_activation_are_compared_with_the_activation():
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)],
        {"a": RELU, "b": RELU * 3},
    )
    assert [both.expected(index) for index in (0, 1)] == [Expected(3, 3, True), Expected(4, 4, True)]
    assert named(both) is None


def test_dropped_activation_is_the_fault_of_the_layer_it_was_fused_into():
    plain = X * 2 + 0.5
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION), layer("b", "a", kinds.CONVOLUTION)],
        {"a": plain, "b": plain * 3},
    )
    assert both.expected(0) == Expected(reference=3, agrees=2, good=False)
    assert named(both) == ("a", "relu behind it is missing: it gives what the network has before")


def test_layer_that_hands_on_in_place_of_an_activation_is_named():
    plain = X * 2 + 0.5
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION), layer("act", "a", type="Noop"), layer("b", ["act"], kinds.CONVOLUTION)],
        {"a": plain, "b": plain * 3},
    )
    assert named(both) == ("act", "hands its input on where the network has relu")


def test_wrong_weights_are_named_and_what_follows_is_not():
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION), layer("r", "a", kinds.RELU), layer("b", "r", kinds.CONVOLUTION)],
        {"a": X * 2.1 + 0.5, "r": (X * 2.1 + 0.5).clip(0), "b": (X * 2.1 + 0.5).clip(0) * 3},
    )
    assert [both.expected(index).agrees for index in range(3)] == [None, None, None]
    assert named(both)[0] == "a"
    strayed, *others = (both.own_error(index).channel for index in range(3))
    assert max(others) < 1e-6 < 1e-2 < strayed


def test_layer_within_the_tolerance_is_named_when_the_next_amplifies_it():
    """The quiet channel is off by a tenth of its range, which beside the loud one is nothing; then it gets loud."""
    loud = np.array([1000.0, 0.1], np.float32).reshape(1, 2, 1, 1)
    recording = recorded(("scale 2", 0), ("scale 3", 1))
    first = replace(recording.operations[1], value=X * loud, compute=_on_inputs(lambda x: x * loud))
    second = replace(recording.operations[2], value=X, compute=_on_inputs(lambda x: x / loud))
    recording = Recording((recording.operations[0], first, second), (2,))
    a = X * loud * np.array([1, 1.1], np.float32).reshape(1, 2, 1, 1)
    both = sides(
        recording, [layer("a", "x", kinds.CONVOLUTION), layer("b", "a", kinds.CONVOLUTION)], {"a": a, "b": a / loud}
    )
    assert [(both.expected(index).good, both.expected(index).agrees) for index in (0, 1)] == [(True, 1), (False, None)]
    assert named(both)[0] == "a"
    assert "shows in b" in named(both)[1]


def test_layer_barely_beyond_the_tolerance_is_named():
    off = RELU * np.float32(1 + 2e-4)
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)],
        {"a": off, "b": off * 3},
    )
    assert named(both)[0] == "a"


def test_extra_layer_is_named():
    both = sides(
        CHAIN,
        [
            layer("a", "x", kinds.CONVOLUTION, kinds.RELU),
            layer("extra", "a", kinds.SIGMOID),
            layer("b", ["extra"], kinds.CONVOLUTION),
        ],
        {"a": RELU, "extra": 1 / (1 + np.exp(-RELU)), "b": 3 / (1 + np.exp(-RELU))},
    )
    assert named(both)[0] == "extra"
    assert "not in the network" in named(both)[1]


def test_another_way_of_computing_the_same_is_not_blamed():
    """The factor of the second convolution has been moved into the first."""
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)],
        {"a": RELU * 5, "b": RELU * 3},
    )
    assert both.expected(0) == Expected(reference=3, agrees=None, good=False)
    assert named(both) is None


def test_layer_without_counterpart_whose_reader_is_right_is_not_blamed():
    """Padding as a layer of its own, before a convolution that does without."""
    both = sides(
        CHAIN,
        [
            layer("a", "x", kinds.CONVOLUTION, kinds.RELU),
            layer("pad", "a", kinds.OTHER),
            layer("b", ["pad"], kinds.CONVOLUTION),
        ],
        {"a": RELU, "pad": np.pad(RELU, ((0, 0), (0, 0), (1, 1), (1, 1))), "b": RELU * 3},
    )
    assert named(both) is None


def test_operand_that_reads_the_wrong_blob_is_the_readers_fault():
    recording = recorded(("scale 2", 0), ("sigmoid", 1), ("times", 1, 2), ("plus", 3, 0))
    y = X * 2
    z = y / (1 + np.exp(-y))
    both = sides(
        recording,
        [
            layer("a", "x", kinds.CONVOLUTION),
            layer("swish", "a", kinds.SIGMOID, kinds.MULTIPLY),
            layer("sum", ["swish", "swish"], kinds.ADD),
        ],
        {"a": y, "swish": z, "sum": z + z},
    )
    assert named(both)[0] == "sum"
    assert "where the network reads" in named(both)[1]


@pytest.mark.parametrize("order", [["a", "g"], ["g", "a"]])
def test_commutative_operands_may_come_in_any_order(order):
    recording = recorded(("scale 2", 0), ("sigmoid", 1), ("times", 1, 2))
    y = X * 2
    gate = 1 / (1 + np.exp(-y))
    both = sides(
        recording,
        [layer("a", "x", kinds.CONVOLUTION), layer("g", "a", kinds.SIGMOID), layer("m", order, kinds.MULTIPLY)],
        {"a": y, "g": gate, "m": y * gate},
    )
    assert both.reads(2) == ((1, 2) if order == ["a", "g"] else (2, 1))
    assert named(both) is None


def test_layer_without_output_is_named_with_the_runtimes_words():
    both = sides(
        CHAIN,
        [layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)],
        {"a": RELU},
    )
    assert named(both, {"b": "it crashed"}) == ("b", "gives no output: it crashed")


def test_without_any_output_the_file_alone_is_judged():
    layers = [layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)]
    wider = replace(layers[1], primitives=(Primitive(kinds.CONVOLUTION, Window(4, 2)),))
    both = sides(CHAIN, [layers[0], wider], {})
    assert named(both, {"a": "not loaded"}) == ("b", "has outputs 4, the network 2 (not loaded)")


@pytest.mark.parametrize("order", [["s", "a"], ["a", "s"]])
def test_what_stands_in_for_half_a_swish_is_named_whichever_operand_it_is(order):
    recording = recorded(("scale 2", 0), ("norm", 1), ("sigmoid", 2), ("times", 2, 3))
    y = X * 2 + 0.5
    both = sides(
        recording,
        [layer("a", "x", kinds.CONVOLUTION), layer("s", "a", type="Identity"), layer("m", order, kinds.MULTIPLY)],
        {"a": y, "m": y * y},
    )
    assert named(both) == ("s", "hands its input on where the network has sigmoid")


def test_values_decide_which_of_equal_layers_is_meant():
    """One convolution does the work of two; the file alone could not tell which of them it is."""
    recording = recorded(("scale 2", 0), ("relu", 1), ("scale 3", 2), ("relu", 3))
    both = sides(recording, [layer("a", "x", kinds.CONVOLUTION, kinds.RELU)], {"a": (X * 6).clip(0)})
    assert both.own(0) == 4
    assert named(both) is None


def test_without_any_output_what_is_too_many_or_missing_is_named():
    a, b = layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)
    extra = [a, layer("extra", "a", kinds.POOL), layer("b", ["extra"], kinds.CONVOLUTION)]
    assert named(sides(CHAIN, extra, {})) == ("extra", "has no counterpart in the network (no layer gives an output)")
    missing = sides(CHAIN, [replace(a, primitives=a.primitives[:1]), b], {})
    assert named(missing, {"a": "not loaded"}) == ("a", "relu behind it is missing (not loaded)")
    assert named(sides(CHAIN, [a, b], {}), {"a": "not loaded"}) == ("a", "nothing can be computed: not loaded")


def test_rounding_that_grows_from_layer_to_layer_is_nobodys_fault():
    """The first is off by 0.8 of what is allowed, the second by 0.3 more; neither is wrong by itself."""
    first = RELU * np.float32(1 + 0.8e-4)
    layers = [layer("a", "x", kinds.CONVOLUTION, kinds.RELU), layer("b", "a", kinds.CONVOLUTION)]
    both = sides(CHAIN, layers, {"a": first, "b": first * 3 * np.float32(1 + 0.3e-4)})
    assert first_bad(both, {}) == (None, [1])
    assert (both.expected(0).good, both.expected(1).good) == (True, False)
