"""Configs are read strictly, and what is wrong is said with the file and the key."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from converter.errors import ArchitectureError, UsageError
from converter.spec.config import config_folder, network_for
from converter.spec.dimensions import Dimensions
from converter.spec.options import ExportOptions
from converter.spec.tensors import StepLimits, TensorSpec, Tolerance

DIMENSIONS = Dimensions(template_size=127, search_size=288, stride=16, channels=96, template_cells=8, search_cells=18)


@pytest.fixture
def shipped():
    return network_for(None)[1]


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "mine.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return write


def options(network, **changes):
    return ExportOptions(arch="A", checkpoint=Path("a.pth"), output=Path("out"), network=network, **changes)


def test_shipped_config_is_lighttrack_mobile():
    arch, network = network_for(None)
    assert arch == "LightTrackM_Subnet"
    assert network.path_name == "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
    assert (network.template_size, network.search_size) == (127, 288)
    assert set(network.splits) == {"one", "two", "three"}
    assert network.tolerances["fp32"] == dict.fromkeys(("zf", "xf", "cls", "reg"), Tolerance(rtol=1e-4))
    assert network.decision == "cls"
    assert network.preprocess.model_dump() == {
        "colour_order": "RGB",
        "pixel_range": [0.0, 1.0],
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }


def test_every_arch_of_the_config_is_known():
    assert network_for("LightTrackM_Speed") == ("LightTrackM_Speed", network_for(None)[1])


def test_unknown_arch_names_the_known_ones():
    with pytest.raises(ArchitectureError, match="'Siam', known are LightTrackM_Subnet, LightTrackM_Speed"):
        network_for("Siam")


def test_partial_config_replaces_only_its_own_keys(write, shipped):
    path = write({"search_size": 256, "tolerances": {"fp32": {"cls": {"rtol": 0.5}}}, "tracker": {"lr": 0.1}})
    network = network_for(None, path)[1]
    assert network.search_size == 256
    assert network.tolerances["fp32"] == {**shipped.tolerances["fp32"], "cls": Tolerance(rtol=0.5)}
    assert network.tracker == {**shipped.tracker, "lr": 0.1}
    unchanged = {"search_size", "tolerances", "tracker"}
    assert network.model_dump(exclude=unchanged) == shipped.model_dump(exclude=unchanged)


def test_lists_of_a_partial_config_replace_whole_lists(write):
    network = network_for(None, write({"splits": {"two": ["neck_head", "backbone", "init"]}}))[1]
    assert network.splits["two"] == ["neck_head", "backbone", "init"]
    assert network.splits["three"] == ["init", "backbone", "neck_head"]


def test_config_brings_its_own_arch(write):
    data = yaml.safe_load((config_folder() / "lighttrack_mobile.yaml").read_text())
    path = write({**data, "archs": ["Mine"], "search_size": 320})
    assert network_for(None, path)[0] == "Mine"
    assert network_for("Mine", path)[1].search_size == 320
    with pytest.raises(ArchitectureError, match="known are Mine"):
        network_for("LightTrackM_Subnet", path)


def test_overrides_come_last_and_none_is_no_override(write):
    path = write({"search_size": 256, "template_size": 128})
    network = network_for(None, path, {"search_size": 320, "template_size": None})[1]
    assert (network.template_size, network.search_size) == (128, 320)


def test_override_that_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="search-size"):
        network_for(None, None, {"search_size": 4000})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"seach_size": 256}, ["seach_size"]),
        ({"tensors": {"zf": {"colour": "red"}}}, ["tensors.zf.colour"]),
        ({"search_size": "288"}, ["search_size", "whole number", "'288'"]),
        ({"search_size": 288.5}, ["search_size", "whole number", "288.5"]),
        ({"search_size": 2000}, ["search_size", "1024", "2000"]),
        ({"noise_feeds": 0}, ["noise_feeds"]),
        ({"noise_feeds": 10**9}, ["noise_feeds", "at most 1000", "1000000000"]),
        ("noise_feeds: 1e9", ["noise_feeds: expected a whole number", "'1e9'"]),
        ({"tensors": {"z": {"shape": [1, 10**9]}}}, ["tensors.z.shape.1", "4096", "1000000000"]),
        ({"tensors": {"z": {"shape": [1] * 9}}}, ["tensors.z.shape", "at most 8 items"]),
        ("tensors: {z: {shape: [1.0e+30]}}", ["tensors.z.shape.0", "1e+30"]),
        ({"preprocess": {"std": [1e-300, 1.0, 1.0]}}, ["preprocess.std.0", "at least", "1e-300"]),
        ({"preprocess": {"mean": [1e300, 1.0, 1.0]}}, ["preprocess.mean.0", "1000000"]),
        ({"tracker": {"lr": "fast"}}, ["tracker.lr: expected a number, found 'fast'"]),
        ({"tracker": {"lr": True}}, ["tracker.lr: expected a number, found True"]),
        ({"tracker": {"cls": [1]}}, ["tracker.cls: expected text, found [1]"]),
        ({"tracker": 5}, ["tracker: expected keys and values", "5"]),
        ({"graphs": {"a/b": {"mode": "template", "inputs": ["z"], "outputs": ["zf"]}}}, ["graphs.a/b", "pattern"]),
        ({"archs": ["LightTrackM_Subnet", "../x"]}, ["archs.1", "pattern"]),
        ({"file_prefix": "x" * 101}, ["file_prefix", "pattern"]),
        ({"path_name": ["x" * 1000]}, ["path_name", f"['{'x' * 78}…"]),
        ({"family": None}, ["family", "text"]),
        ({"preprocess": {"colour_order": "GBR"}}, ["preprocess.colour_order", "GBR"]),
        ({"preprocess": {"std": [0.0, 1.0, 1.0]}}, ["preprocess.std.0"]),
        ({"tolerances": {"fp32": {"cls": {"rtol": -1.0}}}}, ["tolerances.fp32.cls.rtol", "-1"]),
        ({"tolerances": {"fp32": {"cls": {"rtol": float("inf")}}}}, ["tolerances.fp32.cls.rtol", "finite"]),
        ({"tolerances": {"fp16": {"zf": {"atol": 1.0}}}}, ["tolerances.fp16", "'cls'"]),
        ({"tolerances": {"fp32": {"score": {"atol": 1.0}}}}, ["tolerances", "'score'", "zf"]),
        ({"graphs": {"init": {"inputs": ["picture"]}}}, ["graphs", "'picture'", "zf"]),
        ({"splits": {"two": ["init", "track"]}}, ["splits", "'track'", "update"]),
        ({"splits": {"two": ["init", "init"]}}, ["splits.two", "'init' twice"]),
        ({"splits": {"two": ["init"]}}, ["splits.two", "takes 'x'"]),
        ({"splits": {"two": ["init", "backbone"]}}, ["splits.two", "gives 'cls'"]),
        ({"splits": {"two": ["update", "backbone"]}}, ["splits.two", "takes 'z'"]),
        ({"splits": {"three": ["init", "neck_head", "update"]}}, ["splits.three", "gives 'xf'"]),
        ({"decision": "score"}, ["decision", "'score'", "cls"]),
        ({"archs": "LightTrackM_Subnet"}, ["archs", "list"]),
        ({"archs": []}, ["archs"]),
        ({"decision": "z"}, ["decision", "'z'", "cls"]),
        ({"preprocess": {"pixel_range": [1.0, 1.0]}}, ["pixel_range", "[1.0, 1.0]"]),
        ({"preprocess": {"mean": [float("nan"), 0.0, 0.0]}}, ["preprocess.mean.0", "finite"]),
        ("search_size: 2020-13-45", ["line 1: search_size: is a timestamp, expected text, a number"]),
        ("search_size: 0b_", ["line 1: search_size: '0b_' is no int"]),
        ("[" * 5000, ["more than 20 lists"]),
        (["search_size"], ["list"]),
        ("", ["NoneType"]),
        ("search_size: [256", ["not YAML"]),
        ("search_size: !!python/name:os.system", ["line 1: search_size: is a python/name:os.system, expected text"]),
    ],
)
def test_bad_config_is_refused_with_file_and_key(write, content, words):
    path = write(content)
    with pytest.raises(UsageError) as caught:
        network_for(None, path)
    message = str(caught.value)
    assert [word for word in (str(path), *words) if word not in message] == []
    assert "\n" not in message


def test_config_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("family: gr\u00fcn".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin\.yaml: not YAML"):
        network_for(None, path)


def test_a_format_that_the_config_does_not_name_has_its_first_split():
    network = network_for(None)[1].model_copy(update={"default_splits": {"onnx": "three"}})
    assert (network.default_split("onnx"), network.default_split("ncnn")) == ("three", next(iter(network.splits)))


def test_a_new_arch_needs_what_an_export_needs(write):
    data = yaml.safe_load((config_folder() / "lighttrack_mobile.yaml").read_text())
    with pytest.raises(UsageError, match="tolerances has no 'fp32'"):
        network_for(None, write({**data, "archs": ["Other"], "tolerances": {}}))


def test_missing_key_of_a_new_arch_is_named(write):
    path = write({"archs": ["Mine"], "family": "lighttrack"})
    with pytest.raises(UsageError, match=r"mine\.yaml: .*path_name"):
        network_for("Mine", path)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()])
def test_config_that_is_no_file_is_refused(tmp_path, make):
    path = tmp_path / "config.yaml"
    make(path)
    with pytest.raises(UsageError, match=r"config\.yaml: (no such file|is a dir).*; expected a YAML file"):
        network_for(None, path)


def test_specs_are_frozen(shipped):
    for spec, attribute in (
        (shipped, "search_size"),
        (shipped.tolerances["fp32"]["cls"], "rtol"),
        (options(shipped), "seed"),
        (TensorSpec(name="z", meaning="z", about="", shape=(1,)), "shape"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(spec, attribute, 1)


def test_options_refuse_an_unknown_field(shipped):
    with pytest.raises(ValidationError, match="sneed"):
        options(shipped, sneed=1)


def shapes(tensors):
    return {tensor.name: tensor.shape for tensor in tensors}


def test_split_two_is_init_and_update(shipped):
    init, update = shipped.graph_specs("two", DIMENSIONS)
    assert (init.name, init.mode, update.name, update.mode) == ("init", "template", "update", "update")
    assert (shapes(init.inputs), shapes(init.outputs)) == ({"z": (1, 3, 127, 127)}, {"zf": (1, 96, 8, 8)})
    assert list(shapes(update.inputs).items()) == [("zf", (1, 96, 8, 8)), ("x", (1, 3, 288, 288))]
    assert list(shapes(update.outputs).items()) == [("cls", (1, 1, 18, 18)), ("reg", (1, 4, 18, 18))]


def test_split_three_cuts_update_behind_the_backbone(shipped):
    init, backbone, neck_head = shipped.graph_specs("three", DIMENSIONS)
    assert [graph.mode for graph in (init, backbone, neck_head)] == ["template", "backbone", "neck_head"]
    assert (shapes(backbone.inputs), shapes(backbone.outputs)) == ({"x": (1, 3, 288, 288)}, {"xf": (1, 96, 18, 18)})
    assert list(shapes(neck_head.inputs).items()) == [("zf", (1, 96, 8, 8)), ("xf", (1, 96, 18, 18))]
    assert neck_head.outputs == shipped.graph_specs("two", DIMENSIONS)[1].outputs


def test_tensors_carry_their_meaning_in_words(shipped):
    reg = shipped.graph_specs("two", DIMENSIONS)[1].outputs[1]
    assert (reg.meaning, reg.dtype) == ("reg", "float32")
    assert reg.about == "left, top, right, bottom of every cell, in search-crop pixels"


def test_shape_with_an_unknown_dimension_names_the_known(write):
    network = network_for(None, write({"tensors": {"zf": {"shape": [1, "width", 8, 8]}}}))[1]
    with pytest.raises(UsageError, match="'zf' names 'width', known are template_size, search_size"):
        network.graph_specs("two", DIMENSIONS)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"atol": 0.5}, Tolerance(atol=0.5, rtol=0.0)),
        ({"rtol": 0.25}, Tolerance(atol=0.0, rtol=0.25)),
        ({"atol": 0.5, "rtol": 0.25}, Tolerance(atol=0.5, rtol=0.25)),
        ({"atol": 0.0}, Tolerance()),
        ({"rtol": 0.0}, Tolerance()),
    ],
)
def test_tolerance_flags_replace_the_config_for_every_output(shipped, flags, expected):
    assert options(shipped, **flags).tolerances("fp32") == dict.fromkeys(("zf", "xf", "cls", "reg"), expected)


def test_without_flags_the_config_tolerances_stand(shipped):
    assert options(shipped).tolerances("fp32") == shipped.tolerances["fp32"]


def test_tolerances_are_those_of_the_precision(write):
    table = {name: {"atol": 1.0, "rtol": 0.5} for name in ("zf", "xf", "cls", "reg")}
    network = network_for(None, write({"tolerances": {"half": table}}))[1]
    assert options(network, precision="half").tolerances("half")["cls"] == Tolerance(atol=1.0, rtol=0.5)
    assert options(network).tolerances("fp32")["cls"] == Tolerance(rtol=1e-4)


def test_probabilities_are_the_logits_with_their_activation(shipped):
    network = shipped.with_scores("sigmoid")
    assert network.activations == {"cls": "sigmoid"}
    assert shipped.activations == {}
    cls, reg = network.graph_specs("two", DIMENSIONS)[1].outputs
    assert (cls.activation, cls.about) == ("sigmoid", "foreground probability of every cell")
    assert (reg.activation, reg.about) == (None, "left, top, right, bottom of every cell, in search-crop pixels")
    before = shipped.graph_specs("two", DIMENSIONS)[1].outputs[0]
    assert (before.activation, before.about, before.shape) == (None, "foreground logit of every cell", cls.shape)


def test_probabilities_of_a_network_without_logits_are_refused(shipped):
    with pytest.raises(
        UsageError, match="--sigmoid: LightTrackM_Subnet, LightTrackM_Speed: no output of it is a logit"
    ):
        shipped.model_copy(update={"logits": {}}).with_scores("sigmoid")


def test_converted_graphs_are_those_that_become_files(shipped):
    assert shipped.converted("two") == ["init", "update"]
    assert shipped.converted("three") == ["init", "backbone", "neck_head"]
    assert shipped.converted("one") == ["single"]
    with pytest.raises(UsageError, match="--split four: expected one of two, three, one"):
        shipped.converted("four")


def test_other_crops_change_the_two_sizes_only(shipped):
    other = shipped.at(128, 256)
    assert (other.template_size, other.search_size) == (128, 256)
    assert other.at(127, 288) == shipped


def test_the_single_graph_gives_its_search_features_too(shipped):
    single = shipped.graph_spec("single", DIMENSIONS)
    assert [tensor.name for tensor in (*single.inputs, *single.outputs)] == ["zf", "x", "cls", "reg", "xf"]
    assert (single.mode, shipped.read_from["one"].template_sizes) == ("single", [127, 128])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"activations": {"reg": "sigmoid"}}, "activations names 'reg', known are cls"),
        ({"activations": {"cls": "tanh"}}, "activations.cls"),
        ({"activations": {"cls": "softmax"}}, "activations.cls is 'softmax', expected 'sigmoid', the network's"),
        ({"activation": "softmax"}, "activation is 'softmax', a softmax over two channels, which cls has not"),
        ({"logits": {"score": "a"}}, "logits names 'score'"),
        ({"read_from": {"four": {"graph": "single", "reads": {}, "template_sizes": []}}}, "read_from names 'four'"),
        ({"read_from": {"one": {"graph": "whole"}}}, "read_from names 'whole'"),
        ({"read_from": {"one": {"reads": {"start": {}}}}}, "read_from names 'start'"),
        (
            {"read_from": {"one": {"reads": {"init": {"z": "y"}}}}},
            "read_from.one reads input 'z' of init as 'y', single has zf, x",
        ),
        (
            {"read_from": {"one": {"reads": {"init": {"zf": "zf"}}}}},
            "read_from.one reads output 'zf' of init as 'zf', single has cls, reg, xf",
        ),
        (
            {"read_from": {"one": {"reads": {"update": {"z": "x"}}}}},
            "read_from.one names tensor 'z', which update has not",
        ),
        ({"dynamic_search": [192, 4000]}, "dynamic_search.1"),
        ({"ties": {"half": -1.0}}, "ties.half"),
    ],
)
def test_what_a_config_says_of_sizes_and_activations_has_to_fit(write, content, words):
    with pytest.raises(UsageError) as caught:
        network_for(None, write(content))
    assert words in str(caught.value)


def test_half_tolerances_are_in_the_config_and_asked_for_where_they_are_not(shipped):
    table = options(shipped, precision="half").tolerances("half")
    assert {name: tolerance.rtol for name, tolerance in table.items()} == {
        "zf": 5e-3,
        "xf": 5e-3,
        "cls": 1e-2,
        "reg": 1e-2,
    }
    assert shipped.ties["half"] == 2e-3
    without = shipped.model_copy(update={"tolerances": {"fp32": shipped.tolerances["fp32"]}})
    with pytest.raises(UsageError, match="config: tolerances has no 'half', which --precision half needs"):
        options(without, precision="half").tolerances("half")


def test_one_step_is_judged_by_precision():
    spec = network_for(None)[1]
    assert (spec.step_limits("fp32").iou, spec.step_limits("half").iou) == (0.9999, 0.9995)
    assert spec.step_limits("half", 0.5) == spec.one_step["half"].model_copy(update={"iou": 0.5})
    assert spec.step_limits("half").score > spec.step_limits("fp32").score
    assert spec.step_limits("bf16") == spec.step_limits("fp32")
    assert network_for("STARK_Lightning")[1].step_limits("half").iou == 0.985
    silent = spec.model_copy(update={"one_step": {}})
    assert silent.step_limits("half") == StepLimits()


def test_limits_of_one_step_are_shares():
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        StepLimits(iou=1.5)
