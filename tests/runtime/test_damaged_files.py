"""Every kind of model that an export has, damaged byte by byte: a clear error, or what ncnn itself reads."""

import random
import re
import subprocess
import sys

import pytest
from exports import export_to

from commands import environment
from converter.errors import ConversionError
from converter.formats.ncnn.param import load_param
from converter.formats.ncnn.weights import halved, load_bin, load_model, read_bin

KINDS = {
    "half": (["--half"], "update"),
    "one file": (["--split", "one"], "single"),
    "every size": (["--dynamic-search", "--half"], "update"),
    "old ncnn": (["--oldest-ncnn", "20210720"], "update"),
}
NAMES = ["plain", *KINDS]

LOADING = """
import sys, ncnn
for line in sys.stdin:
    param, weights = line.rstrip("\\n").split("\\t")
    net = ncnn.Net()
    net.opt.num_threads = 1
    print(net.load_param(param), net.load_model(weights), flush=True)
"""


@pytest.fixture(scope="module")
def models(tiny, tiny_export, tmp_path_factory):
    """Kind to (param, bin)."""
    found = {"plain": (tiny_export / "lighttrack_update.param", tiny_export / "lighttrack_update.bin")}
    for name, (options, graph) in KINDS.items():
        folder = tmp_path_factory.mktemp("kinds") / "out"
        export_to(tiny, folder, "--no-verify", *options)
        found[name] = folder / f"lighttrack_{graph}.param", folder / f"lighttrack_{graph}.bin"
    return found


@pytest.fixture(params=NAMES)
def model(request, models):
    return models[request.param]


def ncnn_loads(files):
    """What ncnn's own loader returns for every (param, bin), in a process of its own."""
    lines = "".join(f"{param}\t{weights}\n" for param, weights in files)
    done = subprocess.run(
        [sys.executable, "-c", LOADING], input=lines, env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]


def refusal(read, *arguments):
    """The message, in one line and with the file's name; None where the file is read."""
    try:
        read(*arguments)
    except ConversionError as error:
        message = str(error)
        assert "\n" not in message
        assert message.isascii()
        assert len(message) < 500
        return message
    return None


def arrays_of(model):
    graph, weights = load_model(*model)
    return graph, [array for arrays in weights.arrays for array in arrays]


def test_kinds_are_what_they_are_called(models):
    types = {name: {layer.type for layer in load_param(param).layers} for name, (param, _) in models.items()}
    assert {name for name, found in types.items() if "Gemm" in found} == {"old ncnn"}
    assert {name for name, found in types.items() if "MatMul" in found} == set(NAMES) - {"old ncnn"}
    tags = {name: {array.tag for array in arrays_of(model)[1]} for name, model in models.items()}
    assert {name for name, found in tags.items() if 0x01306B47 in found} == {"half", "every size"}
    assert all(found in ({0, None}, {0x01306B47, None}) for found in tags.values())
    assert '6="' in models["every size"][0].read_text()
    assert '6="' not in models["plain"][0].read_text()


def test_every_kind_is_the_same_again_and_ncnn_reads_it(models, tmp_path):
    files = []
    for number, (param, weights) in enumerate(models.values()):
        graph, arrays = load_model(param, weights)
        assert graph.text().encode() == param.read_bytes()
        assert arrays.data() == weights.read_bytes()
        again = tmp_path / f"{number}.param", tmp_path / f"{number}.bin"
        again[0].write_bytes(graph.text().encode())
        again[1].write_bytes(halved(graph, arrays).data())
        half = load_model(*again)[1]
        assert half.data() == again[1].read_bytes()
        assert halved(graph, half) == half
        files += [(param, weights), again]
    assert ncnn_loads(files) == [(0, 0)] * len(files)


