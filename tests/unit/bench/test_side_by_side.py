"""Several exports of one network in one run of lt-bench: who takes part, what is said of each, what is drawn."""

import json
import os
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest
from bench_results import a_result, an_export, options_of, printed

from converter.bench import plot
from converter.bench.candidates import candidates_for
from converter.bench.exports import bytes_of, check_formats, check_same_network, short_names
from converter.bench.notes import remarks_of
from converter.bench.overlaps import overlaps_over_bytes
from converter.bench.section import bench_report
from converter.errors import UsageError, VerificationError
from converter.folder.exported import FileProblem
from converter.folder.manifest import VerificationEntry
from converter.report.html import html_of
from converter.report.markdown import markdown_of
from converter.spec.config import network_for
from converter.spec.model import Model
from converter.spec.options import VerifyOptions

QDQ = "session.disable_quant_qdq"
FLOAT = an_export("LightTrackM_Subnet")
HALF = an_export("LightTrackM_Subnet-half", "half", bytes={"ncnn": 6_500_000, "onnx": 6_600_000})
BYTES = an_export(
    "LightTrackM_Subnet-w8",
    "w8",
    bytes={"ncnn": 2_400_000, "onnx": 3_570_000},
    overlaps={"ncnn": 0.976123, "onnx": 0.98},
    settings={QDQ: "1"},
)
INT8 = an_export("LightTrackM_Subnet-int8", "int8", ("ncnn",), bytes={"ncnn": 3_600_000}, overlaps={"ncnn": 0.966})
ALL = (FLOAT, HALF, BYTES, INT8)


def told(candidate):
    return candidate.runtime, candidate.precision, candidate.threads, candidate.export and candidate.export.weights


def test_what_runs_alike_stands_side_by_side():
    there, left_out = candidates_for(ALL, options_of(threads=(1, 2), precisions=("fp32", "half")))
    assert [told(each) for each in there] == [
        *(("torch", "fp32", threads, None) for threads in (1, 2)),
        *(
            ("ncnn", precision, threads, weights)
            for precision in ("fp32", "half")
            for threads in (1, 2)
            for weights in ("fp32", "half", "w8", "int8")
        ),
        *(("onnxruntime", "fp32", threads, weights) for threads in (1, 2) for weights in ("fp32", "half", "w8", "w8")),
    ]
    assert len({each.label for each in there}) == len(there)
    assert [told(each) for each in left_out] == [("onnxruntime", "half", threads, None) for threads in (1, 2)]


def test_what_the_manifest_sets_of_a_runtime_is_a_candidate_beside_its_defaults():
    there, _ = candidates_for([BYTES], options_of(None, threads=(1,), precisions=("fp32",)))
    assert [(each.label, each.settings) for each in there] == [
        ("ncnn fp32, 1 thread", ()),
        ("onnxruntime fp32, 1 thread", ()),
        (f"onnxruntime fp32, 1 thread, {QDQ}=1", ((QDQ, "1"),)),
    ]
    assert there[2].as_dict()["session_options"] == {QDQ: "1"}


def test_only_settings_that_are_known_are_made():
    """Others make onnxruntime write files."""
    odd = an_export(settings={"session.profile_dir": "/tmp", QDQ: "1", "ep.context_file_path": "/etc/x"})
    assert odd.settings("onnx") == {QDQ: "1"}
    assert odd.settings("ncnn") == {}


@pytest.mark.parametrize(
    ("folders", "names"),
    [
        (["exports/a", "b"], ["a", "b"]),
        (["x/a", "y/a", "b"], ["x/a", "y/a", "b"]),
        ([".", "a"], [".", "a"]),
        (["a\x1b[31m"], ["a\\x1b[31m"]),
        ([os.fsdecode(b"a\xff")], ["a?"]),
    ],
)
def test_exports_are_named_as_shortly_as_tells_them_apart(folders, names):
    assert short_names(list(map(Path, folders))) == names


