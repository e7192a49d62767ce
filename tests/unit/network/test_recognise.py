"""Which network weights are of, where they may be anybody's."""

import pytest

from converter.families.family import family_of
from converter.network.recognise import sizes_of


def positions(template, search):
    return {f"pos_emb_{name}.row_embed.weight": (rows, 128) for name, rows in (("z0", template), ("x", search))}


@pytest.mark.parametrize(("template", "search"), [(10**9, 20), (8, 10**9), (0, 20), (8, 65)])
def test_a_size_that_no_crop_has_is_not_believed(template, search):
    assert sizes_of(family_of("stark"), positions(template, search), (128, 320)) == (128, 320)


def test_a_size_that_a_crop_can_have_is():
    assert sizes_of(family_of("stark"), positions(4, 64), (128, 320)) == (64, 1024)


@pytest.mark.parametrize("digits", ["9" * 5000, "1000", "٣"])
def test_numbers_in_keys_are_short(digits):
    shapes = {f"features.blocks.{digits}.0.conv_dw.weight": (3, 1, 5, 5)}
    assert family_of("lighttrack").recognise(shapes) is None
