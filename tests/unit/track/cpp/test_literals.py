"""Values as C++ writes them."""

import numpy as np
import pytest

from converter.track.cpp.literals import double, single, text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("zf", '"zf"'),
        ('a"b', r'"a\042b"'),
        ("a\\", r'"a\134"'),
        ("\n", r'"\012"'),
        ("ü", r'"\303\274"'),
        ("\udcff", r'"\377"'),  # of a path that is no UTF-8
        ("??/", r'"\077\077/"'),
    ],
)
def test_nothing_in_a_text_ends_its_literal(value, expected):
    assert text(value) == expected


def test_numbers_come_back_as_they_were():
    assert float(double(0.1)) == 0.1
    assert np.float32(single(0.485).removesuffix("F")) == np.float32(0.485)
