"""One emulated process: a Python for aarch64 with ncnn in it."""

import json
import os
from collections.abc import Mapping
from typing import Any

from converter.checks.arm.root import ArmRoot
from converter.checks.device.process import SCRIPT, TIMEOUT, GuestProcess, Start
from converter.errors import ConversionError, UsageError

DEFAULT_CPU = "max"
_UNKNOWN_CPU = "unable to find CPU model"


class ArmProcess(GuestProcess):
    """An emulated Python with ncnn in it.

    Args:
        root: what it consists of.
        cpu: that qemu is to be.
        options: of ncnn.
        what: it is, for error messages.
        timeout: seconds that one call may take.
    """

    def __init__(self, root: ArmRoot, cpu: str, options: Mapping[str, Any], what: str, timeout: float = TIMEOUT):
        command = root.command(SCRIPT, str(os.getpid()), json.dumps(dict(options)))
        super().__init__(Start(command, root.environment(cpu), root.folder, "emulated process"), what, timeout)
        self.root, self.cpu = root, cpu

    def start(self) -> dict[str, Any]:
        """Start it; what it says of itself.

        Raises:
            ConversionError: when it does not run, or is no aarch64.
            UsageError: when qemu does not know the cpu.
        """
        try:
            hello = super().start()
        except ConversionError as error:
            if _UNKNOWN_CPU in str(error):
                raise UsageError(f"--arm-cpu {self.cpu}: qemu knows no such cpu; try max or cortex-a76") from None
            raise
        if hello.get("machine") != "aarch64":
            self.stop()
            raise ConversionError(f"{self.what}: it runs on {hello.get('machine')!r}, expected 'aarch64'")
        return hello
