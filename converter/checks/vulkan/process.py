"""A process in which ncnn runs its models on a Vulkan device."""

import json
import os
from typing import Any

from converter.checks.device.guest import DEVICE
from converter.checks.device.modes import Mode
from converter.checks.device.process import SCRIPT, TIMEOUT, GuestProcess, Start
from converter.checks.vulkan.devices import VulkanDevice
from converter.errors import ConversionError
from converter.util.process import python_environment, python_program

MEMORY = 8 << 30  # bytes; what a driver maps of its device does not count


def ncnn_options(mode: Mode, device: VulkanDevice) -> dict[str, Any]:
    """Of ``ncnn.Option``, and the device; a driver may have bfloat16 in pairs only."""
    return {**mode.options, "use_bf16_packed": mode.storage == "bfloat16", DEVICE: device.index}


class VulkanProcess(GuestProcess):
    """ncnn on a device in one mode.

    Args:
        timeout: seconds that one call may take.
    """

    def __init__(self, device: VulkanDevice, mode: Mode, timeout: float = TIMEOUT) -> None:
        self.device = device
        command = python_program(str(SCRIPT), str(os.getpid()), json.dumps(ncnn_options(mode, device)))
        environment = {**python_environment(), **device.environment}
        start = Start(command, environment, SCRIPT.parent, "driver's process", MEMORY)
        super().__init__(start, f"Vulkan {mode.name} on {device.name}, driver {device.driver}", timeout)

    def start(self) -> dict[str, Any]:
        """Start it; what it says of itself.

        Raises:
            ConversionError: when it does not run, or finds another device.
        """
        hello = super().start()
        if hello.get("device") != self.device.name:
            self.stop()
            raise ConversionError(f"{self.what}: device {self.device.index} is {hello.get('device')!r} now")
        return hello
