"""Which files are dumps, and what numbers are in them."""

import device
import numpy as np
import pytest
from golden_folder import NETWORK, TOLERANCES, graph, make_golden, picture, picture_feed, run

from converter.checks.dumps.diagnose import diagnose_dumps
from converter.checks.dumps.layouts import layouts, padded_orders
from converter.checks.dumps.reading import DumpError, read_numbers
from converter.errors import UsageError


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    feeds = [picture_feed("noise 0", 1), picture_feed("bag.png", 2)]
    return make_golden(tmp_path_factory.mktemp("golden") / "g", feeds)


@pytest.fixture(scope="module")
def answer():
    return run(device.fed(picture(2)))


def diagnose(folder, golden, **more):
    return diagnose_dumps(folder, golden, TOLERANCES, NETWORK, None, **more)


@pytest.mark.parametrize(
    "name",
    [
        "cls.bin",
        "CLS.BIN",
        "cls.raw",
        "bag_png/cls.bin",
        "bag.png/cls.bin",
        "bag_png/update/cls.bin",
        "update/cls.bin",
        "update_cls.bin",
        "update.cls.bin",
        "Update-Cls.bin",
        "bag_png_update_cls.bin",
        "bag_png/lighttrack_update_cls.bin",
        "cls.nhwc.bin",
        "cls_nchw.bin",
    ],
)
def test_names_of_files(golden, answer, tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    answer["cls"].astype("<f4").tofile(path)
    (tensor,) = diagnose(tmp_path, golden).tensors
    assert tensor
    assert (tensor.case, tensor.graph, tensor.name, tensor.file) == ("bag_png", "update", "cls", name)


@pytest.mark.parametrize("name", ["cls.png", "my_cls.bin", "cls", "frame_3/cls.bin", "cls.bin.bak", ".cls.bin"])
def test_other_files_are_listed_and_not_taken(golden, answer, tmp_path, name):
    for path in (tmp_path / name, tmp_path / "reg.bin"):
        path.parent.mkdir(exist_ok=True)
        answer[path.name[:3] if path.name == "reg.bin" else "cls"].tofile(path)
    report = diagnose(tmp_path, golden)
    assert [tensor.name for tensor in report.tensors] == ["reg"]
    assert list(report.others) == ([] if name.startswith(".") else [name])


def test_names_of_blobs(tmp_path, answer):
    golden = make_golden(
        tmp_path / "golden",
        [picture_feed("bag.png", 2)],
        (graph("init", ["z"], ["zf"], z="in0", zf="out0"), graph("update", ["zf", "x"], ["cls", "reg"], cls="out0")),
    )
    for name, tensor in {"update_out0": "cls", "init_out0": "zf", "mine": "reg"}.items():
        device.write(tmp_path / "dumps" / name, answer[tensor])
    report = diagnose(tmp_path / "dumps", golden, names={"mine": "reg"})
    assert report
    assert [(tensor.graph, tensor.meaning) for tensor in report.tensors] == [
        ("init", "zf"),
        ("update", "cls"),
        ("update", "reg"),
    ]


def test_blob_of_the_same_name_in_two_graphs_is_told_by_its_size(tmp_path, answer):
    golden = make_golden(
        tmp_path / "golden",
        [picture_feed("bag.png", 2)],
        (graph("init", ["z"], ["zf"], zf="out0"), graph("update", ["zf", "x"], ["cls", "reg"], cls="out0")),
    )
    device.write(tmp_path / "dumps" / "out0", answer["cls"])
    (tensor,) = diagnose(tmp_path / "dumps", golden).tensors
    assert (tensor.meaning, bool(tensor)) == ("cls", True)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("cls.bin", "cls.txt"),
        ("cls.bin", "update_cls.bin"),
        ("cls.bin", "bag_png/cls.bin"),
        ("cls.bin", "cls.nhwc.bin"),
    ],
)
def test_two_files_of_one_tensor_are_refused(golden, answer, tmp_path, first, second):
    for name in (first, second):
        path = tmp_path / name
        device.write(path.with_suffix("") if path.suffix != ".nhwc" else path, answer["cls"], path.suffix[1:])
    with pytest.raises(UsageError) as caught:
        diagnose(tmp_path, golden)
    assert first in str(caught.value)
    assert second in str(caught.value)
    assert "leave one of them" in str(caught.value)


def test_two_files_of_one_tensor_in_the_folder_of_their_case_are_refused(golden, answer, tmp_path):
    for kind in ("bin", "npy"):
        device.write(tmp_path / "bag_png" / "update" / "reg", answer["reg"], kind)
    with pytest.raises(
        UsageError, match=r"reg\.bin and bag_png/update/reg\.npy are both 'reg' of graph 'update' of case"
    ):
        diagnose(tmp_path, golden)


