"""How the parts of lt-verify are joined: options reach what they are about, and findings reach the verdict."""

import hashlib
import json
import math
import shutil

import numpy as np
import pytest
from default_inputs import CASES, INPUTS
from exports import export_to

from commands import lt_verify
from conftest import TINY


@pytest.fixture(scope="module")
def sized(tiny, tmp_path_factory):
    """An ncnn export at two sizes with golden vectors in it, proved on noise of seed 5; copy it before changing it."""
    folder = tmp_path_factory.mktemp("joins") / "sized"
    sizes = ("--search-size", 128, "--search-size", 144)
    return export_to(tiny, folder, *sizes, "--seed", 5, "--golden", folder / "golden")


@pytest.fixture(scope="module")
def onnx(tiny, tmp_path_factory):
    """An ONNX export whose sizes nobody would guess, proved with a wide tolerance; copy it before changing it."""
    folder = tmp_path_factory.mktemp("joins") / "onnx"
    sizes = ("--template-size", 128, "--search-size", 160)
    return export_to(tiny, folder, "--format", "onnx", "--split", "two", *sizes, "--rtol", 0.01)


@pytest.fixture
def export(sized, tmp_path):
    return shutil.copytree(sized, tmp_path / "export")


@pytest.fixture(scope="module")
def slightly_wrong(sized, tmp_path_factory):
    """Its smaller update graph gives reg 1 % too small, and its manifest says that this is so."""
    export = shutil.copytree(sized, tmp_path_factory.mktemp("wrong") / "export")
    replace_in(export / "lighttrack_update_128.param", "0=2 1=1 2=16.0", "0=2 1=1 2=15.84")
    adapt_manifest(export)
    return export


@pytest.fixture(scope="module")
def failed(slightly_wrong, tmp_path_factory):
    """What lt-verify says of it, and the folder with two reports."""
    folder = tmp_path_factory.mktemp("reports")
    reports = ("--report", folder / "page.md", "--report", folder / "page.html")
    return result_of(lt_verify(slightly_wrong, "--search-size", 128, *reports, "--json"), 1), folder


@pytest.fixture(scope="module")
def passed(onnx, tiny):
    """What lt-verify says of an export with a wide tolerance, beside its checkpoint."""
    done = lt_verify(onnx, "--resume", tiny, "--json")
    return result_of(done, 0), " ".join(done.err.split())