def test_a_file_that_several_models_read_counts_once(tmp_path):
    for name, size in (("a.param", 10), ("b.param", 20), ("one.bin", 400), ("a.onnx", 5000)):
        (tmp_path / name).write_bytes(bytes(size))
    graph = SimpleNamespace(name="init")
    models = [Model(graph, "ncnn", ("a.param", "one.bin")), Model(graph, "ncnn", ("b.param", "one.bin"))]
    models += [Model(graph, "onnx", ("a.onnx",))]
    tracker = SimpleNamespace(
        formats=("ncnn", "onnx"), of=lambda format: [each for each in models if each.format == format]
    )
    assert bytes_of(tmp_path, tracker) == {"ncnn": 430, "onnx": 5000}


def a_subject(folder, arch="LightTrackM_Subnet", **changed):
    network = network_for(arch)[1].model_copy(update=changed)
    return VerifyOptions(arch=arch, network=network, checkpoint=None, folder=Path(folder))


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (a_subject("b", "NanoTrackV1"), "network NanoTrackV1, expected LightTrackM_Subnet as in a"),
        (a_subject("b", path_name="back_x"), "path name back_x, expected back_0450"),
        (a_subject("b", search_size=256), "template and search size 127/256, expected 127/288 as in a"),
    ],
)
def test_another_network_is_refused(other, said):
    with pytest.raises(UsageError, match=r"^export b: ") as caught:
        check_same_network([a_subject("a"), a_subject("c"), other])
    assert said in str(caught.value)
    assert "measure others in a run of their own" in str(caught.value)


def test_one_network_under_two_names_is_one():
    check_same_network([a_subject("a"), a_subject("b", "LightTrackM_Speed")])


def test_an_export_without_the_format_is_named():
    manifest = SimpleNamespace(graphs=[SimpleNamespace(format="ncnn")])
    check_formats(Path("a"), manifest, ())
    check_formats(Path("a"), manifest, ("onnx", "ncnn"))
    with pytest.raises(UsageError, match=r"^--format onnx: export a has ncnn only"):
        check_formats(Path("a"), manifest, ("onnx",))


def test_an_overlap_is_that_of_the_format_and_the_size():
    assert (BYTES.overlap("ncnn").mean, BYTES.overlap("onnx").mean) == (0.976123, 0.98)
    assert BYTES.overlap("ncnn").smallest == pytest.approx(0.876123)
    assert FLOAT.overlap("ncnn") is None
    other_size = SimpleNamespace(formats=("ncnn",), network=SimpleNamespace(sizes=(127, 288)))
    assert replace(BYTES, tracker=other_size).overlap("ncnn") is None


def test_an_overlap_is_of_the_files_that_are_there():
    changed = replace(BYTES, problems=(FileProblem("a.bin", "has changed since the export"),))
    assert changed.overlap("ncnn") is None
    assert an_export(overlaps={"ncnn": 0.9}, status="unverified").overlap("ncnn") is None


@pytest.mark.parametrize("mean", [None, "0.9", True, 7.0, -0.1, float("nan")])
def test_an_overlap_that_is_none_is_not_believed(mean):
    odd = an_export()
    entry = {"format": "ncnn", "sizes": [127, 256], "iou_mean": mean}
    odd.manifest.verification = VerificationEntry.model_construct(status="passed", pictures=(entry, {}))
    assert odd.overlap("ncnn") is None


