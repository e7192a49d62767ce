"""Path names are read exactly, and refused with the part that is wrong."""

import pytest

from converter.errors import ArchitectureError, UsageError
from converter.families.family import family_of
from converter.families.lighttrack.path_name import Tower, parse_path_name, recognise
from converter.spec.dimensions import Dimensions

MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
LIGHTTRACK = family_of("lighttrack")


def name_with(back="04502514044521042540", cls="211000022", reg="100000111", ops="32"):
    return f"back_{back}+cls_{cls}+reg_{reg}_ops_{ops}"


def shapes_of(name):
    return {key: tuple(value.shape) for key, value in LIGHTTRACK.build(name, 128).state_dict().items()}


def test_lighttrack_mobile_is_read_digit_by_digit():
    architecture = parse_path_name(MOBILE)
    assert architecture.name == MOBILE
    assert architecture.stages == (
        ((7, 4), (7, 6)),
        ((3, 4), (5, 4), (7, 6), (3, 6)),
        ((7, 4), (3, 4), (7, 4), (7, 4)),
        ((7, 6), (5, 4), (3, 6)),
    )
    assert architecture.cls == Tower(256, (5, 5, 3, 3, 3, 3))
    assert architecture.reg == Tower(192, (3, 3, 3, 3, 3, 5, 5, 5))
    assert (architecture.channels, architecture.stride) == (96, 16)


@pytest.mark.parametrize(("stage", "channels", "stride"), [(1, 40, 8), (2, 80, 16), (3, 96, 16)])
def test_output_stage_decides_channels_and_stride(stage, channels, stride):
    architecture = parse_path_name(name_with(ops=f"{stage}1"))
    assert (architecture.channels, architecture.stride) == (channels, stride)
    assert [len(blocks) for blocks in architecture.stages] == [2, *[4] * (stage - 1), 2]


@pytest.mark.parametrize("block", range(4))
def test_output_block_cuts_the_last_stage(block):
    assert len(parse_path_name(name_with(ops=f"3{block}")).stages[3]) == block + 1


@pytest.mark.parametrize(("digit", "channels"), [("0", 128), ("1", 192), ("2", 256)])
def test_first_tower_digit_is_the_channels(digit, channels):
    architecture = parse_path_name(name_with(cls=f"{digit}00000000", reg=f"{digit}00000000"))
    assert architecture.cls.channels == architecture.reg.channels == channels


def test_skipped_tower_layers_have_no_kernel():
    assert parse_path_name(name_with(cls="002120222")).cls.kernels == (3, 5, 3)


@pytest.mark.parametrize("marker", ["back_", "+cls_", "+reg_", "_ops_"])
def test_missing_marker_is_named(marker):
    with pytest.raises(ArchitectureError, match="without '" + marker.replace("+", r"\+") + "'"):
        parse_path_name(MOBILE.replace(marker, ""))


@pytest.mark.parametrize("name", ["", "lighttrack", f"x{MOBILE}", "+cls_211000022back_04502514044521042540"])
def test_other_text_is_no_path_name(name):
    with pytest.raises(ArchitectureError, match="expected back_<"):
        parse_path_name(name)


def test_parts_out_of_order_are_refused():
    with pytest.raises(ArchitectureError, match="out of order"):
        parse_path_name("back_04502514044521042540+reg_100000111+cls_211000022_ops_32")


@pytest.mark.parametrize("change", [lambda digits: digits[:-1], lambda digits: f"{digits}0", lambda digits: ""])
@pytest.mark.parametrize(
    ("part", "digits", "named"),
    [
        ("back", "04502514044521042540", "backbone part"),
        ("cls", "211000022", "cls tower part"),
        ("reg", "100000111", "reg tower part"),
        ("ops", "32", "ops part"),
    ],
)
def test_wrong_length_names_the_part_and_both_lengths(part, digits, named, change):
    wrong = change(digits)
    with pytest.raises(ArchitectureError) as caught:
        parse_path_name(name_with(**{part: wrong}))
    assert f"the {named} {wrong!r} has {len(wrong)} digits, expected {len(digits)}" in str(caught.value)


@pytest.mark.parametrize(
    ("part", "digits", "position", "what", "expected"),
    [
        ("back", "14502514044521042540", 1, "the head", "0"),
        ("back", "04502514044521042541", 20, "the tail", "0"),
        ("back", "06502514044521042540", 2, "block 0 of stage 0", "0 to 5"),
        ("back", "04592514044521042540", 4, "block 0 of stage 1", "0 to 5"),
        ("back", "04502514044521042560", 19, "block 3 of stage 4", "0 to 5"),
        ("back", "0450251404452104-540", 17, "block 1 of stage 4", "0 to 5"),
        ("cls", "311000022", 1, "the channels", "0 to 2"),
        ("cls", "221000022", 2, "layer 0", "0 or 1"),
        ("reg", "120000111", 2, "layer 0", "0 or 1"),
        ("reg", "100000113", 9, "layer 7", "0 to 2"),
        ("ops", "02", 1, "the stage", "1 to 3"),
        ("ops", "42", 1, "the stage", "1 to 3"),
        ("ops", "34", 2, "the block", "0 to 3"),
        ("ops", "3x", 2, "the block", "0 to 3"),
    ],
)
def test_bad_digit_is_named_with_its_place(part, digits, position, what, expected):
    with pytest.raises(ArchitectureError) as caught:
        parse_path_name(name_with(**{part: digits}))
    named = {"back": "backbone", "cls": "cls tower", "reg": "reg tower", "ops": "ops"}[part]
    message = f"digit {position} of the {named} part ({what}) is {digits[position - 1]!r}, expected {expected}"
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    "name",
    [
        MOBILE,
        name_with(ops="10"),
        name_with(ops="23"),
        name_with(back="00112233445501234540", cls="000000000", reg="212121212", ops="33"),
        name_with(cls="112222222", reg="011111111", ops="20"),
    ],
)
def test_recognised_name_builds_the_same_shapes(name):
    shapes = shapes_of(name)
    assert shapes_of(recognise(shapes)) == shapes


