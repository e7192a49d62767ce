"""What others found on boards is said of the models that it is about, and of no others."""

import pytest

from converter.formats.rknn.recipe import Recipe
from converter.formats.rknn.reported import findings, reported
from converter.formats.rknn.targets import targets


@pytest.mark.parametrize(
    ("target", "operators", "reports"),
    [
        ("rk3588", ["Conv", "exMatMul"], []),
        ("rv1126b", ["Conv", "exMatMul"], ["airockchip/rknn-toolkit2#565"]),
        ("rv1126b", ["Resize"], ["airockchip/rknn-toolkit2#579"]),
        ("rk3588", ["Resize"], []),
        ("rk3566", ["exNorm"], ["airockchip/rknn-toolkit2#149"]),
        ("rk3562", ["exNorm"], ["airockchip/rknn-toolkit2#149", "airockchip/rknn-toolkit2#186"]),
        ("rk3588", ["exSDPAttention", "exSoftmax13"], ["airockchip/rknn-toolkit2#322", "airockchip/rknn-toolkit2#378"]),
    ],
)
def test_a_finding_is_of_operators_and_chips(target, operators, reports):
    assert [line.rpartition("; ")[2] for line in reported(target, operators)] == reports


def test_a_line_says_what_where_and_who():
    (line,) = reported("rv1126b", ["Add", "ConvSigmoid"])
    assert line == (
        "ConvSigmoid is reported not to do on rv1126b what it does in the simulator: a channel of a 1x1 convolution "
        "was a constant in half precision (toolkit 2.3.2); airockchip/rknn-toolkit2#565"
    )


def test_every_chip_of_the_list_is_one():
    assert {chip for each in findings() for chip in each.targets} <= set(targets()["half"])


def test_the_notes_of_a_model_are_the_toolkits_words_its_cpu_and_the_findings():
    recipe = Recipe(
        target="rv1126b",
        toolkit="2.5.0",
        operators=["Conv"],
        on_cpu=["Exp /e", "Gather /g"],
        warnings=["Logic is Dangerous"],
    )
    said, cpu, found = recipe.notes()
    assert said == "the toolkit says: Logic is Dangerous"
    assert cpu == "the NPU does not compute Exp /e, Gather /g; its driver does on the CPU"
    assert found == reported("rv1126b", ["Conv"])[0]
    assert Recipe(target="rk3588", toolkit="2.5.0", operators=["Conv"]).notes() == []
