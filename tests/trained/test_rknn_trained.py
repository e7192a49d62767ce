"""The trained trackers for two chips, in Rockchip's simulator, by the configs' own tolerances."""

import json

from commands import lt_export


def test_the_trained_tracker_passes_with_pixels_in_and_the_mean_inside(rknn_toolkit, shared, tmp_path):
    done = lt_export(
        shared / "checkpoints/LightTrackM.pth",
        *("--preset", "rknn-lighttrack", "--target", "rk3588", "--output", tmp_path / "out"),
    )
    assert done.code == 0, done.err
    assert "- preprocessing: RGB, uint8, NHWC, pixels as they are: mean and std are in the models" in done.out
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    (crop,) = manifest["formats"]["rknn"]["graphs"][0]["inputs"].values()
    assert (crop["layout"], crop["dtype"], crop["shape"]) == ("NHWC", "uint8", [1, 127, 127, 3])
    assert (tmp_path / "out/lighttrack_backbone.precompile.rknn").read_bytes().startswith(b"RKNN")
    cells = [check["best_cell"] for check in manifest["verification"]["checks"] if check["best_cell"]]
    assert sum(cell["same"] for cell in cells) >= len(cells) - 2


def test_a_trained_nanotrack_passes_on_another_chip_which_leaves_an_operator_to_its_cpu(rknn_toolkit, shared, tmp_path):
    words = ("--preset", "rknn-nanotrack", "--target", "rv1126b", "--output", tmp_path / "out")
    done = lt_export(shared / "checkpoints/nanotrackv2.pth", *words)
    assert done.code == 0, done.err
    warned = " ".join(done.err.split())
    assert "rknn neck_head: the NPU does not compute Exp" in warned
    assert "Conv is reported not to do on rv1126b what it does in the simulator" in warned
    made = json.loads((tmp_path / "out/manifest.json").read_text())["formats"]["rknn"]
    head = made["graphs"][-1]
    assert (made["target"], [each.split()[0] for each in head["operators_on_cpu"]]) == ("rv1126b", ["Exp"])
    assert any("airockchip/rknn-toolkit2#565" in line for line in head["reported_to_differ"])
