"""What is verified: whole trackers, precision, which tolerances count, and what a manifest may not say."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparisons import tracker_of
from report_results import NETWORK, subject

from converter.errors import UsageError
from converter.folder.listing import TrackerEntry, UnitEntry, preprocess_entry
from converter.folder.stated import contradictions
from converter.folder.subject import Missing, Subject, subject_of
from converter.formats.ncnn.weights import HALF, RAW, TABLE
from converter.spec.options import VerifyOptions
from converter.spec.tensors import Tolerance


def options(**more):
    return VerifyOptions(**{"arch": "LightTrackM_Subnet", "checkpoint": None, "network": NETWORK, **more})


def recorded(**tolerances):
    """An export that passed with these."""
    found = subject()
    proof = found.manifest.verification.model_copy(update={"tolerances": tolerances})
    return replace(found, manifest=found.manifest.model_copy(update={"verification": proof}))


def test_formats_are_whole_at_the_first_size_only():
    both = subject()
    sizes = both.tracker.network.sizes
    assert both.whole == ["ncnn"]
    assert replace(both, missing=(Missing("ncnn", ("init",), sizes),)).whole == []
    assert replace(both, missing=(Missing("onnx", ("init",), sizes),)).whole == ["ncnn"]
    assert replace(both, missing=(Missing("ncnn", ("update",), (127, 999)),)).whole == ["ncnn"]


def test_the_tracker_is_that_of_the_first_size():
    first, second = subject().tracker, tracker_of([])
    assert replace(subject(), trackers=(second, first)).tracker is second


@pytest.fixture
def stored(tmp_path):
    """An export whose models store one weight each so: "fp32", "half", "w8" or "damaged"."""

    def make(*precisions, **changes):
        about = subject()
        for model, precision in zip(about.tracker.models, precisions, strict=True):
            (out,) = model.graph.outputs[:1]
            layers = f"7767517\n2 2\nInput in 0 1 {model.graph.inputs[0].name}\n"
            layers += f"Convolution conv 1 1 {model.graph.inputs[0].name} {out.name} 0=1 1=1 6=3\n"
            param, weights = model.paths(tmp_path)
            param.write_text("nothing" if precision == "damaged" else layers)
            tag, array = {
                "half": (HALF, np.ones(4, "<f2").tobytes()),
                "w8": (TABLE, np.ones(256, "<f4").tobytes() + bytes(4)),
            }.get(precision, (RAW, np.ones(3, "<f4").tobytes()))
            weights.write_bytes(tag.to_bytes(4, "little") + array)
        manifest = about.manifest.model_copy(update=changes)
        return Subject(manifest, tmp_path, about.trackers)

    return make


@pytest.mark.parametrize(
    ("precisions", "found"),
    [
        (("fp32", "fp32"), "fp32"),
        (("half", "half"), "half"),
        (("half", "fp32"), "mixed"),
        (("half", "damaged"), "mixed"),
        (("damaged", "damaged"), "unknown"),
        (("w8", "half"), "w8"),
        (("fp32", "w8"), "w8"),
        (("w8", "damaged"), "mixed"),
    ],
)
@pytest.mark.parametrize("said", ["fp32", "half", "int8"])
def test_precision_is_that_of_the_files_whatever_the_manifest_says(stored, precisions, found, said):
    about = stored(*precisions, precision=said)
    assert about.precision == found
    expected = NETWORK.tolerances[found if found in ("half", "w8") else "fp32"]
    assert about.tolerances(options()) == expected


def test_tolerances_that_an_export_passed_with_are_history():
    narrow, wide = Tolerance(rtol=1e-9), Tolerance(rtol=0.5)
    about = recorded(zf=narrow, cls=wide, other=wide)
    table = about.tolerances(options())
    assert table == NETWORK.tolerances["fp32"]
    assert about.passed_with_wider(table) == (
        "the export had passed with wider tolerances than it is judged by: cls rtol 0.5 in place of rtol 0.0001"
    )
    assert about.passed_with_wider(about.tolerances(options(rtol=0.5))) is None
    assert "cls rtol 0.5 in place of atol 3" in about.passed_with_wider(about.tolerances(options(atol=3.0)))
    assert subject(manifest=False).passed_with_wider(table) is None


def test_tolerances_of_the_user_come_before_all():
    table = recorded(cls=Tolerance(rtol=0.5)).tolerances(options(rtol=1e-3))
    assert set(table.values()) == {Tolerance(rtol=1e-3)}
    assert table.keys() == NETWORK.tolerances["fp32"].keys()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, []),
        ({"precision": "half"}, ["precision is 'half', expected 'fp32', which the files of ncnn init and ncnn upd"]),
        ({"tracker": {"stride": 99}}, ["tracker.stride is 99, expected 16"]),
        ({"tracker": {"penalty_k": 0.7}}, ["tracker.penalty_k is 0.7, expected 0.007"]),
        ({"tracker": {"cls": "probability"}}, ["tracker.cls is 'probability', expected 'logit'"]),
        ({"tracker": {"score_size": 18}}, ["tracker.score_size is 18, expected 16"]),
        ({"tracker": {"sizes": [{"template_size": 127, "search_size": 272, "score_size": 18}]}},
         ["tracker.sizes.score_size is 18, expected 17"]),
        ({"preprocess": {"colour_order": "BGR"}}, ["preprocess.colour_order is 'BGR', expected 'RGB'"]),
        ({"preprocess": {"on_0_1": UnitEntry(mean=[0.485, 0.456, 0.5], std=[0.229, 0.224, 0.225])}},
         ["preprocess.on_0_1.mean is [0.485, 0.456, 0.5], expected [0.485, 0.456, 0.406]"]),
        ({"protected_from_half": {"init": ("conv",)}}, ["protected_from_half is conv, expected none, the layers of"]),
    ],
)  # fmt: skip
def test_what_a_manifest_says_otherwise_than_the_network_is_named(stored, changes, said):
    tracker = {"template_size": 127, "search_size": 256, **changes.get("tracker", {})}
    preprocess = preprocess_entry(NETWORK.preprocess).model_copy(update=changes.get("preprocess", {}))
    changes = {**changes, "tracker": TrackerEntry.model_validate(tracker), "preprocess": preprocess}
    found = list(map(str, contradictions(stored("fp32", "fp32", **changes))))
    assert len(found) == len(said)
    for problem, words in zip(found, said, strict=True):
        assert problem.startswith(f"manifest.json says that {words}")


@pytest.mark.parametrize(("said", "wrong"), [("w8", False), ("half", True), ("fp32", True), ("int8", True)])
def test_weights_in_bytes_are_what_the_manifest_says_of_all_models_together(stored, said, wrong):
    """One of them may be so small that all its layers are halves."""
    found = [str(each) for each in contradictions(stored("half", "w8", precision=said)) if "precision" in str(each)]
    assert bool(found) is wrong
    if wrong:
        assert found == [f"manifest.json says that precision is {said!r}, expected 'w8', as in the files"]


def test_masks_are_where_the_manifest_says(stored):
    about = stored("fp32", "fp32", protected_from_half={"init": ("conv",)})
    param = about.tracker.models[0].paths(about.folder)[0]
    param.write_text(param.read_text().rstrip() + " 31=1\n")
    assert contradictions(about) == []


def test_what_an_earlier_manifest_does_not_say_is_no_contradiction():
    assert contradictions(subject()) == contradictions(subject(manifest=False)) == []


def test_graphs_of_two_splits_are_refused():
    loose = {"update": Path("u.param"), "backbone": Path("b.param")}
    with pytest.raises(UsageError, match="--update, --backbone: expected the graphs of one split: init and update or"):
        subject_of(options(loose=loose))


def test_a_folder_that_is_no_export_is_refused(tmp_path):
    with pytest.raises(UsageError, match="expected a folder that lt-export wrote"):
        subject_of(options(folder=tmp_path / "nowhere"))
