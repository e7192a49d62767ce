"""Presets hold what their consumers take, fit the network, and give way to the options beside them."""

from dataclasses import replace

import pytest
import yaml

from converter.errors import UsageError
from converter.formats.format import format_of
from converter.spec import presets
from converter.spec.config import config_folder, network_for
from converter.spec.dimensions import Dimensions
from converter.spec.naming import Naming, check_names
from converter.spec.options import ExportOptions
from converter.spec.presets import Preset, Wanted, check_preset, choose, load_preset, preset_names

NETWORK = network_for(None)[1]

NANO_NAMES = {
    "backbone": {"x": "input", "xf": "output"},
    "neck_head": {"zf": "input1", "xf": "input2", "cls": "output1", "loc": "output2"},
}
# The consumers' conventions, written down once more: what they load, feed and extract.
TABLE = {
    "lighttrack-ncnn": {
        "format": "ncnn",
        "split": "two",
        "template_size": 127,
        "search_size": 288,
        "opset": None,
        "scores": "logits",
        "precision": "fp32",
        "ncnn": "20230223",
        "files": {"init": "lighttrack_init", "update": "lighttrack_update"},
        "names": {
            "init": {"z": "input1", "zf": "output.1"},
            "update": {"zf": "input1", "x": "input2", "cls": "output.1", "reg": "output.2"},
        },
    },
    "android-single": {
        "format": "ncnn",
        "split": "one",
        "template_size": 128,
        "search_size": 256,
        "opset": None,
        "scores": "logits",
        "precision": "fp32",
        "ncnn": "20210720",
        "files": {"single": "lighttrack-op"},
        "names": {"single": {"x": "input", "zf": "temp", "cls": "cls", "reg": "reg", "xf": "745"}},
    },
    "rknn": {
        "format": "onnx",
        "split": "three",
        "template_size": None,
        "search_size": None,
        "opset": 11,
        "scores": "logits",
        "precision": "fp32",
        "ncnn": None,
        "files": {},
        "names": {},
    },
    "tensorrt": {
        "format": "onnx",
        "split": "two",
        "template_size": 128,
        "search_size": 256,
        "opset": 11,
        "scores": "sigmoid",
        "precision": "fp32",
        "ncnn": None,
        "files": {},
        "names": {"init": {"z": "z", "zf": "zf"}, "update": {"zf": "zf", "x": "x", "cls": "cls", "reg": "reg"}},
    },
    "pnnx": {
        "format": "ncnn",
        "split": "two",
        "template_size": 127,
        "search_size": 288,
        "opset": None,
        "scores": "logits",
        "precision": "fp32",
        "ncnn": None,
        "files": {},
        "names": {
            "init": {"z": "in0", "zf": "out0"},
            "update": {"zf": "in0", "x": "in1", "cls": "out0", "reg": "out1"},
        },
    },
    "opencv-tracker-nano": {
        "format": "onnx",
        "split": "shared",
        "template_size": 127,
        "search_size": 255,
        "opset": None,
        "scores": "logits",
        "precision": "fp32",
        "ncnn": None,
        "files": {"backbone": "nanotrack_backbone", "neck_head": "nanotrack_head"},
        "names": NANO_NAMES,
        "archs": ["NanoTrackV1", "NanoTrackV2"],
        "because": "it counts 16x16 cells, and NanoTrackV3 answers with 15x15",
    },
    "nanotrack-ncnn": {
        "format": "ncnn",
        "split": "shared",
        "template_size": 127,
        "search_size": 255,
        "opset": None,
        "scores": "logits",
        "precision": "fp32",
        "ncnn": "20210720",
        "files": {"backbone": "nanotrack_backbone_sim-opt", "neck_head": "nanotrack_head_sim-opt"},
        "names": NANO_NAMES,
        "archs": ["NanoTrackV1", "NanoTrackV2"],
        "because": "it counts 16x16 cells, and NanoTrackV3 answers with 15x15",
    },
    "rknn-lighttrack": {
        "format": "rknn",
        "split": "three",
        "template_size": 127,
        "search_size": 288,
        "opset": None,
        "scores": "logits",
        "precision": "half",
        "ncnn": None,
        "normalise": "inside",
        "files": {
            "init": "lighttrack_init.precompile",
            "backbone": "lighttrack_backbone.precompile",
            "neck_head": "lighttrack_neck_head.precompile",
        },
        "names": {},
        "archs": ["LightTrackM_Subnet", "LightTrackM_Speed"],
        "because": "it counts 18x18 cells and takes RGB",
    },
    "rknn-nanotrack": {
        "format": "rknn",
        "split": "three",
        "template_size": 127,
        "search_size": 255,
        "opset": None,
        "scores": "logits",
        "precision": "half",
        "ncnn": None,
        "files": {"init": "track_backbone_T", "backbone": "track_backbone_X", "neck_head": "head"},
        "names": {},
        "archs": ["NanoTrackV1", "NanoTrackV2"],
        "because": "it counts 16x16 cells, and NanoTrackV3 answers with 15x15",
    },
}
# what an export with it is made of: file to (inputs, outputs) in their order
MADE = {
    "rknn-lighttrack": {
        "lighttrack_init.precompile": (["z"], ["zf"]),
        "lighttrack_backbone.precompile": (["x"], ["xf"]),
        "lighttrack_neck_head.precompile": (["zf", "xf"], ["cls", "reg"]),
    },
    "rknn-nanotrack": {
        "track_backbone_T": (["z"], ["zf"]),
        "track_backbone_X": (["x"], ["xf"]),
        "head": (["zf", "xf"], ["cls", "loc"]),
    },
    "lighttrack-ncnn": {
        "lighttrack_init": (["input1"], ["output.1"]),
        "lighttrack_update": (["input1", "input2"], ["output.1", "output.2"]),
    },
    "android-single": {"lighttrack-op": (["temp", "input"], ["cls", "reg", "745"])},
    "rknn": {
        "lighttrack_init": (["z"], ["zf"]),
        "lighttrack_backbone": (["x"], ["xf"]),
        "lighttrack_neck_head": (["zf", "xf"], ["cls", "reg"]),
    },
    "tensorrt": {"lighttrack_init": (["z"], ["zf"]), "lighttrack_update": (["zf", "x"], ["cls", "reg"])},
    "pnnx": {"lighttrack_init": (["in0"], ["out0"]), "lighttrack_update": (["in0", "in1"], ["out0", "out1"])},
    "opencv-tracker-nano": {
        "nanotrack_backbone": (["input"], ["output"]),
        "nanotrack_head": (["input1", "input2"], ["output1", "output2"]),
    },
    "nanotrack-ncnn": {
        "nanotrack_backbone_sim-opt": (["input"], ["output"]),
        "nanotrack_head_sim-opt": (["input1", "input2"], ["output1", "output2"]),
    },
}


