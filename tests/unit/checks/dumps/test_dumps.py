"""Dumps against golden vectors: every usual mistake by itself and two at once, on a made-up tracker."""

import json
from dataclasses import asdict
from itertools import cycle

import device
import numpy as np
import pytest
from golden_folder import HEADER, NETWORK, THREE, TOLERANCES, TWO, inner, make_golden, picture, picture_feed, run

from converter.checks.dumps.diagnose import diagnose_dumps
from converter.checks.dumps.search import MOST_RUNS
from converter.errors import UsageError, VerificationError
from converter.folder.golden import read_golden
from converter.folder.golden_writer import GoldenCase, write_golden
from converter.folder.listing import TrackerEntry
from converter.spec.network import Preprocess, UsualMistake
from converter.spec.tensors import Tolerance

SEEDS = {"noise_0": 1, "bag_png": 2}
KINDS = dict(zip([*device.INPUT, *device.OUTPUT], cycle(["bin", "npy", "txt"])))


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    feeds = [picture_feed("noise 0", 1), picture_feed("bag.png", 2)]
    return make_golden(tmp_path_factory.mktemp("golden") / "g", feeds)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    """Golden vectors of one case, so that no file has to name it."""
    return make_golden(tmp_path_factory.mktemp("golden") / "g", [picture_feed("bag.png", 2)])


def answer(case="bag_png", mistake=device.right, only=None):
    """What a device answers: every tensor, as the made-up tracker gives it for wrong images."""
    given = run(device.fed(picture(SEEDS[case]), mistake, only))
    return {name: given[name] for name in ("zf", "cls", "reg")}


def diagnose(folder, golden, run=run, **more):
    return diagnose_dumps(folder, golden, TOLERANCES, NETWORK, run, **more)


def causes(report):
    """Tensor name to the set of its causes, of tensors that are off."""
    return {tensor.name: {cause.cause for cause in tensor.causes} for tensor in report.tensors if not tensor}


def test_right_dumps_pass(golden, tmp_path):
    for case in SEEDS:
        device.write_all(tmp_path / case, answer(case))
    report = diagnose(tmp_path, golden)
    assert report
    assert report.failure() == ""
    assert causes(report) == {}
    assert report.runs == 0
    assert [(tensor.case, tensor.graph, tensor.name) for tensor in report.tensors] == [
        (case, graph, name) for case in SEEDS for graph, name in (("init", "zf"), ("update", "cls"), ("update", "reg"))
    ]


@pytest.mark.parametrize("name", device.INPUT)
@pytest.mark.parametrize("only", [None, "z", "x"])
def test_mistake_in_the_images_is_seen_in_the_outputs(golden, tmp_path, name, only):
    mistake, cause = device.INPUT[name]
    device.write_all(tmp_path / "bag_png", answer(mistake=mistake, only=only), KINDS[name])
    report = diagnose(tmp_path, golden)
    assert causes(report) == {key: {cause} for key in (["cls", "reg"] if only == "x" else ["zf", "cls", "reg"])}
    where = {
        cause.text.partition(":")[0] for tensor in report.tensors if tensor.graph == "update" for cause in tensor.causes
    }
    assert where == {only or "z and x"}
    assert len(report.causes) == 1
    assert not report


@pytest.mark.parametrize("name", device.INPUT)
def test_mistake_in_an_image_is_seen_in_its_dump_without_running_anything(golden, tmp_path, name):
    mistake, cause = device.INPUT[name]
    wrong = device.fed(picture(2), mistake)
    kind = "npy" if name == "HWC as CHW" else KINDS[name]  # without a shape that is a good way to write it
    device.write_all(tmp_path / "bag_png", {"x": wrong["x"], **answer()}, kind)
    report = diagnose(tmp_path, golden, None)
    assert causes(report) == {"x": {cause}}


@pytest.mark.parametrize("name", [name for name in device.INPUT if name != "HWC as CHW"])
def test_dumped_images_explain_the_outputs_in_one_run(golden, tmp_path, name):
    mistake, cause = device.INPUT[name]
    device.write_all(tmp_path / "bag_png", {**device.fed(picture(2), mistake), **answer(mistake=mistake)})
    report = diagnose(tmp_path, golden)
    assert causes(report) == {key: {cause} for key in ["z", "zf", "x", "cls", "reg"]}
    assert report.runs == 1