def rows_of(text):
    """The titles, and the lines under them."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if "Runtime" in line and "Of fastest" in line)
    last = next(number for number, line in enumerate(lines) if line.startswith(("* with", "- ", "median (")))
    return lines[first], lines[first + 1 : last]


@pytest.mark.parametrize(
    ("width", "there", "missing"),
    [
        (80, "Runtime Weights Precision Threads MB update,", "IoU Updates/s init Export min"),
        (100, "Runtime Weights Precision Threads MB IoU Updates/s update,", "init Export min"),
        (120, "Runtime Weights Precision Threads MB IoU init, update,", "Export min"),
        (160, "Export Runtime Weights Precision Threads MB IoU init, update,", "min"),
    ],
)
def test_weights_bytes_and_overlaps_stand_beside_the_times(width, there, missing):
    result = a_result(exports=ALL, factor=lambda candidate, number: 2.0)
    text = printed(result, width)
    titles, rows = rows_of(text)
    assert max(map(len, (titles, *rows))) <= width
    for title in there.split():
        assert title in titles.split()
    for title in missing.split():
        assert title not in titles.split()
    assert len(rows) >= len(result.of("update"))


def test_a_row_has_what_its_export_has():
    rows = [row.split() for row in rows_of(printed(a_result(exports=ALL), 200))[1]]
    start = {tuple(row[:7]) for row in rows}
    assert {
        ("…htTrackM_Subnet", "ncnn", "fp32", "fp32", "1", "12.85", "–"),
        ("…ckM_Subnet-half", "ncnn", "half", "half", "1", "6.50", "–"),
        ("…rackM_Subnet-w8", "ncnn", "w8", "half", "1", "2.40", "0.97612"),
        ("…rackM_Subnet-w8", "onnxruntime", "w8", "fp32", "1", "3.57", "0.98000"),
        ("…rackM_Subnet-w8", "onnxruntime*", "w8", "fp32", "1", "3.57", "0.98000"),
        ("…ckM_Subnet-int8", "ncnn", "int8", "fp32", "1", "3.60", "0.96600"),
        ("–", "torch", "–", "fp32", "1", "–", "–"),
    } <= start
    assert f"* with {QDQ}=1, as the manifest of the export says" in printed(a_result(exports=ALL), 80)
    assert QDQ not in printed(a_result(exports=[FLOAT, HALF]), 80)


def test_exports_of_the_same_weights_are_told_apart_by_name():
    epochs = [an_export("epoch1", sha256="1"), an_export("epoch2", sha256="2")]
    titles, rows = rows_of(printed(a_result(exports=epochs), 80))
    assert titles.startswith("Export ")
    assert {row.split()[0] for row in rows} == {"epoch1", "epoch2", "torch", "–"} - {"torch"}
    assert any(
        note.startswith("the exports are of 2 checkpoints") for note in a_result(exports=epochs).as_dict()["notes"]
    )


def test_two_formats_of_the_same_weights_are_told_apart_by_their_runtime():
    by_format = [an_export(f"w8-{format}", "w8", (format,)) for format in ("ncnn", "onnx")]
    assert not rows_of(printed(a_result(exports=by_format), 80))[0].startswith("Export ")


def test_times_of_graphs_stay_a_table_where_names_are_long():
    text = printed(a_result(exports=ALL), 120, per_graph=True)
    titles = next(line for line in text.splitlines() if line.startswith("Candidate "))
    assert titles.split()[:5] == ["Candidate", "Part", "Graph", "Median,", "ms"]


def test_names_that_are_cut_alike_are_not_cut():
    alike = [an_export(f"{kind}/LightTrackM_Subnet") for kind in ("a", "b")]
    text = printed(a_result(exports=alike), 200)
    assert "a/LightTrackM_Subnet" in text
    assert "b/LightTrackM_Subnet" in text


def test_one_export_is_what_it_was():
    result = a_result(exports=[BYTES])
    assert not result.several
    assert [each["candidate"] for each in result.as_dict()["results"]][:2] == ["torch fp32, 1 thread"] * 2
    titles, _ = rows_of(printed(result, 200))
    assert "Export" not in titles.split()
    assert "IoU" not in rows_of(printed(a_result(), 200))[0].split()


def test_the_result_has_every_export():
    found = a_result(exports=ALL).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert [(each["name"], each["weights"]) for each in found["exports"]] == [(each.name, each.weights) for each in ALL]
    assert found["folder"] == str(FLOAT.folder)
    [ncnn, onnx] = found["exports"][2]["formats"]
    assert (ncnn["bytes"], ncnn["overlap"]["mean"], ncnn["session_options"]) == (2_400_000, 0.976123, {})
    assert onnx["session_options"] == {QDQ: "1"}
    by_folder = {(each["folder"], each["bytes"]) for each in found["results"] if each["format"] == "ncnn"}
    assert by_folder == {(str(each.folder), each.bytes["ncnn"]) for each in ALL}


def test_remarks_are_true_of_several():
    said = " | ".join(remarks_of(a_result(exports=ALL)))
    assert "half and w8 weights are widened when a model is loaded (w8 by onnxruntime only with" in said
    assert "layers of int8 models calculate in int8 in either mode" in said
    assert "onnxruntime half is not measured: the exports' onnx models calculate in fp32, or in int8" in said
    alone = " | ".join(remarks_of(a_result()))
    for words in ("widened", "int8", "checkpoints"):
        assert words not in alone
    assert "the export's onnx models calculate in fp32 |" in alone
    ncnn = [an_export("a", "w8", ("ncnn",)), an_export("b", formats=("ncnn",))]
    assert "w8 weights are widened when a model is loaded: they" in " | ".join(remarks_of(a_result(exports=ncnn)))


def test_an_update_of_other_graphs_says_whose():
    text = printed(a_result(exports=[FLOAT, HALF]), verbose=True)
    assert "update is update in ncnn, backbone + neck_head in onnx and track() in torch" in text
    result = a_result(exports=[FLOAT, HALF])
    for times in result.times:
        if times.candidate.export is HALF and times.candidate.format == "ncnn":
            times.__dict__["graphs"] = {"backbone": times.whole, "neck_head": times.whole}
    text = printed(result, verbose=True)
    assert f"update in ncnn ({FLOAT.name}), backbone + neck_head in ncnn ({HALF.name}), backbone" in text


def test_a_changed_file_is_named_with_its_folder():
    changed = replace(HALF, problems=(FileProblem("a.bin", "has changed since the export"),))
    with pytest.raises(VerificationError, match=r"^LightTrackM_Subnet-half: a.bin has changed since the export: what"):
        a_result(exports=[FLOAT, changed]).raise_if_changed()
    with pytest.raises(VerificationError, match=r"^a.bin has changed since the export: what"):
        a_result(exports=[changed]).raise_if_changed()
    files = a_result(exports=[FLOAT, changed]).as_dict()["files"]
    assert files["problems"] == [
        {"file": "a.bin", "problem": "has changed since the export", "folder": "LightTrackM_Subnet-half"}
    ]


def test_the_page_draws_overlaps_over_bytes():
    page = html_of(bench_report(a_result(exports=ALL), "today", "lt-bench a b"))
    assert page.count("mean IoU over MB") >= 2  # for a desk and for a phone
    assert "lt-bench a b" in page
    drawn, about, unknown = overlaps_over_bytes(ALL)
    for drawing in drawn.drawings[0]:
        circles = {
            circle.find("title").text: float(circle.get("r"))
            for circle in ElementTree.fromstring(drawing).iter("circle")
        }
        assert circles == {
            "LightTrackM_Subnet-w8, ncnn: 2.40 MB, mean IoU 0.97612": 5,
            "LightTrackM_Subnet-w8, onnx: 3.57 MB, mean IoU 0.98000": 5,
            "LightTrackM_Subnet-int8, ncnn: 3.60 MB, mean IoU 0.96600": 3,  # larger and worse than others
        }
    assert "one step on each of the package's pictures" in about.text
    assert unknown.text == "no overlap was measured of LightTrackM_Subnet and LightTrackM_Subnet-half"
    assert "0.97612" in markdown_of(bench_report(a_result(exports=ALL), "today"))


def test_nothing_is_drawn_where_no_manifest_says_anything_of_boxes():
    assert overlaps_over_bytes([FLOAT, HALF]) == []
    assert "mean IoU" not in html_of(bench_report(a_result(exports=[FLOAT, HALF]), "today"))


def test_the_picture_has_every_export_whatever_its_folder_is_called(tmp_path):
    odd = an_export("x" * 60 + r" $\foo$ <b> &", "half", bytes={"ncnn": 1_000_000, "onnx": 1})
    path = tmp_path / "a.svg"
    plot.draw(path, a_result(exports=[FLOAT, odd], threads=(1,)))
    drawn = path.read_text()
    assert ElementTree.fromstring(drawn) is not None
    said = re.findall(r"<!-- (.*?) -->", drawn, re.DOTALL)
    assert any("LightTrackM_Subnet: fp32 weights, 12.85 MB" in each for each in said)
    assert any(r"xxx $\foo$" in unescape(each) and "half weights, 1.00 MB" in each for each in said), said