def arch_for(name):
    """The first that a preset takes; None where it takes the config's first."""
    return next(iter(TABLE.get(name, {}).get("archs", ())), None)


def network_of(name):
    return network_for(arch_for(name))[1]


def chosen(name=None, **given):
    return choose(Wanted(**{"preset": name, "arch": arch_for(name), **given}))


def named(renames, name=None, **given):
    return chosen(name, renames=tuple(renames), **given).naming


def options(choice, tmp_path, **changes):
    return ExportOptions(**dict(choice), checkpoint=tmp_path / "a.pth", output=tmp_path / "out", **changes)


def test_every_file_in_the_folder_is_a_preset_that_is_tested_here():
    assert {path.name for path in (config_folder() / "presets").iterdir()} == {f"{name}.yaml" for name in TABLE}
    assert preset_names() == sorted(TABLE)
    assert MADE.keys() == TABLE.keys()


@pytest.mark.parametrize("name", TABLE)
def test_preset_is_what_its_consumer_takes(name):
    preset = load_preset(name)
    assert preset.model_dump(exclude={"about"}) == {"archs": [], "because": "", "normalise": None, **TABLE[name]}
    check_preset(name, preset, network_of(name))


@pytest.mark.parametrize("name", TABLE)
def test_preset_alone_makes_an_export_that_its_consumer_loads(name, tmp_path):
    from converter.exporting.plan import plan_export

    row = TABLE[name]
    choice = chosen(name, **({"target": "rk3588"} if row["format"] == "rknn" else {}))
    assert choice.arch == arch_for(name) or "LightTrackM_Subnet"
    sizes = (row["template_size"] or 127, row["search_size"] or 288)
    assert (choice.network.template_size, choice.network.search_size) == sizes
    assert choice.search_sizes == sizes[1:]
    assert (choice.formats, choice.split, choice.opset) == ((row["format"],), row["split"], row["opset"] or 11)
    assert (choice.precision, choice.oldest_ncnn) == (row["precision"], row["ncnn"])
    assert choice.network.activations == ({"cls": "sigmoid"} if row["scores"] == "sigmoid" else {})
    plan = plan_export(options(choice, tmp_path))
    files = {source.stem: source.graph for source in plan.sources}
    found = {
        stem: ([tensor.name for tensor in graph.inputs], [tensor.name for tensor in graph.outputs])
        for stem, graph in files.items()
    }
    assert found == MADE[name]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lighttrack-ncnn", "C++ demo of Z-Xiong/LightTrack-ncnn and its Android twin (ncnn, split two, 127/288)"),
        ("android-single", "FeiGeChuanShu/ncnn_Android_LightTrack, one model used twice (ncnn, split one, 128/256)"),
        ("rknn", "RKNN-Toolkit, three ONNX models named by meaning (onnx, split three, opset 11)"),
        (
            "tensorrt",
            "TensorRT, two ONNX models with the sigmoid inside (onnx, split two, 128/256, opset 11, sigmoid inside)",
        ),
        ("opencv-tracker-nano", "OpenCV's TrackerNano, two ONNX models (V1 and V2) (onnx, split shared, 127/255)"),
        (
            "nanotrack-ncnn",
            "C++ demos of HonglinChu/NanoTrack, macOS and Android (V1 and V2) (ncnn, split shared, 127/255)",
        ),
        ("pnnx", "code written against pnnx's own names, in0, in1, out0, out1 (ncnn, split two, 127/288)"),
    ],
)
def test_preset_is_listed_with_one_line(name, line):
    assert load_preset(name).line() == line
    half = load_preset(name).model_copy(update={"precision": "half"})
    assert half.line() == f"{line[:-1]}, half weights)"


