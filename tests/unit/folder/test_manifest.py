"""``manifest.json``: written and read by one class, so that what is read is what was written."""

import json

import pytest
from comparisons import DIMENSIONS, NETWORK

from converter.errors import UsageError, VerificationError
from converter.folder.listing import SizesEntry, listed_files
from converter.folder.manifest import MANIFEST, Manifest, read_manifest

INIT, UPDATE = NETWORK.graph_specs("two", DIMENSIONS)


def graph(spec, *files, **more):
    listed = [{"name": name, "sha256": name * 2, "bytes": 3} for name in files]
    return {
        "name": spec.name,
        "format": "ncnn",
        "files": listed,
        "inputs": spec.inputs,
        "outputs": spec.outputs,
        **more,
    }


LEAST = {
    "schema_version": 1,
    "generator": {"name": "lighttrack-export"},
    "arch": "LightTrackM_Subnet",
    "path_name": "p",
    "checkpoint": {"file": "a.pth", "sha256": "55"},
    "precision": "fp32",
    "graphs": [graph(INIT, "i.param", "i.bin"), graph(UPDATE, "u.param")],
    "tracker": {"template_size": 127, "search_size": 288},
    "verification": {"status": "passed"},
}


def manifest(**more):
    return Manifest.model_validate({**LEAST, **more})


@pytest.fixture
def written(tmp_path):
    """Puts a text into a folder as its manifest."""

    def write(text):
        (tmp_path / MANIFEST).write_text(text)
        return tmp_path

    return write


def test_what_is_written_is_read_again(written):
    proof = {"status": "passed", "seed": 3, "tolerances": {"zf": {"rtol": 1e-4}}, "checks": [{"graph": "init"}]}
    whole = manifest(
        multiply_adds={"init": 5},
        formats={"ncnn": {"split": "two", "oldest_ncnn": "20220216", "written_for": "something newer"}},
        extra_files=[{"name": "a.pt", "sha256": "44", "bytes": 1}],
        tracker={
            **LEAST["tracker"],
            "penalty_k": 0.007,
            "stride": 16,
            "sizes": [{"template_size": 127, "search_size": 288}],
        },
        verification=proof,
    )
    assert read_manifest(written(whole.text())) == whole
    assert read_manifest(written(whole.text())).text() == whole.text()


def test_only_what_was_set_is_written():
    entry = json.loads(manifest().text())
    assert entry["verification"] == {"status": "passed"}
    assert entry["tracker"] == {"template_size": 127, "search_size": 288}
    assert "mode" not in entry["graphs"][0]
    assert json.loads(manifest(formats={"ncnn": {"split": "two"}}).text())["formats"] == {"ncnn": {"split": "two"}}


def test_a_trackers_numbers_come_first_and_its_sizes_last():
    tracker = {"penalty_k": 0.007, "sizes": [], "search_size": 288, "stride": 16, "template_size": 127}
    written = json.loads(manifest(tracker=tracker).text())["tracker"]
    assert list(written) == ["stride", "template_size", "search_size", "penalty_k", "sizes"]


def test_what_earlier_releases_did_not_write_has_a_default():
    read = manifest()
    assert (read.formats, read.multiply_adds, read.golden, read.arm) == ({}, {}, None, None)
    assert (read.verification.seed, read.verification.checks) == (0, ())
    assert read.graphs[0].sizes == ()


def test_what_a_newer_release_writes_is_left_out():
    assert manifest(colour_of_the_folder="blue") == manifest()
    assert manifest(checkpoint={**LEAST["checkpoint"], "trained_on": "GOT-10k"}) == manifest()


def test_checksums_are_of_all_files(written):
    read = manifest(extra_files=[{"name": "a.pt", "sha256": "44", "bytes": 1}])
    expected = {"i.param": "i.parami.param", "i.bin": "i.bini.bin", "u.param": "u.paramu.param", "a.pt": "44"}
    assert read.checksums() == expected == listed_files(json.loads(read.text()))


def test_sizes_are_there_once_and_begin_with_the_trackers():
    def pair(template, search):
        return {"template_size": template, "search_size": search}

    tracker = {**LEAST["tracker"], "sizes": [pair(127, 256), pair(127, 288), pair(127, 256)]}
    assert manifest().sizes() == [(127, 288)]
    assert manifest(tracker=tracker).sizes() == [(127, 288), (127, 256)]
    assert SizesEntry(**pair(127, 256)).pair == (127, 256)


def test_config_says_what_the_tensors_say():
    spec = INIT.model_copy(update={"outputs": (INIT.outputs[0].model_copy(update={"activation": "sigmoid"}),)})
    expected = {"path_name": "p", "template_size": 127, "search_size": 288, "masks": False, "activations": {}}
    assert manifest().config() == expected
    assert manifest(graphs=[graph(spec, "a")]).config() == {**expected, "activations": {"zf": "sigmoid"}}


@pytest.mark.parametrize("text", ["", "{", "[1", "not json", "\x00"])
def test_damaged_json_is_a_damaged_manifest(written, text):
    with pytest.raises(VerificationError, match=r"manifest\.json is damaged: "):
        read_manifest(written(text))


@pytest.mark.parametrize("change", [{"schema_version": 2}, {"generator": {"name": "another"}}, {"graphs": None}])
def test_json_of_others_is_no_manifest_of_ours(written, change):
    data = {**manifest().model_dump(mode="json"), **change}
    with pytest.raises(UsageError, match=r"manifest\.json is none of lt-export's, or of a version unknown here"):
        read_manifest(written(json.dumps(data)))


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"nowhere: no such folder, expected a folder that lt-export wrote"):
        read_manifest(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file: is a file, expected a folder"):
        read_manifest(tmp_path / "file")
    with pytest.raises(UsageError, match=r"manifest\.json: no such file or directory; .* pass --init and --update"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"checkpoint": {"file": "a.pth"}}, r"checkpoint\.sha256"),
        ({"graphs": [graph(INIT)]}, r"graphs\.0\.files"),
        ({"graphs": []}, "graphs"),
        ({"precision": 32}, "precision"),
        ({"tracker": {"template_size": "large", "search_size": 288}}, r"tracker\.template_size"),
    ],
)
def test_a_key_that_cannot_be_is_named(written, change, where):
    data = {**manifest().model_dump(mode="json"), **change}
    text = json.dumps(data, default=lambda value: value.model_dump(mode="json"))
    with pytest.raises(VerificationError, match=rf"manifest\.json is damaged: {where}: "):
        read_manifest(written(text))