def test_input_of_a_graph_is_told_from_the_output_of_another(golden, answer, tmp_path):
    device.write(tmp_path / "bag_png" / "init" / "zf", answer["zf"])
    device.write(tmp_path / "bag_png" / "update" / "zf", run(device.fed(picture(1)))["zf"])
    report = diagnose(tmp_path, golden)
    assert [(tensor.graph, tensor.role, bool(tensor)) for tensor in report.tensors] == [
        ("init", "output", True),
        ("update", "input", False),
    ]
    assert [cause.cause for cause in report.causes] == ["stale_output"]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("cls.bin", b"", "is empty"),
        ("cls.bin", b"\0" * 404, "has 404 bytes, expected 400 (float32) or 200 (float16)"),
        ("cls.bin", b"\0" * 2400, "6 times as many, as a batch"),
        ("reg.bin", b"\0" * 1200 * 4, "3 times as many, as a batch"),
        ("reg.bin", b"\0" * 1_000_000, "far too many"),
        ("reg.txt", b"1 2 3", "holds 3 numbers, expected 400 (1x4x10x10)"),
        ("cls.txt", b"1\n2\nx7\n", "line 3: 'x7' is no number"),
        ("cls.txt", b"\n\n", "holds no number"),
        ("cls.txt", b"\xff\xfe\x00", "is not text"),
        ("cls.npy", b"\x93NUMPY", "no .npy"),
        ("cls.npy", b"1 2 3", "no .npy"),
    ],
)
def test_files_that_cannot_be_compared_fail_with_the_reason(golden, answer, tmp_path, name, data, problem):
    device.write(tmp_path / "bag_png" / "zf", answer["zf"])
    (tmp_path / "bag_png" / name).write_bytes(data)
    report = diagnose(tmp_path, golden)
    tensor = report.tensors[1]
    assert not report
    assert [cause.cause for cause in tensor.causes] == ["unreadable"]
    assert problem in tensor.causes[0].text
    assert tensor.as_dict()["figures"]["problem"]


@pytest.mark.parametrize(
    ("dtype", "note"), [("f4", None), ("f8", "float64"), ("f2", "float16"), (">f4", ">f4"), ("i4", "int32")]
)
def test_npy_of_any_kind_of_number(tmp_path, dtype, note):
    values = np.arange(6, dtype=dtype).reshape(2, 3)
    np.save(tmp_path / "a.npy", values)
    numbers = read_numbers(tmp_path / "a.npy", [6], False)
    np.testing.assert_array_equal(numbers.values, np.arange(6, dtype=np.float32))
    assert numbers.values.dtype == np.float32
    assert numbers.shape == (2, 3)
    assert note is None or numbers.stored == note


@pytest.mark.parametrize("array", [np.array([1 + 2j]), np.array(["a"]), np.array([{}], dtype=object)])
def test_npy_of_something_else_is_refused(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DumpError, match=r"expected numbers|no \.npy"):
        read_numbers(tmp_path / "a.npy", [1], False)


def test_half_precision_file_is_told_by_its_size(tmp_path):
    np.arange(6).astype("<f2").tofile(tmp_path / "a.bin")
    numbers = read_numbers(tmp_path / "a.bin", [6], False)
    np.testing.assert_array_equal(numbers.values, np.arange(6))
    assert numbers.stored == "float16"


@pytest.mark.parametrize(
    "text",
    [
        "1\n-2.5e3\nnan\ninf\n",
        "1, -2500, -nan, inf",
        "# a comment\n1;-2.5E+3\tNaN\r\nInfinity\n",
        "\ufeff1 -2500 nan inf",
    ],
)
def test_text_in_any_form(tmp_path, text):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    values = read_numbers(tmp_path / "a.csv", [4], False).values
    np.testing.assert_array_equal(values, np.float32([1, -2500, np.nan, np.inf]))


def test_every_layout_puts_the_numbers_where_they_belong():
    shape = (1, 8, 3, 5)
    right = np.arange(120, dtype=np.float32).reshape(shape)
    written = {
        "NCHW": right,
        "NHWC": right.transpose(0, 2, 3, 1),
        "NCWH": right.transpose(0, 1, 3, 2),
        "NWHC": right.transpose(0, 3, 2, 1),
        "NCHW read as NHWC": right.ravel().reshape(3, 5, 8).transpose(2, 0, 1),
        "NHWC read as NCHW": right.transpose(0, 2, 3, 1).ravel().reshape(8, 3, 5).transpose(1, 2, 0),
        "packed by 4": right.reshape(2, 4, 3, 5).transpose(0, 2, 3, 1),
    }
    found = {layout.name: layout for layout in layouts(shape)}
    assert found.keys() == written.keys()
    for name, value in written.items():
        np.testing.assert_array_equal(value.ravel()[found[name].order], right.ravel(), err_msg=name)
        assert (found[name].cause is None) == (name in ("NCHW", "NHWC"))


def test_layouts_that_cannot_be_told_apart_count_once():
    assert [layout.name for layout in layouts((1, 1, 4, 4))] == ["NCHW", "NCWH"]
    assert [layout.name for layout in layouts((2, 3))] == ["NCHW"]


def test_padded_orders():
    right = np.arange(18, dtype=np.float32).reshape(1, 2, 3, 3)
    padded = np.full((2, 12), -1, np.float32)
    padded[:, :9] = right.reshape(2, 9)
    found = padded_orders((1, 2, 3, 3))
    for values in (padded.ravel(), padded.ravel()[:-3]):
        np.testing.assert_array_equal(values[found[values.size][0]], right.ravel())
    packed = np.zeros((3, 3, 4), np.float32)
    packed[..., :2] = right[0].transpose(1, 2, 0)
    np.testing.assert_array_equal(packed.ravel()[found[36][0]], right.ravel())
    assert 18 not in found


@pytest.mark.parametrize(("prefix", "taken"), [("stark", True), ("lighttrack", False)])
def test_files_may_be_named_like_the_models_of_the_network(golden, answer, tmp_path, prefix, taken):
    for name in ("reg", f"{prefix}_update_cls"):
        device.write(tmp_path / "bag_png" / name, answer[name[-3:]])
    network = NETWORK.model_copy(update={"file_prefix": "stark"})
    report = diagnose_dumps(tmp_path, golden, TOLERANCES, network, None)
    assert [tensor.name for tensor in report.tensors] == (["cls", "reg"] if taken else ["reg"])
