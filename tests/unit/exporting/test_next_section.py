"""What an application is told of the models that it is to call."""

import pytest
from report_results import subject

from converter.exporting.next_steps import next_section
from converter.folder.listing import preprocess_entry
from converter.folder.manifest import FormatEntry
from converter.spec.config import network_for

MADE = {"split": "three", "target": "rk3588", "toolkit": "2.5.0"}


def lines(**made) -> tuple[str, ...]:
    known = {
        "preprocess": preprocess_entry(network_for(None)[1].preprocess),
        "formats": {"rknn": FormatEntry.model_validate(made)} if made else {},
    }
    section = next_section(subject().manifest.model_copy(update=known), subject().folder, ["lt-verify"])
    return section.blocks[1].lines


@pytest.mark.parametrize("normalise", ["inside", "outside", None])
def test_pixels_are_normalised_once(normalise):
    said = [line for line in lines(**(MADE | {"normalise": normalise} if normalise else {})) if "preprocessing" in line]
    if normalise == "inside":
        assert said == ["preprocessing: RGB, uint8, NHWC, pixels as they are: mean and std are in the models"]
    else:
        assert said == [
            "preprocessing: RGB, (pixel / 255 - mean) / std with mean 0.485, 0.456, 0.406 and std 0.229, 0.224, 0.225"
        ]


def test_the_runtime_of_a_board_is_named():
    assert any("librknnrt 2.5.0" in line and "rk3588" in line for line in lines(**MADE))
    assert not any("librknnrt" in line for line in lines())