def test_channels_last_image_that_was_fed_like_that(golden, tmp_path):
    mistake, cause = device.INPUT["HWC as CHW"]
    wrong = device.fed(picture(2), mistake)
    device.write_all(tmp_path / "bag_png", {**wrong, **answer(mistake=mistake)})
    assert causes(diagnose(tmp_path, golden)) == {key: {cause} for key in ["zf", "cls", "reg"]}
    device.write_all(tmp_path / "bag_png", {**wrong, **answer()})
    assert diagnose(tmp_path, golden)


def test_an_unknown_mistake_in_a_dumped_image_is_told_from_one_in_the_model(golden, tmp_path):
    def odd(rgb):
        return device.right(rgb) ** 3

    device.write_all(tmp_path / "bag_png", {"x": device.fed(picture(2), odd)["x"], **answer(mistake=odd, only="x")})
    report = diagnose(tmp_path, golden)
    assert causes(report) == {"x": {"unknown"}, "cls": {"input_wrong"}, "reg": {"input_wrong"}}


@pytest.mark.parametrize("name", device.OUTPUT)
@pytest.mark.parametrize("kind", ["npy", "bin", "txt"])
def test_mistake_in_the_outputs(golden, tmp_path, name, kind):
    change, expected = device.OUTPUT[name]
    device.write_all(tmp_path / "bag_png", change(answer()), kind)
    report = diagnose(tmp_path, golden)
    assert causes(report) == expected
    assert bool(report) is not bool(expected)
    assert report.runs == 0


@pytest.mark.parametrize("name", [name for name in device.OUTPUT if name not in ("constant", "zeros", "NaN")])
@pytest.mark.parametrize("image", ["bgr", "raw 0-255", "mean missing", "norm before mean, 0-255", "HWC as CHW"])
def test_one_mistake_in_the_images_and_one_in_the_outputs(golden, tmp_path, name, image):
    mistake, cause = device.INPUT[image]
    change, expected = device.OUTPUT[name]
    device.write_all(tmp_path / "bag_png", change(answer(mistake=mistake)), KINDS[name])
    report = diagnose(tmp_path, golden)
    assert causes(report) == {output: {cause} | expected.get(output, set()) for output in ("zf", "cls", "reg")}


def both(first, second):
    return lambda tensors: second(first(tensors))


def change(name):
    return device.OUTPUT[name][0]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (both(change("stride missing"), change("NHWC")), {"reg": {"stride_missing"}}),
        (
            both(change("sigmoid applied"), change("stride missing")),
            {"cls": {"sigmoid_applied"}, "reg": {"stride_missing"}},
        ),
        (both(change("stride twice"), change("transposed")), {"reg": {"stride_twice", "transposed_layout"}}),
        (both(change("0.1 missing"), change("sigmoid applied")), {"cls": {"cls_scale_missing", "sigmoid_applied"}}),
        (
            both(change("sigmoid applied"), change("exchanged")),
            {"cls": {"outputs_exchanged"}, "reg": {"outputs_exchanged", "sigmoid_applied"}},
        ),
        (
            both(change("exchanged"), change("sigmoid applied")),
            {"cls": {"outputs_exchanged", "sigmoid_applied"}, "reg": {"outputs_exchanged"}},
        ),
        (
            both(change("exchanged"), change("stride missing")),
            {"cls": {"outputs_exchanged"}, "reg": {"outputs_exchanged", "stride_missing"}},
        ),
        (
            both(change("sigmoid twice"), change("NHWC")),
            {"cls": {"sigmoid_twice"}},
        ),
        (
            both(change("exchanged"), change("NHWC")),
            {"cls": {"outputs_exchanged"}, "reg": {"outputs_exchanged"}},
        ),
    ],
)
def test_two_mistakes_in_the_outputs(golden, tmp_path, wrong, expected):
    device.write_all(tmp_path / "bag_png", wrong(answer()))
    assert causes(diagnose(tmp_path, golden)) == expected


@pytest.mark.parametrize(
    "second", ["raw 0-255", "raw 0-1", "std missing, 0-255", "mean missing", "norm before mean, 0-255", "to -1..1"]
)
def test_two_mistakes_in_the_images(golden, tmp_path, second):
    mistake, cause = device.INPUT[second]
    wrong = answer(mistake=lambda rgb: mistake(device.bgr(rgb)))
    device.write_all(tmp_path / "bag_png", wrong)
    found = causes(diagnose(tmp_path, golden))
    assert found == {key: {"colour_order", cause} for key in ["zf", "cls", "reg"]}