def test_without_preset_and_options_the_config_decides():
    choice = chosen()
    assert (choice.network, choice.search_sizes, choice.formats) == (NETWORK, (288,), ("ncnn",))
    assert (choice.split, choice.opset, choice.precision, choice.oldest_ncnn) == (None, 11, "fp32", None)
    assert choice.naming == Naming()


@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize(
    ("flag", "attribute", "expected"),
    [
        ({"split": "three"}, "split", "three"),
        ({"opset": 17}, "opset", 17),
        ({"precision": "half"}, "precision", "half"),
        ({"precision": "fp32"}, "precision", "fp32"),
        ({"oldest_ncnn": "20250428"}, "oldest_ncnn", "20250428"),
        ({"formats": ("onnx", "ncnn")}, "formats", ("onnx", "ncnn")),
        ({"formats": ("ncnn",)}, "formats", ("ncnn",)),
        ({"search_sizes": (320, 256)}, "search_sizes", (320, 256)),
        ({"search_sizes": (272,)}, "search_sizes", (272,)),
    ],
)
def test_an_option_beside_a_preset_wins_and_changes_nothing_else(name, flag, attribute, expected):
    alone, choice = chosen(name), chosen(name, **flag)
    assert getattr(choice, attribute) == expected
    others = {"formats", "split", "opset", "precision", "oldest_ncnn", "search_sizes", "naming", "arch"} - {attribute}
    assert {key: getattr(choice, key) for key in others} == {key: getattr(alone, key) for key in others}
    size = expected[0] if attribute == "search_sizes" else alone.network.search_size
    assert choice.network == alone.network.model_copy(update={"search_size": size})


