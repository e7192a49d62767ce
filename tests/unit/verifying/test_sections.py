"""Which looks a run is asked for, and on which models."""

from dataclasses import replace
from pathlib import Path

import pytest
from report_results import NETWORK, subject

from converter.errors import UsageError
from converter.folder.subject import Missing
from converter.spec.options import ArmOptions, VerifyOptions
from converter.util.stages import Stages
from converter.verifying import sections
from converter.verifying.run import Run
from converter.verifying.sections import asked

CLIP, ROOT = object(), object()  # a clip that was opened, an ARM root
ARM = ArmOptions(root=Path("root"), cpu="max", modes=("fp16",), inputs=1, blobs=False, timeout=60.0)


def run_of(about=None, **more):
    options = VerifyOptions(**{"arch": "LightTrackM_Subnet", "checkpoint": None, "network": NETWORK, **more})
    return Run(options, about or subject(), None, (), {})


def test_only_what_was_asked_for_is_looked_at_in_this_order():
    everything = run_of(layers=True, dumps=Path("dumps"), fp16=True, arm=ARM)
    assert list(asked(everything, CLIP, ROOT, frozenset(), Stages())) == ["layers", "dumps", "clip", "fp16", "arm"]
    assert asked(run_of(), None, None, frozenset(), Stages()) == {}
    assert list(asked(run_of(fp16=True), None, ROOT, frozenset(), Stages())) == ["fp16"]


def test_the_clip_is_tracked_with_whole_trackers_that_run(monkeypatch):
    monkeypatch.setattr(sections, "track", lambda run, clip, formats, step: formats)
    (look,) = asked(run_of(), CLIP, None, frozenset({"onnx"}), Stages()).values()
    assert look() == ["ncnn"]
    assert asked(run_of(), CLIP, None, frozenset({"ncnn"}), Stages()) == {}
    lacking = (Missing("ncnn", ("update",), subject().tracker.network.sizes),)
    assert asked(run_of(replace(subject(), missing=lacking)), CLIP, None, frozenset(), Stages()) == {}


def test_nothing_is_done_before_its_turn(tmp_path):
    """Without golden vectors there is nothing to compare a dump with; that is said when the dumps' turn comes."""
    folder = replace(subject(manifest=False), folder=tmp_path)
    looks = asked(run_of(folder, dumps=tmp_path / "dumps"), None, None, frozenset(), Stages())
    with pytest.raises(UsageError, match="--dumps wants the golden vectors that the device was given: --golden DIR"):
        looks["dumps"]()