def replace_in(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def adapt_manifest(export):
    """Checksums and sizes of the files as they are now."""
    path = export / "manifest.json"
    manifest = json.loads(path.read_text())
    for file in (file for graph in manifest["graphs"] for file in graph["files"]):
        data = (export / file["name"]).read_bytes()
        file.update(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    path.write_text(json.dumps(manifest))


def result_of(done, code):
    assert done.code == code, done.err
    return json.loads(done.out)


def figures(checks, feed=""):
    """max_abs and range of every output, of checks on some feeds."""
    return [
        (check["graph"], check["how"], output["name"], output["max_abs"], output["range"])
        for check in checks
        for output in check["outputs"]
        if check["feed"].endswith(feed)
    ]


def failed_graphs(result):
    return {check["graph"] for check in result["verification"]["checks"] if not check["passed"]}


# --- what is compared on


def test_the_seed_is_the_exports_own_unless_another_is_given(sized, tiny):
    manifest = json.loads((sized / "manifest.json").read_text())
    assert manifest["verification"]["seed"] == 5
    expected = figures(manifest["verification"]["checks"], " at 127/128")
    assert len(expected) == 5 * len(INPUTS)
    words = (sized, "--resume", tiny, "--search-size", 128, "--json")
    done = lt_verify(*words)
    assert figures(result_of(done, 0)["verification"]["checks"]) == expected
    assert "wider tolerance" not in " ".join(done.err.split())
    other = figures(result_of(lt_verify(*words, "--seed", 0), 0)["verification"]["checks"])
    assert [one[:3] for one in other] == [one[:3] for one in expected]
    changed = [one[4] != was[4] for one, was in zip(other, expected, strict=True)]
    assert changed == [True] * 15 + [False] * 30  # the range of the reference: on noise, not on pictures


def test_a_fault_that_shows_on_a_picture_only_is_found_with_the_picture(export, tiny, loud_picture):
    """A bound on reg that no input without it reaches."""
    largest = max(
        np.load(export / "golden" / case / "update_128" / "reg.npy").max()
        for case in [f"{name}_at_127_128" for name in CASES]
    )
    path = export / "lighttrack_update_128.param"
    magic, counts, *lines = path.read_text().splitlines()
    layers, blobs = map(int, counts.split())
    place = next(index for index, line in enumerate(lines) if line.split()[5:6] == ["reg"])
    lines[place] = lines[place].replace(" reg ", " unbounded ")
    lines.append(f"Clip bound 1 1 unbounded reg 0=0.0 1={1.1 * largest}")
    path.write_text("\n".join([magic, f"{layers + 1} {blobs + 1}", *lines]) + "\n")
    adapt_manifest(export)
    words = (export, "--resume", tiny, "--search-size", 128, "--json")
    assert result_of(lt_verify(*words), 0)["verification"]["feeds"] == list(INPUTS)
    done = lt_verify(*words, "--image", loud_picture)
    result = result_of(done, 1)
    assert result["verification"]["feeds"] == [*INPUTS, "loud.png"]
    assert {check["feed"] for check in result["verification"]["checks"] if not check["passed"]} == {"loud.png"}
    assert "loud.png): reg is off by" in done.error_line


# --- tolerances


def tolerance(result):
    """The one of all outputs, as (atol, rtol)."""
    (found,) = {(each["atol"], each["rtol"]) for each in result["verification"]["tolerances"].values()}
    assert result["verification"]["tolerances"].keys() == {"zf", "xf", "cls", "reg"}
    return found


def test_a_narrower_tolerance_fails_what_had_passed(sized):
    done = lt_verify(sized, "--search-size", 128, "--rtol", "1e-12", "--json")
    result = result_of(done, 1)
    assert tolerance(result) == (0.0, 1e-12)
    outputs = [output for check in result["verification"]["checks"] for output in check["outputs"]]
    for output in outputs:
        assert output["allowed"] == pytest.approx(1e-12 * output["range"])
    assert "more than 10 times as much: the model is wrong" in done.error_line
    half = max(output["needed_rtol"] for output in outputs) / 2
    done = lt_verify(sized, "--search-size", 128, "--rtol", half)
    assert done.code == 1
    assert "would have passed" in done.error_line


def test_a_wider_tolerance_passes_what_had_failed(slightly_wrong, failed):
    before = failed[0]
    assert failed_graphs(before) == {"update_128"}
    assert tolerance(before) == (0.0, 1e-4)
    largest = max(output["max_abs"] for check in before["verification"]["checks"] for output in check["outputs"])
    for words, expected in (
        (("--rtol", 0.02), (0.0, 0.02)),
        (("--atol", 2 * largest), (2 * largest, 0.0)),
    ):
        result = result_of(lt_verify(slightly_wrong, "--search-size", 128, "--json", *words), 0)
        assert tolerance(result) == expected
        assert (result["verdict"], result["problems"]) == ("passed", [])


def test_a_tolerance_wider_than_the_configs_is_said(passed):
    """The export passed with it, and is judged by the config's."""
    result, said = passed
    for name in ("zf", "cls", "reg"):
        assert f"{name} rtol 0.01 in place of rtol 0.0001" in said
    assert "the export had passed with wider tolerances than it is judged by" in said
    assert tolerance(result) == (0.0, 1e-4)


# --- errors by their size


def test_histograms_are_of_the_differences(failed):
    result, _ = failed
    largest, values = {}, {"zf": 40 * 16 * 16, "cls": 16 * 16, "reg": 4 * 16 * 16}
    for check in result["verification"]["checks"]:
        for output in check["outputs"]:
            key = (check["format"], check["graph"], check["how"], output["name"])
            largest[key] = max(largest.get(key, 0), output["relative"])
    found = {(each["format"], each["graph"], each["how"], each["output"]): each for each in result["histograms"]}
    assert found.keys() == largest.keys()
    for key, each in found.items():
        assert sum(each["counts"]) == len(INPUTS) * values[key[3]]
        decades = [each["first_decade"] + index for index, count in enumerate(each["counts"]) if count]
        assert decades[-1] == math.floor(math.log10(largest[key]))
        assert decades[-1] in ((-3, -2) if key[3] == "reg" else (-7, -6, -5))


def test_reports_are_written_of_a_failure_too(failed):
    result, folder = failed
    assert result["verdict"] == result["verification"]["status"] == "failed"
    for name in ("page.md", "page.html"):
        page = (folder / name).read_text()
        assert "Not verified" in page
        assert "reg is off by" in page


# --- several sizes


@pytest.mark.parametrize("golden", [True, False], ids=["golden vectors", "checkpoint"])
def test_a_wrong_model_of_another_size_is_named(export, tiny, golden):
    path = export / "lighttrack_update_144.bin"
    weights = np.frombuffer(path.read_bytes(), np.float32).copy()
    weights[-4:] += 0.01
    path.write_bytes(weights.tobytes())
    adapt_manifest(export)
    done = lt_verify(export, *(() if golden else ("--resume", tiny)), "--json")
    result = result_of(done, 1)
    assert "worst in ncnn update_144" in done.error_line
    assert "reg is off by" in done.error_line
    assert failed_graphs(result) == {"update_144"}
    assert {check["graph"] for check in result["verification"]["checks"]} == {"init", "update_128", "update_144"}
    assert result["files"]["status"] == "passed"
    assert (result["verdict"], result["verification"]["status"]) == ("failed", "failed")
    assert result["verification"]["sizes"] == [[127, 128], [127, 144]]


def test_a_model_of_another_size_that_does_not_load_is_named(export):
    replace_in(export / "lighttrack_update_144.param", "7767517", "7767518")
    adapt_manifest(export)
    done = lt_verify(export, "--json")
    result = result_of(done, 1)
    assert [problem for problem in result["problems"] if "does not load lighttrack_update_144.param" in problem]
    assert result["verification"]["status"] == "failed"
    assert failed_graphs(result) == set()
    assert {check["graph"] for check in result["verification"]["checks"]} >= {"init", "update_128"}


def test_golden_vectors_are_written_of_every_size(sized, tiny, tmp_path):
    """The same inputs and answers that the export left."""
    done = lt_verify(sized, "--resume", tiny, "--write-golden", "--golden", tmp_path / "golden", "--json")
    result_of(done, 0)
    ours, theirs = (
        json.loads((folder / "index.json").read_text()) for folder in (tmp_path / "golden", sized / "golden")
    )
    assert [case["title"] for case in ours["cases"]] == [
        *(f"{name} at 127/{size}" for size in (128, 144) for name in INPUTS),
    ]
    for name in ("cases", "tensors", "files", "checkpoint"):
        assert ours[name] == theirs[name], name


# --- sections


def test_weights_that_the_half_report_cannot_read_are_a_problem_among_the_others(export, tiny):
    path = export / "lighttrack_update_128.bin"
    path.write_bytes(path.read_bytes() + bytes(4))
    adapt_manifest(export)
    done = lt_verify(export, "--resume", tiny, "--search-size", 128, "--layers", "--fp16-report", "--json")
    result = result_of(done, 1)
    (problem,) = result["problems"]
    assert problem.startswith("fp16: lighttrack_update_128.bin: ")
    assert done.error_line == f"lt-verify: error: {problem}"
    assert result["error"] == {"exit_code": 1, "message": problem}
    assert result["verification"]["status"] == "passed"
    assert [walk["passed"] for walk in result["layers"]] == [True, True]
    assert "fp16" not in result


def test_a_model_through_which_no_walk_leads_is_a_problem_among_the_others(onnx, tiny, tmp_path):
    export = shutil.copytree(onnx, tmp_path / "export")
    (export / "lighttrack_update.onnx").write_bytes(b"nothing")
    adapt_manifest(export)
    done = lt_verify(export, "--resume", tiny, "--layers", "--json")
    result = result_of(done, 1)
    assert len(result["problems"]) == 2
    assert "does not load lighttrack_update.onnx" in result["problems"][0]
    assert result["problems"][1].startswith("layers: lighttrack_update.onnx")
    assert done.error_line == f"lt-verify: error: {'; '.join(result['problems'])}"
    assert "layers" not in result
    assert result["verification"]["status"] == "failed"


def test_a_model_that_cannot_explain_a_dump_is_a_problem_among_the_others(export, tmp_path):
    replace_in(export / "lighttrack_update_128.param", "7767517", "7767518")
    adapt_manifest(export)
    (tmp_path / "dumps").mkdir()
    np.save(tmp_path / "dumps" / "reg.npy", np.random.default_rng(0).normal(size=(1, 4, 16, 16)).astype(np.float32))
    done = lt_verify(export, "--search-size", 128, "--dumps", tmp_path / "dumps", "--json")
    result = result_of(done, 1)
    assert "does not load lighttrack_update_128.param" in result["problems"][0]
    assert result["problems"][1].startswith("dumps: ")
    assert "dumps" not in result
    assert result["files"]["status"] == "passed"


def test_dumps_are_not_compared_with_golden_vectors_of_another_checkpoint(export, tiny, tmp_path):
    path = export / "golden" / "index.json"
    sha256 = json.loads(path.read_text())["checkpoint"]["sha256"]
    path.write_text(path.read_text().replace(sha256, "0" * 64))
    (tmp_path / "dumps").mkdir()
    shutil.copy(export / "golden" / "noise_fine_at_127_128" / "update_128" / "reg.npy", tmp_path / "dumps")
    words = (export, "--resume", tiny, "--search-size", 128, "--dumps", tmp_path / "dumps", "--json")
    done = lt_verify(*words)
    assert done.code == 1
    assert "another sha256" in done.error_line
    path.write_text(path.read_text().replace("0" * 64, sha256))
    assert result_of(lt_verify(*words), 0)["dumps"]["passed"]


# --- models of others


def loose(folder, tiny, *more):
    paths = ("--init", folder / "lighttrack_init.onnx", "--update", folder / "lighttrack_update.onnx")
    return lt_verify(*paths, "--resume", tiny, "--path-name", TINY, *more)


def test_sizes_that_files_declare_go_before_those_to_try(onnx, tiny):
    result = result_of(loose(onnx, tiny, "--json"), 0)
    assert (result["sizes"]["template_size"], result["sizes"]["search_size"]) == (128, 160)
    assert {model["names_from"] for model in result["models"]} == {"names"}


def test_outputs_of_one_shape_are_not_guessed(onnx, tiny, tmp_path):
    """reg and twice reg, under names that say nothing."""
    from onnx import helper, load, save

    folder = shutil.copytree(onnx, tmp_path / "models")
    model = load(folder / "lighttrack_update.onnx")
    graph, names = model.graph, {"cls": "o1", "reg": "o3"}
    for node in graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, name) for name in field]
    graph.node.append(helper.make_node("Add", ["o3", "o3"], ["o2"], name="twice"))
    kept = {names[value.name]: value for value in graph.output}
    for name, value in kept.items():
        value.name = name
    twice = helper.make_tensor_value_info("o2", 1, [1, 4, 20, 20])
    outputs = [kept["o1"], twice, kept["o3"]]
    del graph.output[:]
    graph.output.extend(outputs)
    save(model, folder / "lighttrack_update.onnx")
    done = loose(folder, tiny)
    assert done.code == 2
    assert "fed with zf 1x40x16x16, x 1x3x160x160 as zf, x, in any order" in done.error_line
    assert "name inputs and outputs with --rename BLOB=MEANING" in done.error_line
    result = result_of(loose(folder, tiny, "--rename", "o3=reg", "--json"), 0)
    update = result["models"][1]
    named = {tensor["name"]: tensor["meaning"] for tensor in update["tensors"] if tensor["role"] == "output"}
    assert named == {"o1": "cls", "o3": "reg"}


