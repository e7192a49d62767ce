"""Our own NanoTrack: what the official one with the same weights answered, whatever the search crop's size."""

import nanotracks
import pytest


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_it_answers_as_was_noted_of_the_official_one(version):
    built = nanotracks.FAMILY.build(version, 127, 255).to_empty(device="cpu").requires_grad_(False)
    assert sum(parameter.numel() for parameter in built.parameters()) == nanotracks.PARAMETERS[version]
    nanotracks.assert_noted(nanotracks.sampled(built), version)


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
@pytest.mark.parametrize("search_size", [255, 256, 191, 300])
def test_shapes_are_those_that_dimensions_say(version, search_size):
    found = nanotracks.answers(nanotracks.network(version), search_size=search_size)
    said = nanotracks.FAMILY.dimensions(version, 127, search_size)
    scores, cells = (said.score_size,) * 2, (said.search_cells,) * 2
    assert {name: tuple(value.shape[1:]) for name, value in found.items() if name not in "zx"} == {
        "zf": (said.channels, 8, 8),
        "xf": (said.channels, *cells),
        "cls": (2, *scores),
        "loc": (4, *scores),
    }
    assert (found["loc"] > 0).all()


@pytest.mark.parametrize("version", nanotracks.VERSIONS)
def test_seeded_weights_answer_to_both_crops(version):
    """A network that answers the same whatever it is shown would prove nothing."""
    built = nanotracks.network(version)
    usual, other_z, other_x = (nanotracks.answers(built, *seeds) for seeds in ((0, 1), (5, 1), (0, 6)))
    for name in ("cls", "loc"):
        span = float(usual[name].max() - usual[name].min())
        assert span > 0.1
        for other in (other_z, other_x):
            assert float((other[name] - usual[name]).abs().max()) > 1e-5 * span
