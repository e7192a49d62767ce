"""Patterns over module names: a * stays between two dots, and one that matches nothing is an error."""

import pytest
from pydantic import TypeAdapter, ValidationError

from converter.errors import UsageError
from converter.network.module_patterns import matching_names
from converter.spec.config import network_for
from converter.spec.network import ModulePattern

NAMES = [
    "",
    "features",
    "features.blocks.0",
    "features.blocks.1",
    "features.blocks.1.0",
    "head.cls_tower",
    "head.reg_tower.3",
]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        ([], []),
        (["features.blocks.*"], ["features.blocks.0", "features.blocks.1"]),
        (["features.blocks.[!0]"], ["features.blocks.1"]),
        (["*"], ["", "features"]),
        (["head.*_tower", "head.*_tower.[0-9]"], ["head.cls_tower", "head.reg_tower.3"]),
        (["features.blocks.1.0", "features"], ["features", "features.blocks.1.0"]),
    ],
)
def test_matching_names(patterns, expected):
    assert matching_names(patterns, NAMES) == expected


def test_a_pattern_that_matches_nothing_is_named():
    with pytest.raises(UsageError, match=r"intermediates: 'neck\.\*' matches no module.*parts are features, head"):
        matching_names(["features", "neck.*"], NAMES)


@pytest.mark.parametrize("pattern", ["", "a..b", ".a", "a b", "a/b", "a\n", 3])
def test_patterns_that_cannot_be_are_refused(pattern):
    with pytest.raises(ValidationError, match="string_type" if pattern == 3 else "string_pattern_mismatch"):
        TypeAdapter(ModulePattern).validate_python(pattern, strict=True)


def test_config_names_inner_tensors():
    assert "features.blocks.[1-9]" in network_for(None)[1].intermediates