@pytest.mark.parametrize("name", TABLE)
def test_a_template_size_beside_a_preset_wins(name):
    choice = chosen(name, template_size=96)
    assert (choice.network.template_size, choice.network.search_size) == (96, TABLE[name]["search_size"] or 288)


@pytest.mark.parametrize("name", [None, *TABLE])
def test_scores_beside_a_preset_win(name):
    activation = network_of(name).activation
    assert chosen(name, scores=activation).network.activations == {"cls": activation}
    assert chosen(name, scores="logits").network.activations == {}


def test_no_half_beside_a_preset_of_halves_wins(monkeypatch):
    halves = load_preset("pnnx").model_copy(update={"precision": "half"})
    monkeypatch.setattr(presets, "load_preset", lambda name: halves)
    asked = (None, "fp32", "half", "w8")
    assert [chosen("pnnx", precision=each).precision for each in asked] == ["half", "fp32", "half", "w8"]


def test_path_name_arch_and_config_beside_a_preset(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("search_size: 320\ntemplate_size: 96\nnoise_feeds: 3\n")
    tiny = "back_00000000000000000000+cls_002222222+reg_012222222_ops_10"
    choice = chosen("pnnx", arch="LightTrackM_Speed", config=path, path_name=tiny)
    assert (choice.arch, choice.network.path_name, choice.network.noise_feeds) == ("LightTrackM_Speed", tiny, 3)
    assert (choice.network.template_size, choice.network.search_size) == (127, 288)
    assert chosen(None, config=path).search_sizes == (320,)
    assert chosen(None, config=path).network.template_size == 96


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"template_size": 0}, "--template-size 0: "),
        ({"search_sizes": (0,)}, "--search-size 0: "),
        ({"search_sizes": (288, 2000)}, "--search-size 2000: "),
        ({"opset": 0}, "--opset 0: expected 11 to 17"),  # not taken for the preset's
        ({"oldest_ncnn": ""}, "--oldest-ncnn : expected the date of a release, 20210720 or later"),
        ({"oldest_ncnn": "2021"}, "--oldest-ncnn 2021: expected the date"),
        ({"oldest_ncnn": "20210720\n"}, "--oldest-ncnn 20210720\n: expected"),
        ({"oldest_ncnn": "202107200"}, "--oldest-ncnn 202107200: expected"),
        ({"oldest_ncnn": "19990101"}, "--oldest-ncnn 19990101: expected"),
        ({"oldest_ncnn": "20\u0662\u0661\u0660\u0667\u0662\u0660"}, "--oldest-ncnn 20"),
    ],
)
@pytest.mark.parametrize("name", [None, "android-single"])
def test_options_that_cannot_be_are_refused_with_and_without_a_preset(name, given, message):
    with pytest.raises(UsageError) as caught:
        chosen(name, **given)
    assert str(caught.value).startswith(message)


def test_renames_go_on_top_of_the_presets_names():
    naming = named(["cls=score", "input2=image"], "lighttrack-ncnn")
    assert naming.blobs["update"] == {"zf": "input1", "x": "image", "cls": "score", "reg": "output.2"}
    assert naming.blobs["init"] == TABLE["lighttrack-ncnn"]["names"]["init"]
    assert naming.files == TABLE["lighttrack-ncnn"]["files"]
    assert named([], "pnnx").blobs == TABLE["pnnx"]["names"]


