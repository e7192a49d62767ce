"""Which layers of a network belong together."""

from converter.formats.blocks import Step, blocks


def chain(text, start="x"):
    """Steps one behind the other: ``dense a`` or ``depthwise b`` or ``other c``, apart by commas."""
    steps, blob = [], start
    for line in text.split(","):
        kind, name = line.split()
        steps.append(Step(name, (blob,), (f"{name}_out",), kind))
        blob = f"{name}_out"
    return steps


def grouped(steps, inputs=("x",)):
    groups = {}
    for name, block in blocks(steps, inputs).items():
        groups.setdefault(block, []).append(name)
    return list(groups.values())


def test_inverted_residuals_and_separable_convolutions_are_a_block_each():
    steps = chain("dense stem,dense e1,depthwise d1,dense p1,dense e2,depthwise d2,dense p2,depthwise d3,dense p3")
    assert grouped(steps) == [["stem"], ["e1", "d1", "p1"], ["e2", "d2", "p2"], ["d3", "p3"]]
    assert blocks(steps, ["x"])["p2"] == "e2"


def test_layers_without_weights_go_with_what_is_before_them():
    steps = chain("other input,other scale,dense stem,other swish,depthwise d,other relu,dense p,other clip,dense q")
    assert grouped(steps) == [["input", "scale", "stem", "swish", "d", "relu", "p", "clip"], ["q"]]
    assert blocks(steps, ["x"])["input"] == "stem"


def residual(start):
    """Expanded, depthwise, squeeze and excitation, projected."""
    return [
        *chain("dense e,depthwise d", start),
        Step("pool", ("d_out",), ("pooled",), "other"),
        *chain("dense se1,dense se2", "pooled"),
        Step("times", ("d_out", "se2_out"), ("times_out",), "other"),
        *chain("dense p", "times_out"),
    ]


def test_squeeze_and_excitation_is_in_the_block_that_it_stands_in():
    steps = [*chain("dense stem"), *residual("stem_out")]
    assert grouped(steps) == [["stem"], ["e", "d", "pool", "se1", "se2", "times", "p"]]


def test_what_is_under_a_sum_is_one_block():
    split = Step("split", ("stem_out",), ("a", "b"), "other")
    total = Step("sum", ("b", "p_out"), ("sum_out",), "other")
    steps = [*chain("dense stem"), split, *residual("a"), total, *chain("dense after", "sum_out")]
    inner = ["split", "e", "d", "pool", "se1", "se2", "times", "p", "sum"]
    assert grouped(steps) == [["stem"], inner, ["after"]]


def test_branches_are_not_mixed_however_their_layers_lie():
    steps = [
        Step("join", ("x", "z"), ("joined",), "other"),
        *chain("dense a", "joined"),
        *chain("depthwise c1", "a_out"),
        *chain("depthwise r1", "a_out"),
        *chain("dense c2", "c1_out"),
        *chain("dense r2", "r1_out"),
        *chain("dense c3", "c2_out"),
    ]
    assert grouped(steps, ("x", "z")) == [["join", "a", "c1", "c2"], ["r1", "r2"], ["c3"]]


def test_tensors_that_depend_on_no_input_join_nothing():
    constant = Step("constant", (), ("k",), "other")
    steps = [
        constant,
        *chain("dense a"),
        Step("add1", ("a_out", "k"), ("b",), "other"),
        *chain("dense c", "b"),
        Step("add2", ("c_out", "k"), ("d",), "other"),
        *chain("dense e", "d"),
    ]
    assert grouped(steps) == [["constant"], ["a", "add1"], ["c", "add2"], ["e"]]


def test_a_long_chain_is_no_matter_of_recursion():
    steps = chain(",".join(f"dense l{number}" for number in range(5000)))
    assert len(grouped(steps)) == 5000
    assert grouped([]) == []
