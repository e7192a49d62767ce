"""Families are found by name, in three places."""

import pytest

from converter.errors import UsageError
from converter.families.family import family_names, family_of
from converter.spec.config import config_folder
from converter.spec.yaml_file import read_yaml
from official_patches.patching import patches_of


def test_the_families_are_the_folders():
    assert family_names() == ["lighttrack", "nanotrack", "stark"]


@pytest.mark.parametrize("name", family_names())
def test_every_family_has_its_three_places(name):
    assert callable(family_of(name).procedure)
    assert patches_of(name)
    assert any(read_yaml(path).get("family") == name for path in config_folder().glob(f"{name}*.yaml"))


def test_an_unknown_family_names_the_known_ones():
    with pytest.raises(UsageError, match="unknown family 'other', known are lighttrack, nanotrack, stark"):
        family_of("other")
