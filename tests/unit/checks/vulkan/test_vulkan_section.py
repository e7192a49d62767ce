"""What is said of a Vulkan device's answers: the first wrong layer, a clip, layers without a shader, the verdict."""

import json
from dataclasses import replace

from report_results import arm

from converter.checks.clip.one_step import Step, steps_of
from converter.checks.vulkan.clip import ClipSteps, limits_of
from converter.checks.vulkan.devices import VulkanDevice
from converter.checks.vulkan.layers import GraphWalk, LayerResult
from converter.checks.vulkan.section import OnCpu, VulkanSection
from converter.report.blocks import Points, Table
from converter.spec.network import ModeTolerances
from converter.spec.tensors import StepLimits

DEVICE = VulkanDevice(0, 0, "llvmpipe", "CPU", "Mesa 22", "1.3", {"fp16-p/s/u/a": "1/1/1/1"}, {"SECRET": "x"})
GOOD = LayerResult("conv_0", "Convolution", "1", 1e-6, 1e-6, False)
BAD = LayerResult("pool_0", "Pooling", "2", 0.5, 0.6, False)


def walk(*rows):
    return GraphWalk("fp32", "update", "noise 0", rows, 1e-4)


def clip(iou):
    steps = {1: Step(iou, True, 0.0), 2: Step(1.0, True, 0.0)}
    return ClipSteps("fp32", "bag.avi", None, steps_of(steps, StepLimits(iou=0.99)), 0)


def section(passed=True, **more):
    modes = arm(passed).modes
    return VulkanSection(DEVICE, {"ncnn": "1.0"}, ("noise 0",), modes, **more)


def test_a_section_is_as_good_as_its_worst_part():
    assert section()
    assert not section(passed=False)
    assert not replace(section(), modes=())
    assert section(walks=(walk(GOOD),), clips=(clip(1.0),))
    wrong = section(walks=(walk(GOOD, BAD),))
    assert not wrong
    assert "fp32: layer pool_0 (Pooling) of update is off by 5.0e-01 of its range" in wrong.failure()
    off = section(clips=(clip(0.5),))
    assert not off
    assert "fp32: bag.avi: mean overlap 0.75 in one step over 2 frames" in off.failure()
    assert wrong.failure().startswith("ncnn-vulkan (llvmpipe, Mesa 22): ")


def test_what_is_not_finite_is_the_first_wrong_layer():
    infinite = replace(BAD, alone=None)
    found = walk(GOOD, infinite)
    assert not found
    assert found.first is infinite
    assert "is not finite where the CPU's inputs go in" in found.failure()
    assert not walk()


def test_the_section_names_device_layers_on_the_cpu_and_the_first_wrong_layer():
    found = section(on_cpu=(OnCpu("update", "matmul_1", "MatMul"),), walks=(walk(GOOD, BAD),), clips=(clip(1.0),))
    shown = found.section()
    assert shown.state == "bad"
    lines = [line for block in shown.blocks if isinstance(block, Points) for line in block.lines]
    assert "matmul_1 (MatMul) of update" in lines
    cells = [row.cells for block in shown.blocks if isinstance(block, Table) for row in block.rows]
    assert ("FAILED", "fp32", "update", "pool_0", "Pooling", "50 %", "60 %", "pool_0 (Pooling) 50 %") in cells
    figures = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert figures["device"]["name"] == "llvmpipe"
    assert "SECRET" not in json.dumps(figures)
    assert figures["layers"][0]["first"]["layer"] == "pool_0"


def test_limits_of_a_step_follow_from_the_tolerances_where_the_config_has_none():
    allowed = ModeTolerances(tolerances={}, box_pixels=1.0, score=0.05)
    assert limits_of(allowed, None) == StepLimits(iou=0.95, score=0.05, other_cells=0.05)
    given = allowed.model_copy(update={"one_step": StepLimits(iou=0.9)})
    assert limits_of(given, None).iou == 0.9
    assert limits_of(given, 0.99).iou == 0.99
