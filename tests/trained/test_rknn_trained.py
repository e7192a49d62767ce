"""The trained LightTrack-Mobile for an RK3588, in Rockchip's simulator, by the config's own tolerances."""

import json

from commands import lt_export


def test_the_trained_tracker_passes_with_pixels_in_and_the_mean_inside(rknn_toolkit, shared, tmp_path):
    done = lt_export(
        shared / "checkpoints/LightTrackM.pth",
        *("--preset", "rknn-lighttrack", "--target", "rk3588", "--output", tmp_path / "out"),
    )
    assert done.code == 0, done.err
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    (crop,) = manifest["formats"]["rknn"]["graphs"][0]["inputs"].values()
    assert (crop["layout"], crop["dtype"], crop["shape"]) == ("NHWC", "uint8", [1, 127, 127, 3])
    assert (tmp_path / "out/lighttrack_backbone.precompile.rknn").read_bytes().startswith(b"RKNN")
    cells = [check["best_cell"] for check in manifest["verification"]["checks"] if check["best_cell"]]
    assert sum(cell["same"] for cell in cells) >= len(cells) - 2
