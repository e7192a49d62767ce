"""Several search sizes, one model for all of them, and sizes that the stride does not divide."""

import json
import shutil
from dataclasses import replace

import onnxruntime
import pytest
from consumer import answers, assert_close, export, extract, images, load
from default_inputs import INPUTS

from commands import lt_verify
from conftest import MOBILE
from converter.formats.ncnn.param import load_param

SERVED = list(range(192, 321, 16))


@pytest.fixture(scope="module")
def several(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes") / "several"
    sizes = [word for size in (256, 288, 255) for word in ("--search-size", size)]
    done = export(tiny, folder, *sizes, "--golden", folder / "golden", "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


@pytest.fixture(scope="module")
def dynamic(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes") / "dynamic"
    formats = ("--format", "ncnn", "--format", "onnx", "--split", "two")
    done = export(tiny, folder, "--dynamic-search", *formats, "--golden", folder / "golden", "--json")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def test_every_search_size_has_its_update_and_all_share_init(several, tiny):
    folder, manifest = several
    assert [graph["name"] for graph in manifest["graphs"]] == ["init", "update_256", "update_288", "update_255"]
    assert [(each["search_size"], each["score_size"]) for each in manifest["tracker"]["sizes"]] == [
        *((256, 32), (288, 36), (255, 32)),
    ]
    assert manifest["graphs"][0]["sizes"] == [{"template_size": 127, "search_size": size} for size in (256, 288, 255)]
    for size in (256, 288, 255):
        z, x = images(127, size)
        zf = extract(load(folder, "lighttrack_init"), {"z": z}, ["zf"])[0]
        found = extract(load(folder, f"lighttrack_update_{size}"), {"zf": zf, "x": x}, ["cls", "reg"])
        assert_close([zf, *found], answers(tiny, z, x))


def test_every_size_is_compared(several):
    checks = several[1]["verification"]["checks"]
    graphs = {"init", "update_256", "update_288", "update_255"}
    assert {check["graph"] for check in checks} == graphs
    assert {check["feed"] for check in checks} == {
        f"{name} at 127/{size}" for name in INPUTS for size in (256, 288, 255)
    }


@pytest.mark.parametrize("size", SERVED)
def test_one_update_serves_every_size(dynamic, tiny, size):
    folder, _ = dynamic
    z, x = images(127, size)
    expected = answers(tiny, z, x)
    found = extract(load(folder, "lighttrack_update"), {"zf": expected[0], "x": x}, ["cls", "reg"])
    assert_close(found, expected[1:])
    session = onnxruntime.InferenceSession(folder / "lighttrack_update.onnx", providers=["CPUExecutionProvider"])
    assert_close(session.run(["cls", "reg"], {"zf": expected[0], "x": x}), expected[1:])


def test_a_dynamic_export_says_what_it_serves_and_what_reads_it(dynamic):
    folder, manifest = dynamic
    assert sorted(each["search_size"] for each in manifest["tracker"]["sizes"]) == SERVED
    assert manifest["tracker"]["search_size"] == 288
    assert manifest["formats"]["ncnn"] == {"split": "two", "dynamic_search": True, "oldest_ncnn": "20250428"}
    compared = {check["feed"] for check in manifest["verification"]["checks"] if check["graph"] == "update"}
    assert compared == {f"{name} at 127/{size}" for name in INPUTS for size in SERVED}
    # releases before 20261020 do not know 12= and 13= and answer wrongly where they meet them
    reshapes = [layer for layer in load_param(folder / "lighttrack_update.param").layers if layer.type == "Reshape"]
    assert any("6=" in word for layer in reshapes for word in layer.params)
    assert not [word for layer in reshapes for word in layer.params if word.startswith(("12=", "13="))]


def test_inputs_of_a_dynamic_onnx_model_are_named(dynamic):
    session = onnxruntime.InferenceSession(dynamic[0] / "lighttrack_update.onnx", providers=["CPUExecutionProvider"])
    shapes = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
    assert shapes["x"] == [1, 3, "x_height", "x_width"]
    assert shapes["cls"] == [1, 1, "cls_height", "cls_width"]


def test_lt_verify_looks_at_every_size(several, dynamic, tiny):
    for (folder, _), sizes in ((several, {256, 288, 255}), (dynamic, set(SERVED))):
        done = lt_verify(folder, "--resume", tiny, "--json")
        assert done.code == 0, done.err
        assert {size for _, size in json.loads(done.out)["verification"]["sizes"]} == sizes


def test_lt_verify_looks_at_one_size(several, dynamic, tiny):
    for (folder, _), graphs in ((several, ["init", "update_288"]), (dynamic, ["init", "update"] * 2)):
        done = lt_verify(folder, "--resume", tiny, "--search-size", "288", "--layers", "--json")
        assert done.code == 0, done.err
        result = json.loads(done.out)
        assert result["verification"]["sizes"] == [[127, 288]]
        assert [model["name"] for model in result["models"]] == graphs
        assert [walk["graph"] for walk in result["layers"]] == graphs
    done = lt_verify(several[0], "--resume", tiny, "--search-size", "272")
    assert done.code == 2
    assert "--search-size 272: the export's manifest says 127/256 or 127/288 or 127/255" in done.error_line


def test_golden_vectors_of_several_sizes(several):
    folder, _ = several
    done = lt_verify(folder, "--json")
    assert done.code == 0, done.err
    assert {size for _, size in json.loads(done.out)["verification"]["sizes"]} == {256, 288, 255}


def test_golden_vectors_of_a_dynamic_export_are_of_its_first_size(dynamic):
    done = lt_verify(dynamic[0], "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["verification"]["sizes"] == [[127, 288]]
    assert "not verified at 127/192: there are no golden vectors of it" in " ".join(done.err.split())


def test_a_graph_that_serves_one_size_only_is_noticed(dynamic, tiny, tmp_path):
    """A map of 36 rows at every size: right at the first, wrong at the others, and read to its end at the most."""
    folder = tmp_path / "out"
    shutil.copytree(dynamic[0], folder)
    path = folder / "lighttrack_update.param"
    graph = load_param(path)
    (old,) = [layer for layer in graph.layers if '6="1w,1h,' in str(layer.params)]
    channels = old.params[-1].strip('"').split(",")[2]
    new = replace(old, inputs=old.inputs[:1], params=("0=-1", "1=36", f"2={channels}"))
    path.write_text(replace(graph, layers=tuple(new if layer is old else layer for layer in graph.layers)).text())
    done = lt_verify(folder, "--resume", tiny, "--format", "ncnn", "--json")
    assert done.code == 1
    result = json.loads(done.out)
    checks = result["verification"]["checks"]
    failed = {check["feed"].split("/")[1] for check in checks if not check["passed"]}
    right = {check["feed"].split("/")[1] for check in checks if check["graph"] == "update" and check["passed"]}
    assert right == {"288"}
    assert failed == {str(size) for size in SERVED if size != 288}
    assert {check["graph"] for check in checks if not check["passed"]} == {"update"}


ODD = [127, 191, 193, 200, 255, 257, 264, 319]


@pytest.fixture(scope="module")
def odd(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sizes") / "odd"
    sizes = [word for size in ODD for word in ("--search-size", size)]
    done = export(tiny, folder, *sizes, "--format", "ncnn", "--format", "onnx", "--split", "two", "-q")
    assert done.code == 0, done.err
    return folder


@pytest.mark.parametrize("size", ODD)
def test_sizes_that_the_stride_does_not_divide(odd, tiny, size):
    z, x = images(127, size)
    expected = answers(tiny, z, x)
    zf = extract(load(odd, "lighttrack_init"), {"z": z}, ["zf"])[0]
    assert_close([zf, *extract(load(odd, f"lighttrack_update_{size}"), {"zf": zf, "x": x}, ["cls", "reg"])], expected)


def test_255_has_16_cells(seeded, tmp_path):
    done = export(seeded, tmp_path / "out", "--search-size", "255", "--json", path_name=MOBILE)
    assert done.code == 0, done.err
    assert json.loads(done.out)["tracker"]["score_size"] == 16


def test_seeded_inputs_of_a_size_are_the_same_alone_and_among_others(tiny, tmp_path, several):
    def inputs(folder, *options):
        """Title of a case, name of an input -> its bytes."""
        done = lt_verify(
            several[0], "--resume", tiny, "--format", "ncnn", "--write-golden", "--golden", folder, "-q", *options
        )
        assert done.code == 0, done.err
        index = json.loads((folder / "index.json").read_text())
        titles = {case["name"]: case["title"] for case in index["cases"]}
        return {
            (titles[entry["case"]], entry["name"]): (folder / entry["files"]["nchw_bin"]).read_bytes()
            for entry in index["tensors"]
            if entry["role"] == "input" and entry["name"] in ("z", "x")
        }

    alone, among = inputs(tmp_path / "alone", "--search-size", 255), inputs(tmp_path / "among")
    assert len(alone) == len(set(alone.values())) == 2 * len(INPUTS)
    assert len(among) == 3 * 2 * len(INPUTS)
    suffix = " at 127/255"
    assert alone == {(title.removesuffix(suffix), x): data for (title, x), data in among.items() if suffix in title}


def test_a_size_given_twice_counts_once(tiny, tmp_path):
    done = export(tiny, tmp_path / "out", "--search-size", "256", "--search-size", "256", "--json")
    assert done.code == 0, done.err
    assert [graph["name"] for graph in json.loads(done.out)["graphs"]] == ["init", "update"]
