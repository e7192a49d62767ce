"""Mistyped names."""

import pytest

from converter.errors import ArchitectureError, UsageError, did_you_mean, in_words, near_miss

ARCHS = ("LightTrackM_Subnet", "LightTrackM_Speed", "STARK_Lightning")


@pytest.mark.parametrize(
    ("name", "names", "nearest"),
    [
        ("LightTrackM_subnet", ARCHS, "LightTrackM_Subnet"),
        ("lighttrack", ARCHS, "LightTrackM_Subnet"),
        ("stark", ARCHS, "STARK_Lightning"),
        ("STRAK_Lightning", ARCHS, "STARK_Lightning"),
        ("NanoTrack", ARCHS, None),
        ("onxn", ("ncnn", "onnx"), "onnx"),
        ("o", ("ncnn", "onnx"), None),
        ("int8", ("split", "quiet"), None),
        ("", ARCHS, None),
        ("cls", (), None),
    ],
)
def test_the_nearest_name(name, names, nearest):
    assert near_miss(name, names) == nearest
    assert did_you_mean(name, names) == (f"; did you mean {nearest!r}?" if nearest else "")


def test_an_unknown_architecture_is_wrong_usage():
    assert issubclass(ArchitectureError, UsageError)
    assert ArchitectureError.exit_code == UsageError.exit_code == 2


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Input should be greater than or equal to 16", "expected at least 16"),
        ("Input should be less than or equal to 1024", "expected at most 1024"),
        ("Input should be greater than 0", "expected more than 0"),
        ("Input should be a valid integer, unable to parse string as an integer", "expected a whole number"),
        ("Input should be 'fp32' or 'half'", "expected 'fp32' or 'half'"),
        ("Value error, graphs: no 'updat'", "graphs: no 'updat'"),
    ],
)
def test_pydantic_says_it_in_our_words(theirs, ours):
    assert in_words(theirs) == ours
