"""Packages and what they need."""

import pytest

from converter.checks.apt.packages import PrivateApt
from converter.errors import DependencyError

NEEDS = {
    "compiler": ["linker", "headers", "libc6"],
    "linker": ["libc6", "libarm:any"],
    "headers": ["compiler"],
    "libarm": [],
    "libc6": ["libbase"],
}


class Apt(PrivateApt):
    """Knows its packages without asking anybody."""

    def __init__(self):
        self.guest, self.what, self.trouble = "arm64", "arm64 packages", ""

    def available(self, names):
        return [name for name in names if name.removesuffix(":arm64") in NEEDS]

    def dependencies(self, names):
        return [needed for name in names for needed in NEEDS[name.removesuffix(":arm64")]]


def test_what_packages_need_comes_once_and_what_is_left_out_brings_nothing():
    found = Apt().with_dependencies(["compiler"], lambda name: name != "libc6")
    assert found == ["compiler:arm64", "linker:arm64", "headers:arm64", "libarm:arm64"]


def test_a_package_that_the_sources_lack_is_named():
    with pytest.raises(DependencyError, match=r"the system's sources have no debugger:arm64$"):
        Apt().with_dependencies(["compiler", "debugger"], lambda name: True)