def test_renames_are_of_the_graphs_that_become_files():
    assert named(["745=zf_out"], "android-single").blobs["single"]["xf"] == "zf_out"
    with pytest.raises(UsageError, match="no graph init in this export, only single"):
        named(["init:z=a"], "android-single")
    assert named(["xf=f"], split="three").blobs == {"backbone": {"xf": "f"}, "neck_head": {"xf": "f"}}
    with pytest.raises(UsageError, match="no input or output is called 'xf'"):
        named(["xf=f"])
    both = named(["xf=f", "x=image"], formats=("ncnn", "onnx"))
    assert both.blobs["update"] == {"x": "image"}
    assert both.blobs["backbone"] == {"x": "image", "xf": "f"}
    for split in ("four", ""):
        with pytest.raises(UsageError, match=f"--split {split}: expected one of"):
            named([], split=split)


@pytest.mark.parametrize("name", ["", "nope", "../lighttrack_mobile", "PNNX", "pnnx.yaml", "."])
def test_unknown_preset_names_the_known_ones(name):
    with pytest.raises(UsageError) as caught:
        chosen(name)
    known = (
        "android-single, lighttrack-ncnn, nanotrack-ncnn, opencv-tracker-nano, pnnx, rknn, rknn-lighttrack, "
        "rknn-nanotrack, tensorrt (--list-presets)"
    )
    nearest = "; did you mean 'pnnx'?" if name == "PNNX" else ""
    assert str(caught.value) == f"--preset {name}: unknown, known are {known}{nearest}"


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Puts a changed copy of a preset in a folder of its own, as ``mine``."""
    monkeypatch.setattr(presets, "config_folder", lambda: tmp_path)
    (tmp_path / "presets").mkdir()

    def store(content):
        path = tmp_path / "presets" / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return store


PLAIN = {"about": "mine", "format": "ncnn", "split": "two"}


def test_the_least_that_a_preset_says(stored):
    stored(PLAIN)
    assert load_preset("mine") == Preset(**PLAIN)
    assert (Preset(**PLAIN).names, Preset(**PLAIN).files, Preset(**PLAIN).precision) == ({}, {}, "fp32")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"about": None}, "about: "),
        ({"format": "../ncnn"}, "format: "),
        ({"template_size": "127"}, "template_size: "),
        ({"search_size": 4000}, "search_size: "),
        ({"opset": 10}, "opset: "),
        ({"opset": 18}, "opset: "),
        ({"scores": "tanh"}, "scores: "),
        ({"archs": "NanoTrackV1"}, "archs: "),
        ({"precision": "int8"}, "precision: "),
        ({"ncnn": 20210720}, "ncnn: "),
        ({"ncnn": "x20210720"}, "ncnn: "),
        ({"ncnn": "202107201"}, "ncnn: "),
        ({"names": {"init": ["z"]}}, "names.init: "),
        ({"names": {"init": {"z": 745}}}, "names.init.z: "),
        ({"files": {"init": "../init"}}, "files.init: "),
        ({"files": {"init": "a/b"}}, "files.init: "),
        ({"files": {"init": ".hidden"}}, "files.init: "),
        ({"files": {"init": ""}}, "files.init: "),
        ({"files": {"init": "a" * 101}}, "files.init: "),
        ({"colour": "red"}, "colour: extra inputs are not permitted"),
    ],
)
def test_damaged_preset_is_refused_with_its_file_and_key(stored, change, where):
    path = stored({**PLAIN, **change})
    with pytest.raises(UsageError) as caught:
        load_preset("mine")
    assert str(caught.value).startswith(f"preset {path}: {where}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["about", "format", "split"])
def test_preset_that_lacks_a_key_is_refused(stored, key):
    path = stored({name: value for name, value in PLAIN.items() if name != key})
    with pytest.raises(UsageError) as caught:
        load_preset("mine")
    assert str(caught.value) == f"preset {path}: {key}: field required"


@pytest.mark.parametrize("content", ["", "[", "- a", "a: b: c", "\x00"])
def test_preset_that_is_no_table_is_refused(stored, content):
    path = stored(content)
    with pytest.raises(UsageError, match=r"mine\.yaml") as caught:
        load_preset("mine")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"split": "four"}, "the split 'four', and this network has two, three, one"),
        ({"names": {"track": {}}}, "a graph 'track', and this network has init, update, backbone, neck_head, single"),
        ({"files": {"track": "a"}}, "a graph 'track', and this network has"),
        ({"names": {"init": {"x": "a"}}}, "'x' of graph init, which in this network has z -> zf"),
        ({"names": {"update": {"xf": "a"}}}, "'xf' of graph update, which in this network has zf, x -> cls, reg"),
    ],
)
def test_preset_of_another_kind_of_network_is_refused(stored, change, words):
    stored({**PLAIN, **change})
    with pytest.raises(UsageError) as caught:
        chosen("mine")
    assert str(caught.value).startswith(f"--preset mine: its consumer wants {words}")


def test_preset_that_wants_a_probability_of_a_network_without_logits_is_refused():
    other = NETWORK.model_copy(update={"logits": {}})
    check_preset("pnnx", load_preset("pnnx"), other)
    with pytest.raises(
        UsageError,
        match="--preset tensorrt: its consumer wants scores through a sigmoid, which this network's are not; it is not",
    ):
        check_preset("tensorrt", load_preset("tensorrt"), other)
    with pytest.raises(UsageError, match="--preset tensorrt: its consumer wants scores through a sigmoid"):
        check_preset("tensorrt", load_preset("tensorrt"), NETWORK.model_copy(update={"activation": "softmax"}))


@pytest.mark.parametrize("name", ["opencv-tracker-nano", "nanotrack-ncnn"])
def test_a_network_that_a_preset_does_not_name_is_refused_with_the_reason(name):
    assert chosen(name, arch="NanoTrackV2").network.archs == ["NanoTrackV2"]
    with pytest.raises(UsageError) as caught:
        chosen(name, arch="NanoTrackV3")
    assert str(caught.value) == (
        f"--preset {name}: it counts 16x16 cells, and NanoTrackV3 answers with 15x15; it takes NanoTrackV1 and "
        "NanoTrackV2, not NanoTrackV3: leave --preset out"
    )
    with pytest.raises(UsageError, match="the split 'shared', and this network has two, three, one; it is not for"):
        chosen(name, arch="LightTrackM_Subnet")


@pytest.mark.parametrize("name", ["lighttrack-ncnn", "android-single", "tensorrt", "pnnx"])
def test_presets_of_other_networks_are_refused_for_nanotrack(name):
    with pytest.raises(UsageError, match=f"^--preset {name}: its consumer wants .* it is not for NanoTrackV1: leave"):
        chosen(name, arch="NanoTrackV1")


@pytest.mark.parametrize(
    ("arch", "sizes", "prefix"),
    [("NanoTrackV3", (127, 255), "nanotrack"), ("STARK_Lightning", (128, 320), "stark")],
)
def test_a_preset_without_sizes_and_files_takes_those_of_any_family(arch, sizes, prefix, tmp_path):
    from converter.exporting.plan import plan_export

    choice = chosen("rknn", arch=arch, **({"path_name": "rep_v2"} if prefix == "stark" else {}))
    assert (choice.network.sizes, choice.search_sizes) == (sizes, sizes[1:])
    stems = [source.stem for source in plan_export(options(choice, tmp_path)).sources]
    assert stems == [f"{prefix}_init", f"{prefix}_backbone", f"{prefix}_neck_head"]
    assert chosen("rknn", arch=arch, template_size=96).network.sizes == (96, sizes[1])


def test_names_of_presets_are_legal_in_both_formats():
    dimensions = Dimensions(
        template_size=127, search_size=288, stride=16, channels=96, template_cells=8, search_cells=18
    )
    for name in preset_names():
        choice = chosen(name)
        dimensions = replace(dimensions, others={"score_cells": 16})
        graphs = [choice.network.graph_spec(graph, dimensions) for graph in choice.network.converted(choice.split)]
        for format in ("ncnn", "onnx"):
            files = [
                (choice.naming.stem(graph.name, choice.network.file_prefix), choice.naming.named(graph))
                for graph in graphs
            ]
            check_names(format, format_of(format).legal, format_of(format).rule, files)
