"""The versions of NanoTrack: names, sizes, and which of them weights are of."""

import nanotracks
import pytest

from converter.errors import ArchitectureError, UsageError
from converter.families.choice import known_archs
from converter.families.dimensions import dimensions_of
from converter.families.family import family_of
from converter.network.checkpoint import shapes_of
from converter.spec.config import network_for

FAMILY = nanotracks.FAMILY


def shapes(version):
    return shapes_of(FAMILY.build(version, 127, 255).state_dict())


def without(found, *parts):
    return {key: shape for key, shape in found.items() if not any(part in key for part in parts)}


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_a_version_is_known_by_its_arch_and_recognised(version):
    _, spec = network_for(nanotracks.ARCHS[version])
    assert (spec.path_name, FAMILY.arch(version)) == (version, nanotracks.ARCHS[version])
    assert nanotracks.ARCHS[version] in known_archs()
    assert FAMILY.recognise(shapes(version)) == version
    assert family_of("lighttrack").recognise(shapes(version)) is None
    assert family_of("stark").recognise(shapes(version)) is None


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
@pytest.mark.parametrize("part", ["CA_layer", "bbox_pred", "backbone.features.3.", "corr_", "tower.0.", "num_batches"])
def test_weights_with_something_missing_are_recognised(version, part):
    assert FAMILY.recognise(without(shapes(version), part)) == version


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_a_backbone_or_less_than_half_of_a_head_is_no_version(version):
    assert FAMILY.recognise(without(shapes(version), "ban_head.")) is None
    assert FAMILY.recognise(without(shapes(version), "tower", "corr_")) is None
    assert FAMILY.recognise({}) is None


def test_another_width_is_no_version():
    wider = {key: tuple(2 * side for side in shape) for key, shape in shapes("v2").items()}
    assert FAMILY.recognise(wider) is None


@pytest.mark.parametrize(("version", "channels", "lost"), [("v1", 48, 0), ("v2", 48, 0), ("v3", 96, 1)])
@pytest.mark.parametrize(("search", "cells"), [(255, 16), (256, 16), (257, 17), (287, 18), (191, 12), (128, 8)])
def test_dimensions(version, channels, lost, search, cells):
    found = FAMILY.dimensions(version, 127, search)
    assert found.numbers() == {
        "template_size": 127,
        "search_size": search,
        "stride": 16,
        "channels": channels,
        "template_cells": 8,
        "search_cells": cells,
        "score_cells": cells - lost,
    }
    assert found.score_size == cells - lost


@pytest.mark.parametrize("size", [113, 120, 128])
def test_templates_of_eight_cells(size):
    assert FAMILY.dimensions("v1", size, 255).template_cells == 8


@pytest.mark.parametrize(("size", "cells"), [(112, 7), (129, 9), (64, 4)])
def test_other_templates_are_refused(size, cells):
    expected = f"--template-size {size}: the features have {cells}x{cells} cells .* NanoTrackV2 .* use 113 to 128"
    with pytest.raises(UsageError, match=expected):
        FAMILY.dimensions("v2", size, 255)


@pytest.mark.parametrize("name", ["v4", "V1", "", "back_0"])
def test_other_names_are_refused(name):
    with pytest.raises(ArchitectureError, match="expected v1, v2, v3"):
        FAMILY.dimensions(name, 127, 255)


def test_a_path_name_of_another_arch_is_refused(tmp_path):
    _, spec = network_for("NanoTrackV1", None, {"path_name": "v2"})
    with pytest.raises(UsageError, match="--path-name v2 is --arch NanoTrackV2, not NanoTrackV1; pass that arch"):
        dimensions_of(spec)
    own = tmp_path / "own.yaml"
    own.write_text("extends: nanotrack_v1\narchs: [Mine]\npath_name: v2\n")
    assert dimensions_of(network_for(None, own)[1]).channels == 48


@pytest.mark.parametrize("arch", ["LightTrackM_Speed", "STARK_Lightning"])
def test_archs_that_share_their_path_names_are_not(arch):
    assert dimensions_of(network_for(arch)[1]).stride == 16


def test_only_the_neck_is_ignored():
    keys = ["neck.downsample.0.weight", "necks.0.weight", "ban_head.neck.weight", "neck", "backbone.neck.bias"]
    assert [FAMILY.ignores(key) for key in keys] == [True, False, False, False, False]