# --- what the result says


def test_the_result_says_what_it_rests_on(passed, failed, tiny, slightly_wrong):
    resume = {"file": "tiny.pth", "sha256": hashlib.sha256(tiny.read_bytes()).hexdigest()}
    result, said = passed
    assert result["resume"] == resume
    assert result["reference"].endswith("weights of tiny.pth")
    assert list(result["verification"]["candidates"]) == ["onnx"]
    assert {"torch", "numpy", "onnxruntime"} <= result["tools"].keys()
    assert "ncnn" not in result["tools"]
    assert "not the file that was exported" not in said
    result = failed[0]
    assert result["resume"] == resume
    assert result["reference"].startswith(f"golden vectors in {slightly_wrong / 'golden'}: ")
    assert list(result["verification"]["candidates"]) == ["ncnn"]
    assert "onnxruntime" not in result["tools"]


def test_every_problem_is_listed(export):
    replace_in(export / "lighttrack_update_128.param", "0=2 1=1 2=16.0", "0=2 1=1 2=15.84")
    adapt_manifest(export)
    (export / "lighttrack_extra.bin").write_bytes(b"1234")
    path = export / "lighttrack_init.param"
    path.write_text(path.read_text() + "\n")
    done = lt_verify(export, "--search-size", 128, "--json")
    result = result_of(done, 1)
    assert result["problems"][0].startswith("lighttrack_init.param has changed since the export: ")
    assert result["problems"][1] == "lighttrack_extra.bin is no part of the export"
    assert "reg is off by" in result["problems"][2]
    assert len(result["problems"]) == 3
    assert done.error_line == f"lt-verify: error: {'; '.join(result['problems'])}"
