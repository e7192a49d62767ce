"""--share-weights with the trained LightTrack-Mobile: the bytes, and which of them are whose."""

import pytest

from commands import lt_export

BOTH = ("--format", "ncnn", "--format", "onnx", "--split", "two", "--no-verify", "-q")


@pytest.fixture(scope="module")
def exports(shared, tmp_path_factory):
    """The folders without and with one weights file."""
    checkpoint, folder = shared / "checkpoints/LightTrackM.pth", tmp_path_factory.mktemp("exports")
    for name, more in (("apart", ()), ("together", ("--share-weights",))):
        done = lt_export(checkpoint, "-o", folder / name, *BOTH, *more)
        assert done.code == 0, done.err
    return folder / "apart", folder / "together"


def test_inits_weights_are_the_beginning_of_updates_and_no_layer_moves(exports):
    apart, together = exports
    weights = (together / "lighttrack.bin").read_bytes()
    assert weights == (apart / "lighttrack_update.bin").read_bytes()
    assert weights.startswith((apart / "lighttrack_init.bin").read_bytes())
    for name in ("lighttrack_init.param", "lighttrack_update.param"):
        assert (together / name).read_bytes() == (apart / name).read_bytes()


@pytest.mark.parametrize(("pattern", "most"), [("*.[pb][ai][rn]*", 7.88e6), ("*.onnx*", 8.01e6)])
def test_both_graphs_in_three_fifths_of_the_bytes(exports, pattern, most):
    apart, together = (sum(path.stat().st_size for path in folder.glob(pattern)) for folder in exports)
    assert together < most
    assert together < 0.62 * apart
