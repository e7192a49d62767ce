"""What is read of Vulkan devices, which of them is taken, and what ncnn does on each."""

from dataclasses import replace

import pytest

from converter.bench.options import BenchOptions
from converter.checks.vulkan import devices as listing
from converter.checks.vulkan.devices import Listed, NoDevice, VulkanDevice, chosen, features_in
from converter.checks.vulkan.root import VulkanRoot
from converter.errors import DependencyError, UsageError

SAID = """[0 llvmpipe (LLVM 15.0.6, 256 bits)]  queueC=0[1]  queueT=0[1]  prefer-slm=0  rebar=1  r-score=4
[0 llvmpipe (LLVM 15.0.6, 256 bits)]  fp16-p/s/u/a=1/1/1/1  int8-p/s/u/a=1/1/1/1  bf16-p/s=1/0
[0 llvmpipe (LLVM 15.0.6, 256 bits)]  subgroup=8(8~8)  ops=1/1/1/1/1/1/0/1/0/0
[1 Mali-G76]  fp16-p/s/u/a=1/0/0/0  int8-p/s/u/a=1/1/0/0
dlopen failed
"""


def device(number=0, name="llvmpipe", type="CPU", half="1/1/1/1"):
    return VulkanDevice(number, 0, name, type, "Mesa 1", "1.3", {"fp16-p/s/u/a": half, "bf16-p/s": "1/0"}, {})


def test_features_are_read_of_what_ncnn_prints():
    found = features_in(SAID)
    assert found[0]["fp16-p/s/u/a"] == "1/1/1/1"
    assert found[0]["bf16-p/s"] == "1/0"
    assert found[0]["subgroup"] == "8(8~8)"
    assert found[1] == {"fp16-p/s/u/a": "1/0/0/0", "int8-p/s/u/a": "1/1/0/0"}


@pytest.mark.parametrize(
    ("half", "mode"), [("1/1/1/1", "fp16"), ("1/1/1/0", "fp16s"), ("1/0/0/0", "fp16s"), ("0/0/0/0", "fp32")]
)
def test_the_default_mode_follows_from_what_the_device_has(half, mode):
    assert device(half=half).default_mode == mode
    assert not device(half=half).has("bf16-s")
    assert not device(half=half).has("fp8-a")


def test_a_device_is_chosen_by_number_or_a_part_of_its_name():
    there = [device(0, "NVIDIA GeForce RTX 3060", "discrete GPU"), device(1)]
    assert chosen(None, there) is there[0]
    assert chosen("1", there) is there[1]
    assert chosen("geforce", there) is there[0]
    with pytest.raises(UsageError, match=r"--vulkan-device 2: there are 2: 0 NVIDIA GeForce RTX 3060, 1 llvmpipe"):
        chosen("2", there)
    with pytest.raises(UsageError, match=r"there are 0 NVIDIA GeForce RTX 3060, 1 llvmpipe; did you mean 'llvmpipe'\?"):
        chosen("llvmpie", there)
    for other in ("", " ", "²"):  # a digit that is no number
        with pytest.raises(UsageError, match="expected a number or a part of a name"):
            chosen(other, there)


def test_a_program_on_the_cpu_is_not_timed():
    gpu = replace(device(), type="integrated GPU")
    assert BenchOptions(subject=None, device=gpu).device is gpu
    with pytest.raises(UsageError, match="its times measure nothing"):
        BenchOptions(subject=None, device=device())


@pytest.mark.parametrize(
    ("error", "warned"), [(NoDevice("this system has none"), False), (DependencyError("a driver crashed"), True)]
)
def test_a_driver_that_crashes_is_said_where_another_device_is_there(tmp_path, monkeypatch, caplog, error, warned):
    figures = {"name": "llvmpipe", "type": "CPU", "driver": "Mesa", "driver_version": 1, "api": "1.3"}

    def listed(environment, place):
        if not environment:
            raise error
        return [Listed(0, figures, {})]

    monkeypatch.setattr(listing, "listed", listed)
    monkeypatch.setattr(listing, "vulkan_root", lambda folder: VulkanRoot(folder, folder, None))
    assert [device.name for device in listing.devices(tmp_path)] == ["llvmpipe"]
    assert ("Vulkan: a driver crashed" in caplog.text) == warned
