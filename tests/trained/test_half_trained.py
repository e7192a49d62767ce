"""The half-precision report on the trained tracker."""

import numpy as np
from half_models import Model, specs

from commands import lt_export
from converter.proof.feeds import Feed


def test_the_trained_tracker_is_far_from_the_edge(shared, tmp_path):
    done = lt_export("--resume", shared / "checkpoints/LightTrackM.pth", "-o", tmp_path / "out", "-q")
    assert done.code == 0, done.err
    data = np.load(shared / "golden/lighttrackm_127_288.npz")
    graphs = specs(search_size=data["x"].shape[-1], template_size=data["z"].shape[-1])
    report = Model(tmp_path / "out", graphs).report([Feed("golden", {name: data[name] for name in ("z", "x")})])
    assert report, report.failure()
    assert report.not_analysed == ()
    assert min(layer.headroom for layer in report.layers if layer.headroom) > 100
