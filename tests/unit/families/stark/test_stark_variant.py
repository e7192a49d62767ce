"""Names of STARK-Lightning's networks, and weights that say which one they belong to."""

import pytest
from stark import FAMILY, HEADS

from converter.errors import ArchitectureError, UsageError
from converter.families.stark import variant


def shapes(name):
    return {key: tuple(value.shape) for key, value in FAMILY.build(name, 128, 320).state_dict().items()}


@pytest.mark.parametrize("name", HEADS)
def test_weights_tell_their_name(name):
    assert FAMILY.recognise(shapes(name)) == name
    assert variant.parse_variant(name).name == name


@pytest.mark.parametrize("name", ["", "rep_v3", "dsconv_v3_1", "dsconv_v3_7", "dsconv_v3_", "dsconv_v3", "any"])
def test_other_names_are_refused(name):
    with pytest.raises(ArchitectureError, match="unknown corner head"):
        variant.parse_variant(name)


@pytest.mark.parametrize(
    "found",
    [
        *({}, {"box_head.conv_tower.0.depthwise.weight": (1,)}, {"features.conv.weight": (1,)}),
        {f"box_head.conv_tower.{index}.depthwise.weight": (1,) for index in range(7)},
    ],
    ids=["nothing", "one block", "another network", "seven blocks"],
)
def test_other_weights_are_not_recognised(found):
    assert FAMILY.recognise(found) is None


@pytest.mark.parametrize(
    ("asked", "weights", "settled"),
    [
        ("any", "rep_v2", "rep_v2"),
        ("any", "dsconv_v3_5", "dsconv_v3_5"),
        ("dsconv_v3", "dsconv_v3_4", "dsconv_v3_4"),
        ("dsconv_v3", "rep_v2", "dsconv_v3_2"),
        ("dsconv_v3_3", "dsconv_v3_4", "dsconv_v3_3"),
        ("rep_v2", "dsconv_v3_2", "rep_v2"),
    ],
)
def test_weights_decide_what_was_left_open(asked, weights, settled):
    assert FAMILY.settle(asked, shapes(weights)) == settled


def test_unknown_weights_get_the_default_network_to_be_compared_with():
    assert FAMILY.settle("any", {}) == "rep_v2"
    assert FAMILY.settle("dsconv_v3", {}) == "dsconv_v3_2"


def test_blocks_are_asked_for_of_a_head_that_has_them():
    assert variant.with_blocks("any", 4) == variant.with_blocks("dsconv_v3", 4) == "dsconv_v3_4"
    with pytest.raises(UsageError, match="--head-blocks 7: expected 2 to 6"):
        variant.with_blocks("dsconv_v3", 7)
    for other in ("rep_v2", "dsconv_v3_4"):
        with pytest.raises(UsageError, match=f"--head-blocks 3: the corner head asked for is {other}"):
            variant.with_blocks(other, 3)


@pytest.mark.parametrize(
    ("asked", "found", "covered"),
    [
        *(("any", name, True) for name in HEADS),
        *(("dsconv_v3", name, name != "rep_v2") for name in HEADS),
        *(("dsconv_v3_4", name, name == "dsconv_v3_4") for name in HEADS),
    ],
)
def test_a_name_left_open_covers_several_networks(asked, found, covered):
    assert FAMILY.covers(asked, found) is covered


def test_weights_tell_their_sizes():
    of = {key: tuple(value.shape) for key, value in FAMILY.build("rep_v2", 112, 272).state_dict().items()}
    assert FAMILY.sizes(of, (128, 320)) == (112, 272)
    assert FAMILY.sizes({}, (128, 320)) == (128, 320)


@pytest.mark.parametrize("size", range(256, 321, 16))
def test_shapes_follow_the_sizes(size):
    found = FAMILY.dimensions("any", 128, size)
    assert (found.others["template_tokens"], found.others["search_tokens"]) == (64, (size // 16) ** 2)
    assert FAMILY.build("rep_v2", 128, size).state_dict()["pos_emb_x.row_embed.weight"].shape == (size // 16, 64)


@pytest.mark.parametrize(("sizes", "words"), [((127, 320), "--template-size 127"), ((128, 300), "--search-size 300")])
def test_sizes_without_a_position_for_every_cell_are_refused(sizes, words):
    with pytest.raises(UsageError, match=words):
        FAMILY.dimensions("rep_v2", *sizes)


def test_weights_may_have_what_official_code_drops():
    assert FAMILY.ignores("backbone.body.stage1.0.rbr_dense.bn.num_batches_tracked")
    assert FAMILY.ignores("box_head.coord_x")
    assert not FAMILY.ignores("box_head.conv_tower.0.rbr_dense.bn.num_batches_tracked")
    assert not FAMILY.ignores("backbone.body.stage1.0.rbr_dense.bn.weight")