def test_recognised_name_pads_what_leaves_no_trace():
    back, cls = "04502514044521000000", "211000022"
    assert recognise(shapes_of(MOBILE)) == name_with(back=back, cls=cls)
    assert recognise(shapes_of(name_with(cls="212121202"))) == name_with(back=back, cls="211102222")


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512)},
        {"features.blocks.1.0.conv_dw.weight": (64, 1, 3, 3)},
        {"features.blocks.2.0.conv_dw.weight": (64, 1, 3, 3)},
        {"features.blocks.5.0.conv_dw.weight": (64, 1, 3, 3)},
    ],
)
def test_foreign_weights_are_not_recognised(shapes):
    assert recognise(shapes) is None


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("features.blocks.2.1.conv_dw.weight", (144, 1, 9, 9)),
        ("features.blocks.2.1.conv_pw.weight", (120, 24, 1, 1)),
        ("head.cls_tower.0.pointwise.weight", (64, 128, 1, 1)),
        ("head.reg_tower.3.conv1.weight", (192, 1, 7, 7)),
        ("features.blocks.2.0.conv_dw.weight", ()),
        ("features.blocks.2.0.conv_pw.weight", (96, 0, 1, 1)),
        ("head.cls_tower.0.pointwise.weight", ()),
    ],
)
def test_kernel_or_width_that_no_choice_gives_is_not_recognised(key, shape):
    shapes = shapes_of(MOBILE)
    assert key in shapes
    assert recognise({**shapes, key: shape}) is None


def test_a_stage_with_too_many_blocks_is_not_recognised():
    shapes = shapes_of(MOBILE)
    more = {f"features.blocks.4.{block}.conv_dw.weight": (576, 1, 3, 3) for block in (3, 4)}
    assert recognise(shapes | more | {"features.blocks.4.3.conv_pw.weight": (576, 96, 1, 1)}) is None


def test_network_without_a_tower_is_not_recognised():
    shapes = {key: shape for key, shape in shapes_of(MOBILE).items() if not key.startswith("head.reg_tower")}
    assert recognise(shapes) is None


@pytest.mark.parametrize(
    ("sizes", "cells"), [((127, 288), (8, 18)), ((128, 256), (8, 16)), ((127, 255), (8, 16)), ((112, 257), (7, 17))]
)
def test_dimensions_round_cells_up(sizes, cells):
    assert LIGHTTRACK.dimensions(MOBILE, *sizes) == Dimensions(*sizes, 16, 96, *cells)


def test_dimensions_of_an_early_stage_have_stride_8():
    dimensions = LIGHTTRACK.dimensions(name_with(ops="12"), 127, 255)
    assert dimensions == Dimensions(127, 255, 8, 40, 16, 32)


@pytest.mark.parametrize("size", [104, 113, 129])
def test_template_between_official_and_real_cells_is_refused(size):
    with pytest.raises(UsageError, match=f"--template-size {size}: .*multiple of 16"):
        LIGHTTRACK.dimensions(MOBILE, size, 256)


@pytest.mark.parametrize(("size", "warns"), [(288, False), (255, False), (248, False), (257, True), (264, True)])
def test_search_size_that_the_official_tracker_counts_otherwise_is_warned_of(caplog, size, warns):
    LIGHTTRACK.dimensions(MOBILE, 127, size)
    assert [f"search size {size}" in record.message for record in caplog.records] == [True] * warns


def test_dimensions_refuse_a_bad_path_name():
    with pytest.raises(
        ArchitectureError, match=r"^path name 'back_0': found without '\+cls_' and '\+reg_' and '_ops_'"
    ):
        LIGHTTRACK.dimensions("back_0", 127, 288)


@pytest.mark.parametrize(
    ("asked", "sizes"),
    [
        ((127, 288), (127, 288)),
        ((128, 256), (128, 256)),
        ((113, 288), (113, 288)),
        ((112, 288), (127, 288)),
        ((255, 288), (127, 288)),
    ],
)
def test_weights_tell_the_cells_of_their_template(asked, sizes):
    shapes = {key: tuple(value.shape) for key, value in LIGHTTRACK.build(MOBILE, 127, 288).state_dict().items()}
    assert LIGHTTRACK.sizes(shapes, asked) == sizes


def test_weights_without_a_correlation_are_of_any_size():
    assert LIGHTTRACK.sizes({"features.conv_stem.weight": (16, 3, 3, 3)}, (255, 288)) == (255, 288)
