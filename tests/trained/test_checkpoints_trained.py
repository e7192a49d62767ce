"""Published checkpoints of another tracker, with scalars of numpy beside the weights: read, and not taken for ours."""

import pytest

from commands import lt_export


@pytest.mark.parametrize("version", [1, 2, 3])
def test_weights_of_another_tracker_are_read_without_pickled_code(shared, tmp_path, version):
    done = lt_export(shared / f"checkpoints/nanotrackv{version}.pth", "-o", tmp_path / "out")
    assert done.code == 3
    assert "these are no weights of LightTrackM_Subnet or STARK_Lightning" in done.error_line
    assert not (tmp_path / "out").exists()
