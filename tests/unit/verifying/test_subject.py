"""What is verified: whole trackers, precision, and which tolerances count."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from comparisons import tracker_of
from report_results import NETWORK, subject

from converter.errors import UsageError
from converter.spec.options import VerifyOptions
from converter.spec.tensors import Tolerance
from converter.verifying.subject import Missing, subject_of


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


def test_precision_is_the_manifests():
    exported = subject()
    half = replace(exported, manifest=exported.manifest.model_copy(update={"precision": "half"}))
    assert (exported.precision, half.precision, subject(manifest=False).precision) == ("fp32", "half", "fp32")


def test_tolerances_are_the_configs_without_others(caplog):
    expected = NETWORK.tolerances["fp32"]
    assert subject(manifest=False).tolerances(options()) == expected
    assert subject().tolerances(options()) == expected
    assert caplog.records == []


def test_tolerances_of_half_weights_are_those_of_half():
    exported = subject()
    half = replace(exported, manifest=exported.manifest.model_copy(update={"precision": "half"}))
    assert half.tolerances(options()) == NETWORK.tolerances["half"] != NETWORK.tolerances["fp32"]


def test_tolerances_that_an_export_passed_with_count_and_wider_ones_are_said(caplog):
    narrow, wide = Tolerance(rtol=1e-9), Tolerance(rtol=0.5)
    with caplog.at_level(logging.WARNING):
        table = recorded(zf=narrow, cls=wide).tolerances(options())
    assert (table["zf"], table["cls"], table["reg"]) == (narrow, wide, NETWORK.tolerances["fp32"]["reg"])
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the export passed with a wider tolerance of cls than the config's"
    ]


def test_tolerances_of_the_user_come_before_all():
    table = recorded(cls=Tolerance(rtol=0.5)).tolerances(options(rtol=1e-3))
    assert set(table.values()) == {Tolerance(rtol=1e-3)}
    assert table.keys() == NETWORK.tolerances["fp32"].keys()


def test_graphs_of_two_splits_are_refused():
    loose = {"update": Path("u.param"), "backbone": Path("b.param")}
    with pytest.raises(UsageError, match="--update, --backbone: expected the graphs of one split: init and update or"):
        subject_of(options(loose=loose))


def test_a_folder_that_is_no_export_is_refused(tmp_path):
    with pytest.raises(UsageError, match="expected a folder that lt-export wrote"):
        subject_of(options(folder=tmp_path / "nowhere"))
