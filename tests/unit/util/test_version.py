"""The release is the installed package's."""

import tomllib

from commands import ROOT
from converter.util.version import PROJECT, version


def test_version_is_the_projects():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (PROJECT, version())