def test_half_weights_are_those_of_the_full_file_rounded(models):
    graph, full = load_model(*models["plain"])
    assert halved(graph, full).data() == models["half"][1].read_bytes()
    assert models["plain"][0].read_bytes() == models["half"][0].read_bytes()
    assert load_bin(graph, models["half"][1]).data() == models["half"][1].read_bytes()


def test_weights_that_end_anywhere_near_a_border_are_refused(model):
    graph, arrays = arrays_of(model)
    data = model[1].read_bytes()
    edges = {array.offset + shift for array in arrays for shift in (-1, 0, 1, 2, 3, 4, 5)}
    middles = {array.offset + 4 + len(array.data) // 2 for array in arrays}
    for size in sorted(size for size in {0, len(data) - 1} | edges | middles if 0 <= size < len(data)):
        message = refusal(read_bin, graph, data[:size], "a.bin")
        found = re.fullmatch(
            r"a\.bin: cut off, or the weights of another model: ends at byte (\d+), "
            r"expected (\d+) bytes from byte (\d+) for the [\w ]+ of layer \S+ \(\w+\)",
            message,
        )
        end, needed, begin = map(int, found.groups())
        assert end == size
        assert begin <= size < begin + needed
        assert any(array.offset == begin for array in arrays)


@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0", b"\x47\x6b\x30\x01", bytes(4096)])
def test_weights_that_go_on_are_refused(model, more, tmp_path):
    graph = load_param(model[0])
    data = model[1].read_bytes()
    expected = f"a.bin: goes on for {len(more)} bytes after byte {len(data)}, where the last layer's weights end; "
    assert refusal(read_bin, graph, data + more, "a.bin").startswith(expected)
    path = tmp_path / "a.bin"
    path.write_bytes(data + more)
    assert "goes on " in refusal(load_bin, graph, path)


def test_every_bit_of_every_tag(model):
    graph, arrays = arrays_of(model)
    data = model[1].read_bytes()
    tagged = [array for array in arrays if array.tag is not None]
    assert len(tagged) >= 25
    for array in tagged:
        for bit in range(8 * 4):
            damaged = bytearray(data)
            damaged[array.offset + bit // 8] ^= 1 << bit % 8
            message = refusal(read_bin, graph, bytes(damaged), "a.bin")
            if (array.tag, bit) == (0, 0):  # a table of 256 values, which a quarter of the bytes would do for
                assert re.search(r"^a\.bin: .*byte \d+", message)
            else:
                tag = array.tag ^ 1 << bit
                assert message.startswith(f"a.bin: byte {array.offset} begins with tag {tag:#x}, expected one of 0x0, ")


def test_any_other_byte_is_a_number(model):
    """ncnn has no checksum: damage between the tags is another weight, in its place and nowhere else."""
    graph, arrays = arrays_of(model)
    data, draw = model[1].read_bytes(), random.Random(0)
    for array in arrays:
        damaged = bytearray(data)
        start = array.offset + (0 if array.tag is None else 4)
        at = start + draw.randrange(len(array.data))
        damaged[at] ^= 0x55
        found = [one for weights in read_bin(graph, bytes(damaged), "a.bin").arrays for one in weights]
        assert [one.offset for one, other in zip(found, arrays, strict=True) if one != other] == [array.offset]


def test_bytes_lost_or_doubled_inside_are_refused(model):
    graph = load_param(model[0])
    data, draw = model[1].read_bytes(), random.Random(1)
    for _ in range(60):
        at, count = draw.randrange(len(data)), draw.choice([1, 2, 4, 64])
        for damaged in (data[:at] + data[at + count :], data[:at] + data[at : at + count] + data[at:]):
            if len(damaged) != len(data):
                assert refusal(read_bin, graph, damaged, "a.bin").startswith("a.bin: ")


def test_table_that_ends_anywhere_is_refused_by_its_line(model, tmp_path):
    data, path = model[0].read_bytes(), tmp_path / "a.param"
    borders = [found.end() for found in re.finditer(rb"\n", data)]
    last = data.rindex(b" 1 1 ") if b" 1 1 " in data.splitlines()[-1] else borders[-2]
    for size in sorted({0, 1, *(border + shift for border in borders for shift in (-2, -1, 0, 1, 2, 30))}):
        if size > last:
            continue
        path.write_bytes(data[:size])
        assert re.search(r"^a\.param: .*\bline \d+", refusal(load_param, path)), size


def test_every_byte_of_the_header(model, tmp_path):
    data, path = model[0].read_bytes(), tmp_path / "a.param"
    size = data.index(b"\n", 8)
    for at in range(size):
        for value in (0, 9, 10, 32, 45, 57, data[at] ^ 1, data[at] ^ 0x80):
            damaged = bytearray(data)
            damaged[at] = value
            path.write_bytes(damaged)
            message = refusal(load_param, path)
            if bytes(damaged) == data or damaged.split(None, 3)[:3] == data.split(None, 3)[:3]:
                continue  # another blank
            assert re.search(r"^a\.param: .*line \d+", message), (at, value)


@pytest.mark.parametrize(
    "magic", [b"7767518", b"7767516", b"77675170", b"776751", b"-7767517", b"0x768565", b"", b"NCNN"]
)
def test_another_magic_number(model, magic, tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(model[0].read_bytes().replace(b"7767517", magic, 1))
    assert refusal(load_param, path) == (f"a.param: line 1 is {magic.decode()!r}, expected ncnn's magic number 7767517")


def test_files_in_each_others_place(model, models, tmp_path):
    param, weights = model
    assert re.search(r"line 1 is ", refusal(load_param, weights))
    graph = load_param(param)
    assert "the weights of another model" in refusal(load_bin, graph, param)
    for name, (_, other) in models.items():
        if len(other.read_bytes()) != len(weights.read_bytes()):
            message = refusal(load_bin, graph, other)
            fits = {name, next(key for key in models if models[key] == model)} <= {
                *("plain", "half", "every size", "old ncnn")
            }
            assert (message is None) == fits, (name, message)


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\0"], ids=["UTF-8 mark", "UTF-16 LE", "UTF-16 BE", "NUL"]
)
def test_marks_in_front_of_the_table(model, text, tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(text + model[0].read_bytes())
    assert refusal(load_param, path).startswith("a.param: line 1 is ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_tables_in_another_encoding(model, encoding, tmp_path):
    path = tmp_path / "a.param"
    path.write_bytes(model[0].read_text().encode(encoding))
    assert refusal(load_param, path).startswith("a.param: line 1 is ")


def test_other_line_ends_and_blank_lines_are_read_as_ncnn_reads_them(models, tmp_path):
    files = []
    for number, (param, weights) in enumerate(models.values()):
        text = param.read_bytes()
        for kind, changed in enumerate(
            (
                text.replace(b"\n", b"\r\n"),
                text + b"\n\n \n",
                text.rstrip(b"\n"),
                text.replace(b"\n", b" \n"),
                text.replace(b" 0=", b"\t0=").replace(b" 1 1 ", b"   1\t1 "),
            )
        ):
            path = tmp_path / f"{number}_{kind}.param"
            path.write_bytes(changed)
            graph, arrays = load_model(path, weights)
            assert graph == load_param(param)
            assert graph.text().encode() == changed
            assert arrays.data() == weights.read_bytes()
            files.append((path, weights))
    assert ncnn_loads(files) == [(0, 0)] * len(files)


def test_nul_bytes_in_the_table_are_refused(model, tmp_path):
    data, path, draw = model[0].read_bytes(), tmp_path / "a.param", random.Random(2)
    for at in draw.sample(range(len(data)), 150):
        for damaged in (data[:at] + b"\0" + data[at:], data[:at] + b"\0" + data[at + 1 :]):
            path.write_bytes(damaged)
            assert re.search(r"^a\.param: .*\bline \d+", refusal(load_param, path)), data[at - 20 : at + 20]
