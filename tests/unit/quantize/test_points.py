"""Models beside each other: which of them no other beats, and which blocks hurt most."""

from converter.quantize.points import hurting_of, share_of, tried_of
from converter.quantize.result import Point
from converter.quantize.search import Block, Found, Measured, Setting
from converter.quantize.whole import OnClip

BLOCKS = {name: Block(name, (f"layer {name}",), size) for name, size in (("a", 60), ("b", 30), ("c", 10))}


def setting(names, corrected=False):
    return Setting(frozenset(names), corrected)


def measured(mean, size):
    return Measured((mean, mean + 0.01), (0.5, 0.5), size)


def test_a_share_is_of_all_multiply_adds_of_a_frame():
    assert share_of(setting("ac"), BLOCKS, 140) == 0.5
    assert share_of(setting(""), BLOCKS, 140) == 0.0
    assert share_of(setting("abc"), BLOCKS, 50) == 1.0


def test_what_was_tried_and_nothing_beats_is_shown_the_smallest_first():
    found = Found(
        {
            setting("abc"): measured(0.9, 10),
            setting("ab"): measured(0.95, 11),
            setting("ac"): measured(0.94, 12),
            setting("ab", True): measured(0.95, 11),
            setting("a"): measured(0.98, 13),
        }
    )
    front = tried_of(found, BLOCKS, 100)
    assert [each.setting.blocks for each in front] == [{*"abc"}, {*"ab"}, {*"ab"}, {*"a"}]
    assert front[0].as_dict()["int8_share"] == 1.0


def test_the_blocks_that_hurt_most_come_first_and_harmless_ones_not_at_all():
    found = Found(
        {
            setting("abc"): measured(0.9, 10),
            setting("bc"): measured(0.91, 11),
            setting("ac"): measured(0.96, 11),
            setting("ab"): measured(0.89, 11),
            setting("abc", True): measured(0.9, 10),
            setting("bc", True): measured(0.93, 11),
        }
    )
    hurting = hurting_of(found, BLOCKS)
    assert [(each.block, round(each.rise, 6)) for each in hurting] == [("b", 0.06), ("a", 0.03)]
    assert hurting[0].layers == ("layer b",)
    assert hurting_of(Found({setting("abc"): measured(1.0, 1)}), BLOCKS) == ()


def test_a_point_is_as_good_as_on_the_clip_where_it_is_worst():
    clips = (OnClip("one", 0.99, 0.9, 0.98, 0.99), OnClip("two", 0.97, 0.8, 0.98, 0.99))
    point = Point("int8 1", 7, 0.5, clips)
    assert point.mean == 0.97
    assert point.figures == (7, -0.5, 0.0, -0.97)
    assert Point("w8", 7, 0.0, ()).mean == 0.0
