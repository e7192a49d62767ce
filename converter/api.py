"""The Python API: what the commands call, with their options as arguments.

The option ``--search-size`` of a command is the argument ``search_size`` here; docs/python.md has examples. What
cannot be carried out raises an exception of :mod:`converter.errors`, whose text is the line that the command prints.
Importing this imports neither torch nor a runtime; calling a function imports what that one needs.
"""

from converter.bench.api import bench
from converter.calibrate.api import calibrate
from converter.calibrate.read import read_calibration
from converter.checks.arm.asked import arm_options
from converter.checks.cpp.api import verify_cpp
from converter.checks.vulkan.asked import vulkan_options
from converter.exporting.api import export
from converter.matrix.api import matrix
from converter.quantize.api import quantize
from converter.track.api import track
from converter.track.cpp.api import cpp
from converter.util.stages import Progress
from converter.verifying.api import verify

__all__ = [
    "Progress",
    "arm_options",
    "bench",
    "calibrate",
    "cpp",
    "export",
    "matrix",
    "quantize",
    "read_calibration",
    "track",
    "verify",
    "verify_cpp",
    "vulkan_options",
]