def test_two_mistakes_in_a_dumped_image(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", {"x": device.planar(device.bgr(picture(2)["x"])), **answer()}, "npy")
    assert causes(diagnose(tmp_path, golden, None)) == {"x": {"colour_order", "normalisation_missing"}}


def test_pixels_as_bytes_are_read(golden, tmp_path):
    path = tmp_path / "bag_png" / "x.raw"
    device.write_all(tmp_path / "bag_png", answer())
    path.write_bytes(picture(2)["x"].tobytes())  # HWC, as a camera gives them
    report = diagnose(tmp_path, golden, None)
    assert causes(report) == {"x": {"normalisation_missing"}}
    assert "stored as uint8" in report.tensors[1].notes + report.tensors[0].notes + report.tensors[2].notes


@pytest.mark.parametrize("name", ["zf", "cls", "reg"])
def test_answer_to_another_case_is_stale(golden, tmp_path, name):
    device.write_all(tmp_path / "bag_png", {**answer(), name: answer("noise_0")[name]})
    report = diagnose(tmp_path, golden)
    assert causes(report) == {name: {"stale_output"}}
    assert "'noise 0'" in report.tensors[["zf", "cls", "reg"].index(name)].causes[0].text


def test_stale_and_sigmoid(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", change("sigmoid applied")({**answer(), "cls": answer("noise_0")["cls"]}))
    assert causes(diagnose(tmp_path, golden)) == {"cls": {"stale_output", "sigmoid_applied"}}


@pytest.mark.parametrize(("image", "dumped"), [("z", ["cls", "reg"]), ("z", ["zf", "cls", "reg"]), ("x", ["cls"])])
def test_image_of_another_case(golden, tmp_path, image, dumped):
    """The template was not updated, or the search crop was not; with zf dumped, it is right and was not used."""
    wrong = run({**golden.feeds()[1].tensors, image: golden.feeds()[0].tensors[image]})
    given = {name: answer()[name] if name == "zf" else wrong[name] for name in dumped}
    device.write_all(tmp_path / "bag_png", given)
    report = diagnose(tmp_path, golden)
    assert causes(report) == {name: {"stale_input"} for name in dumped if name != "zf"}
    assert {cause.text[:2] for cause in report.causes} == {f"{image}:"}


def test_dumps_of_two_cases_that_are_the_same_are_stale(golden, tmp_path):
    odd = {name: value + np.linspace(0, 3, value.size).reshape(value.shape) for name, value in answer().items()}
    for case in SEEDS:
        device.write_all(tmp_path / case, {"cls": odd["cls"], "reg": answer(case)["reg"]})
    report = diagnose(tmp_path, golden)
    assert [(tensor.case, {cause.cause for cause in tensor.causes}) for tensor in report.tensors if not tensor] == [
        ("noise_0", {"unknown"}),
        ("bag_png", {"stale_output"}),
    ]


def test_a_mistake_in_the_images_of_all_cases_is_searched_for_once(golden, tmp_path):
    for case in SEEDS:
        device.write_all(tmp_path / case, answer(case, *device.INPUT["raw 0-255"][:1]))
    report = diagnose(tmp_path, golden)
    assert {cause.cause for cause in report.causes} == {"normalisation_missing"}
    assert len(report.causes) == 1
    assert len(next(iter(report.causes.values()))) == 6
    assert report.runs <= 17


@pytest.mark.parametrize("order", [np.ravel, device.last])
def test_a_scale_that_is_no_known_one_is_given(golden, tmp_path, order):
    device.write_all(tmp_path / "bag_png", {"reg": order(2 * answer()["reg"] + 1)})
    report = diagnose(tmp_path, golden)
    assert [cause.text for cause in report.causes] == [
        "it is 2 times the right numbers + 1; no known cause explains that"
    ]


def test_inner_tensors_of_a_wrong_image_are_put_down_to_it(golden, tmp_path):
    given = run(device.fed(picture(2), device.INPUT["bgr"][0], "x"))
    wrong = {"cls": given["cls"], "features.blocks.1": given["xf"] * 2}
    device.write_all(tmp_path / "bag_png" / "update", wrong)
    device.write(tmp_path / "bag_png" / "init" / "features.blocks.1", given["zf"] * 3)
    found = {(tensor.graph, tensor.name): tensor.causes[0].cause for tensor in diagnose(tmp_path, golden).tensors}
    assert found == {
        ("init", "features.blocks.1"): "unknown",
        ("update", "features.blocks.1"): "input_wrong",
        ("update", "cls"): "colour_order",
    }


def test_half_precision_is_told_from_a_mistake(golden, tmp_path):
    random = np.random.default_rng(0)
    given = {
        name: value + 2e-3 * np.ptp(value) * random.uniform(-1, 1, value.shape) for name, value in answer().items()
    }
    device.write_all(tmp_path / "bag_png", given)
    report = diagnose(tmp_path, golden)
    assert causes(report) == {key: {"half_precision"} for key in ["zf", "cls", "reg"]}
    assert not report
    assert report.runs <= 16
    allowed = dict.fromkeys(TOLERANCES, Tolerance(rtol=1e-2))
    assert diagnose_dumps(tmp_path, golden, allowed, NETWORK, run)


def test_a_mistake_under_half_precision(golden, tmp_path):
    random = np.random.default_rng(0)
    given = {
        name: value + 3e-3 * np.ptp(value) * random.uniform(-1, 1, value.shape)
        for name, value in answer(mistake=device.INPUT["bgr"][0]).items()
    }
    device.write_all(tmp_path / "bag_png", given)
    assert causes(diagnose(tmp_path, golden)) == {
        key: {"colour_order", "half_precision"} for key in ["zf", "cls", "reg"]
    }


def test_an_unknown_cause_comes_with_figures(golden, tmp_path):
    random = np.random.default_rng(0)
    reg = answer()["reg"]
    device.write_all(
        tmp_path / "bag_png", {"reg": 3 * reg + 5 + random.standard_normal(reg.shape), "cls": answer()["cls"]}
    )
    report = diagnose(tmp_path, golden)
    assert causes(report) == {"reg": {"unknown"}}
    (cause,) = report.causes
    assert "times the right numbers + 5." in cause.text
    assert "cosine 0.9" in cause.text
    assert report.runs == 0  # cls is right, so the images are


def test_the_network_is_not_run_without_end(golden, tmp_path):
    calls = []

    def counted(feed):
        calls.append(feed)
        return run(feed)

    random = np.random.default_rng(0)
    for case in SEEDS:
        device.write_all(tmp_path / case, {n: random.standard_normal(v.shape) for n, v in answer(case).items()})
    report = diagnose(tmp_path, golden, counted)
    assert len(calls) == report.runs == MOST_RUNS
    assert any(f"ended after {MOST_RUNS} runs" in note for note in report.notes)
    assert causes(report) == {key: {"unknown"} for key in ["zf", "cls", "reg"]}


def test_without_the_network_a_mistake_in_the_images_is_unknown_but_off(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", answer(mistake=device.INPUT["bgr"][0]))
    report = diagnose(tmp_path, golden, None)
    assert causes(report) == {key: {"unknown"} for key in ["zf", "cls", "reg"]}


def test_explanations_that_fit_equally_well_are_all_listed(golden, tmp_path):
    """Where mean and std are the same in every channel, swapping channels before or after normalising is the same."""
    even = Preprocess(colour_order="RGB", pixel_range=[0.0, 1.0], mean=[0.5] * 3, std=[0.25] * 3)
    feed = golden.feeds()[1].tensors
    wrong = run({name: np.ascontiguousarray(image[:, ::-1]) for name, image in feed.items()})
    device.write_all(tmp_path / "bag_png", {"cls": wrong["cls"]})
    (tensor,) = diagnose_dumps(
        tmp_path, golden, TOLERANCES, NETWORK.model_copy(update={"preprocess": even}), run
    ).tensors
    assert [[cause.cause for cause in causes] for causes in tensor.explanations] == [["colour_order"], ["colour_order"]]
    assert tensor.explanations[0] != tensor.explanations[1]
    alternatives = tensor.as_dict()["alternatives"]
    assert alternatives == [[asdict(cause) for cause in tensor.explanations[1]]]


def test_case_is_found_when_no_file_names_it(golden, tmp_path):
    device.write_all(tmp_path, answer("bag_png"))
    report = diagnose(tmp_path, golden)
    assert report
    assert {tensor.case for tensor in report.tensors} == {"bag_png"}
    assert any("'bag.png'" in note for note in report.notes)


@pytest.mark.parametrize("case", SEEDS)
@pytest.mark.parametrize("image", ["bgr", "raw 0-1"])
def test_case_is_found_under_mistakes(golden, tmp_path, case, image):
    mistake, cause = device.INPUT[image]
    device.write_all(tmp_path, change("sigmoid applied")(answer(case, mistake)))
    report = diagnose(tmp_path, golden)
    assert {tensor.case for tensor in report.tensors} == {case}
    assert causes(report)["cls"] == {cause, "sigmoid_applied"}


def test_probability_as_golden_output(tmp_path):
    feed = picture_feed("bag.png", 2)
    logits = run(feed.tensors)["cls"]
    probable = {**run(feed.tensors), "cls": device.sigmoid(logits).astype(np.float32)}
    (tmp_path / "golden").mkdir()
    tracker = TrackerEntry(template_size=10, search_size=20, cls="probability")
    header = HEADER.model_copy(update={"tracker": tracker})
    write_golden(tmp_path / "golden", header, [GoldenCase(TWO, feed, probable, {})])
    golden = read_golden(tmp_path / "golden")
    device.write_all(tmp_path / "dumps", {"cls": logits})
    assert causes(diagnose(tmp_path / "dumps", golden, None)) == {"cls": {"sigmoid_missing"}}
    device.write_all(tmp_path / "dumps", {"cls": device.sigmoid(probable["cls"])})
    assert causes(diagnose(tmp_path / "dumps", golden, None)) == {"cls": {"sigmoid_twice"}}


def test_relu_missing_and_exp_in_its_place(golden, tmp_path):
    reg = answer()["reg"].astype(np.float64)
    assert 0 < np.count_nonzero(reg == 0) < reg.size / 2
    below = np.where(reg > 0, reg, -7 * np.random.default_rng(0).random(reg.shape))
    for name, given in (("relu_missing", below), ("exp_instead_of_relu", 16 * np.exp(below / 16))):
        device.write_all(tmp_path / "bag_png", {"reg": given})
        assert causes(diagnose(tmp_path, golden)) == {"reg": {name}}


def test_relu_is_not_missing_where_it_could_not_have_been(golden, tmp_path):
    reg = answer()["reg"].astype(np.float64)
    device.write_all(tmp_path / "bag_png", {"reg": np.where(reg > 0, reg, 30.0)})
    assert causes(diagnose(tmp_path, golden)) == {"reg": {"unknown"}}


def test_normalised_distances(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", {"reg": answer()["reg"] / 20})
    assert causes(diagnose(tmp_path, golden)) == {"reg": {"reg_normalised"}}


def test_padding_behind_channels(golden, tmp_path):
    zf = answer()["zf"]  # 8 channels of 25 numbers
    padded = np.full((8, 28), 7e8, np.float32)
    padded[:, :25] = zf.reshape(8, 25)
    for given in (padded, padded.ravel()[:-3]):
        device.write_all(tmp_path / "bag_png", {"zf": given.ravel()})
        assert causes(diagnose(tmp_path, golden)) == {"zf": {"channel_padding"}}
    device.write_all(tmp_path / "bag_png", {"zf": (padded / 3).ravel()})
    assert causes(diagnose(tmp_path, golden)) == {"zf": {"channel_padding", "unknown"}}


def test_filled_up_pack_is_told_from_an_exchanged_output(golden, tmp_path):
    cls = np.zeros((1, 10, 10, 4), np.float32)
    cls[..., 0] = answer()["cls"][0]
    device.write_all(tmp_path / "bag_png", {"cls": cls.ravel()})
    assert causes(diagnose(tmp_path, golden)) == {"cls": {"packed_layout"}}


@pytest.mark.parametrize(
    ("name", "value"), [("reg", lambda reg: reg.reshape(1, 10, 10, 4)), ("reg.nhwc", lambda reg: reg)]
)
def test_shape_that_contradicts_the_numbers_order(golden, tmp_path, name, value):
    device.write(tmp_path / "bag_png" / name, value(answer()["reg"]), "npy")
    if name == "reg":
        assert causes(diagnose(tmp_path, golden)) == {"reg": {"transposed_layout"}}
    else:
        assert diagnose(tmp_path, golden)


def test_inner_tensors_are_compared_and_the_first_one_off_is_named(golden, tmp_path):
    given = inner(run(golden.feeds()[1].tensors))["update"]
    given["head.cls_tower.0"] = given["head.cls_tower.0"] + np.linspace(0, 1, 800).reshape(1, 8, 10, 10)
    device.write_all(tmp_path / "bag_png" / "update", {**given, "cls": answer()["cls"] * 10, "reg": answer()["reg"]})
    report = diagnose(tmp_path, golden)
    assert causes(report) == {"head.cls_tower.0": {"unknown"}, "cls": {"cls_scale_missing"}}
    assert [tensor.name for tensor in report.first_off] == ["head.cls_tower.0"]


def test_three_graphs(tmp_path):
    golden = make_golden(tmp_path / "golden", [picture_feed("bag.png", 2)], THREE)
    given = run(device.fed(picture(2), device.INPUT["bgr"][0], "x"))
    device.write_all(tmp_path / "dumps", given)
    report = diagnose(tmp_path / "dumps", golden)
    assert causes(report) == {key: {"colour_order"} for key in ["xf", "cls", "reg"]}
    assert report.runs <= 20


def test_missing_outputs_are_listed_and_no_failure(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", {"reg": answer()["reg"]})
    report = diagnose(tmp_path, golden)
    assert report
    missing = [(entry.case, entry.graph, entry.name, entry.role) for entry in report.missing]
    assert ("bag_png", "update", "cls", "output") in missing
    assert ("bag_png", "update", "reg", "output") not in missing


def test_images_alone_prove_nothing(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", {"x": golden.feeds()[1].tensors["x"]})
    report = diagnose(tmp_path, golden)
    assert not report
    assert report.failure() == "no output was dumped, so nothing says that the outputs are right"


def test_report_as_json_and_its_short_failure(golden, tmp_path):
    device.write_all(tmp_path / "bag_png", change("sigmoid twice")(answer()))
    device.write(tmp_path / "bag_png" / "notes", np.zeros(3), "txt")
    report = diagnose(tmp_path, golden)
    data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert data["passed"] is False
    assert [cause["cause"] for cause in data["causes"]] == ["sigmoid_twice"]
    assert data["causes"][0]["tensors"] == [{"case": "bag_png", "title": "bag.png", "graph": "update", "name": "cls"}]
    assert data["other_files"] == ["bag_png/notes.txt"]
    assert report.failure() == "1 of 3 dumped tensors are off (update cls): sigmoid_twice"


def test_changed_golden_vectors_are_noticed(tmp_path):
    golden = make_golden(tmp_path / "golden", [picture_feed("bag.png", 2)])
    (golden.folder / "bag_png/update/cls.bin").write_bytes(b"\0" * 400)
    device.write_all(tmp_path / "dumps", answer())
    with pytest.raises(VerificationError, match=r"cls\.bin was changed"):
        diagnose(tmp_path / "dumps", golden)


def test_nothing_dumped_is_wrong_usage(golden, tmp_path):
    with pytest.raises(UsageError, match=r"no file; expected zf\.bin, cls\.bin, reg\.bin"):
        diagnose(tmp_path, golden)
    (tmp_path / "readme.txt").write_text("1 2 3")
    with pytest.raises(UsageError, match=r"1 other files, 'readme\.txt' the first; expected"):
        diagnose(tmp_path, golden)
    with pytest.raises(UsageError, match="no such folder"):
        diagnose(tmp_path / "absent", golden)


def test_mistakes_of_another_network_come_from_its_config(golden, tmp_path):
    """Without an entry a factor is a number and no cause; with one it has the config's name and words."""
    device.write_all(tmp_path / "bag_png", {"reg": answer()["reg"] * 16, "zf": answer()["zf"]})
    network = NETWORK.model_copy(update={"usual_mistakes": []})
    (cause,) = diagnose_dumps(tmp_path, golden, TOLERANCES, network, run).causes
    assert (cause.cause, cause.text[:15]) == ("unknown", "it is 16 times ")
    usual = UsualMistake(
        cause="in_pixels", text="times {factor}: in pixels", change="multiplied", factors=[3, "stride"]
    )
    network = NETWORK.model_copy(update={"usual_mistakes": [usual]})
    (cause,) = diagnose_dumps(tmp_path, golden, TOLERANCES, network, run).causes
    assert (cause.cause, cause.text) == ("in_pixels", "times 16: in pixels")
