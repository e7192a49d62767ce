"""Files that were made to harm, through the command line: one line, its exit code, nothing written, at once."""

import json
import shutil
import time

import hostile
import numpy as np
import pytest
import torch

from commands import lt_export, lt_track, lt_verify
from conftest import TINY, contents

KEY = "neck.BN_z.weight"
COUNT = "neck.BN_z.num_batches_tracked"
SETTINGS = {"lr": np.float64(0.1), "best": np.float32(0.5), "epochs": np.int64(3), "mask": np.bool_(True)}
SETTINGS |= {"type": np.dtype("f4"), "kind": np.float16, "curve": np.zeros((3, 2)), "name": np.str_("a")}
SETTINGS |= {"objects": np.array([1, "a"], object), "steps": [{np.int64(1): {np.uint8(2)}}]}


def values(weight, counter):
    """What stands in place of a weight or of a counter, and what the message says of it."""
    return {
        "sparse": (KEY, weight.to_sparse(), "a sparse_coo tensor, expected a dense one"),
        "rows": (KEY, torch.ones(2, 2).to_sparse_csr(), "a sparse_csr tensor, expected a dense one"),
        "meta": (KEY, weight.to("meta"), "a tensor without numbers (of the meta device)"),
        "float8": (KEY, weight.to(torch.float8_e4m3fn), "float8_e4m3fn, expected float32"),
        "counter8": (COUNT, counter.float().to(torch.float8_e5m2), "float8_e5m2, expected int64"),
        "nested": (KEY, torch.nested.nested_tensor([weight, weight[:1]]), "a nested tensor, expected a dense one"),
        "quantized": (KEY, torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8), "a quantized tensor, expected a"),
        "complex": (KEY, weight.to(torch.complex64), "complex64, expected float32"),
        "uint16": (COUNT, counter.to(torch.uint16), "uint16, expected int64"),
        "array": (KEY, weight.numpy(), "a ndarray, expected a tensor"),
        "scalar": (COUNT, np.int64(1), "a scalar, expected a tensor"),
    }


@pytest.fixture(scope="module")
def place(tiny, tmp_path_factory):
    """Checkpoints of every kind."""
    folder = tmp_path_factory.mktemp("hostile")
    checkpoint = torch.load(tiny, weights_only=True)
    state = checkpoint["state_dict"]
    shutil.copy(tiny, folder / "good.pth")
    for name, (key, value, _) in values(state[KEY], state[COUNT]).items():
        torch.save({**checkpoint, "state_dict": {**state, key: value}}, folder / f"{name}.pth")
    torch.save({**checkpoint, **SETTINGS}, folder / "numpy.pth")
    torch.save({**checkpoint, **SETTINGS}, folder / "numpy_legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({5: state[KEY]}, folder / "number.pth")
    torch.save({f"\x1b[2J\u202e{KEY}": state[KEY]}, folder / "controls.pth")
    good = (folder / "good.pth").read_bytes()
    inside = good[30:].partition(b"/")[0].decode()
    for name, data in {
        "names": hostile.with_other_names(good, inside),
        "version": hostile.of_version(good, 99),
        "bomb": hostile.bomb(good),
        "truncated": good[:-30],
        "half": good[: len(good) // 2],
        "text.safetensors": b"not a checkpoint",
        "empty.safetensors": b"",
        "length.safetensors": b"\xff" * 8 + b"{}",
        "json.safetensors": hostile.framed(b"{'a': 1}"),
        "twice.safetensors": hostile.framed(b'{"a": 1, "a": 2}'),
        "deep.safetensors": hostile.framed(b"[" * 90_000 + b"]" * 90_000),
        "list.safetensors": hostile.framed(b"[]"),
        "entry.safetensors": hostile.framed(b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}'),
        "shape.safetensors": hostile.framed(b'{"a": {"dtype": "F32", "shape": [1e30], "data_offsets": [0, 4]}}'),
        "dtype.safetensors": hostile.framed(b'{"a": {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}}', b"0"),
        "size.safetensors": hostile.framed(b'{"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}', b"0000"),
        "gap.safetensors": hostile.framed(b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [3, 4]}}', b"0000"),
        "more.safetensors": hostile.safetensors(state) + b"0",
        "less.safetensors": hostile.safetensors(state)[:-1],
    }.items():
        (folder / name).write_bytes(data)
    hostile.pickled(folder / "large", b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    hostile.pickled(folder / "methods", b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\0\0\0itemsNsb.")
    hostile.pickled(folder / "itself", b"\x80\x02}q\0X\x0a\0\0\0state_dicth\0s.")
    hostile.pickled(folder / "nothing", b"")
    halves = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    exact = {key: value.float() if value.is_floating_point() else value for key, value in halves.items()}
    (folder / "good.safetensors").write_bytes(hostile.safetensors(state))
    (folder / "halves.safetensors").write_bytes(hostile.safetensors(halves))
    torch.save(exact, folder / "exact.pth")
    return folder


REFUSED = {f"{name}.pth": text for name, (*_, text) in values(torch.zeros(2, 2), torch.tensor(0)).items()} | {
    "number.pth": "a key is of type int, expected names of tensors",
    "controls.pth": r"1 unexpected (\x1b[2J\u202eneck.BN_z.weight)",
    "names": "is a damaged zip archive, expected a file written by torch.save",
    "version": "is a damaged zip archive, expected a file written by torch.save",
    "truncated": "is a damaged zip archive",
    "half": "is a damaged zip archive",
    "bomb": "bytes claims to hold 3",
    "large": "needs pickled code to load (builtins.bytearray)",
    "methods": "no tensors among its top-level keys (nothing)",
    "itself": "no tensors among its top-level keys (state_dict)",
    "nothing": "is a damaged zip archive",
    "text.safetensors": "is a damaged .safetensors file: its header has",
    "empty.safetensors": "is a damaged .safetensors file: its header has 0 bytes, the file 0",
    "length.safetensors": "is a damaged .safetensors file: its header has 18446744073709551615 bytes, the file 10",
    "json.safetensors": "is a damaged .safetensors file: its header is no JSON",
    "twice.safetensors": "its header is no JSON: key 'a' is there twice",
    "deep.safetensors": "its header is no JSON: more than 64 lists and objects in each other",
    "list.safetensors": "its header is a list",
    "entry.safetensors": "a.shape.0: input should be greater than or equal to 0",
    "shape.safetensors": "a.shape.0: input should be a valid integer",
    "dtype.safetensors": "'a' is 'F8_E4M3', expected one of F64, F32",
    "size.safetensors": "'a' has 4 bytes for F32 of shape [9]",
    "gap.safetensors": "'a' begins at byte 3, expected 0",
    "more.safetensors": "is a damaged .safetensors file: its tensors take",
    "less.safetensors": "is a damaged .safetensors file: its tensors take",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkpoint_that_was_made_to_harm(place, name):
    before, began = contents(place).keys(), time.process_time()
    done = lt_export(name, "--arch", "LightTrackM_Subnet", "--path-name", TINY, "-o", "out", cwd=place)
    assert done.code == 3, done.err
    assert REFUSED[name] in done.error_line
    assert done.err.splitlines() == [done.error_line]
    assert done.out == ""
    assert contents(place).keys() == before
    assert time.process_time() - began < 5


def export(place, name, target):
    done = lt_export(place / name, "--path-name", TINY, "-o", target, "-q", "--no-verify")
    assert done.code == 0, done.err
    return {name: data for name, data in contents(target).items() if name != "manifest.json"}


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("numpy.pth", "good.pth"),
        ("numpy_legacy.pth", "good.pth"),
        ("good.safetensors", "good.pth"),
        ("halves.safetensors", "exact.pth"),
    ],
)
def test_models_are_the_same_whatever_wrote_the_checkpoint(place, tmp_path, name, same):
    assert export(place, name, tmp_path / "out") == export(place, same, tmp_path / "same")


CONFIGS = {
    "a: &a [x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
    + "".join(f"{d}: &{d} [{', '.join([f'*{c}'] * 9)}]\n" for c, d in zip("bcdefgh", "cdefghi", strict=True)): (
        "more than 20000 values, aliases included"
    ),
    "tracker: &t {lr: *t}": "line 1: tracker.lr.lr",
    "search_size: 2026-01-01": "line 1: search_size: is a timestamp, expected text, a number",
    "path_name: !!binary aGk=": "line 1: path_name: is a binary, expected text",
    "archs: !!set {LightTrackM_Subnet}": "line 1: archs: is a set, expected text, a number, yes or no, a list",
    "tracker: !!python/object/apply:os.system [ls]": "line 1: tracker: is a python/object/apply:os.system",
    "tracker: {lr: .nan}": "line 1: tracker.lr: is .nan, expected a finite number",
    "tracker: {lr: .inf}": "line 1: tracker.lr: is .inf, expected a finite number",
    "tracker: {lr: fast}": "tracker.lr: expected a number, found 'fast'",
    "tensors: {z: {shape: [1, 1.0e+30]}}": "tensors.z.shape.1",
    f"tensors: {{z: {{shape: [1, 1{'0' * 30}]}}}}": "line 1: tensors.z.shape.1: is 1000",
    "noise_feeds: 1000000000": "noise_feeds: expected at most 1000, found 1000000000",
    "noise_feeds: 1e9": "noise_feeds: expected a whole number, found '1e9'",
    "splits: {two: [init]}": "splits.two has no graph that takes 'x'",
    "splits: {two: [init, init, update]}": "splits.two names 'init' twice",
    "search_size: 256\nsearch_size: 288": "line 2: search_size: is there twice",
    "[" * 20_000: "more than 20 lists and keys in each other",
    "#" * 70_000: "has 70000 bytes, expected at most 65536",
}


@pytest.mark.parametrize("text", CONFIGS, ids=CONFIGS.values())
def test_a_config_that_was_made_to_harm(place, tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    began = time.process_time()
    done = lt_export(place / "good.pth", "--config", "mine.yaml", "-o", "out", cwd=tmp_path)
    assert time.process_time() - began < 5
    assert done.code == 2, done.err
    assert CONFIGS[text] in done.error_line
    assert len(done.error_line) < 500
    assert sorted(contents(tmp_path)) == ["mine.yaml"]


def changed(export, change):
    path = export / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def first_file(name):
    def change(manifest):
        manifest["graphs"][0]["files"][0]["name"] = name

    return change


MANIFESTS = {
    "above": (first_file("../secret.param"), 2, "is none of lt-export's"),
    "absolute": (first_file("/etc/passwd"), 2, "is none of lt-export's"),
    "windows": (first_file("..\\secret.param"), 2, "is none of lt-export's"),
    "NUL": (first_file("a\0.param"), 2, "is none of lt-export's"),
    "number": (first_file(5), 2, "is none of lt-export's"),
    "graphs": (lambda manifest: manifest.update(graphs=5), 2, "is none of lt-export's"),
    "size": (lambda manifest: manifest["tracker"].update(search_size=10**9), 1, "tracker.search_size: Input should be"),
    "sizes": (lambda manifest: manifest["tracker"].update(sizes=[{}] * 101), 1, "tracker.sizes"),
    "seed": (lambda manifest: manifest["verification"].update(seed=-1), 1, "verification.seed: Input should be"),
    "bytes": (lambda manifest: manifest["graphs"][0]["files"][0].update(bytes=1 << 50), 1, "files.0.bytes: Input"),
    "large": (lambda manifest: manifest["tracker"].update(lr=10**40), 1, "is damaged: integer 1000"),
    "golden": (lambda manifest: manifest.update(golden="/etc"), 1, "'/etc' is no way from one folder to another"),
    "long": (first_file("x" * 300), 2, "is none of lt-export's"),
    "way": (lambda manifest: manifest.update(golden="x" * 300), 1, "is no way from one folder to another"),
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_from_elsewhere(tiny_export, place, tmp_path, name):
    change, code, text = MANIFESTS[name]
    export = shutil.copytree(tiny_export, tmp_path / "export")
    changed(export, change)
    for done in (lt_verify(export, "--resume", place / "good.pth"), lt_track(export, "a.avi", "--box", "1,2,3,4")):
        assert done.code == code, done.err
        assert text in done.error_line
        assert done.out == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b'{"a": NaN}', "NaN is no number in JSON"),
        (b'{"a": 1e999}', "number 1e999 is too large"),
        (b'{"a": 1, "a": 2}', "key 'a' is there twice"),
        (b"[" * 10_000 + b"]" * 10_000, "more than 64 lists and objects in each other"),
        (b'{"a": ' + b"9" * 5000 + b"}", "integer 99999999999999999999 is too large"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"", "Expecting value"),
    ],
)
@pytest.mark.parametrize("file", ["manifest.json", "index.json"])
def test_json_from_elsewhere(place, tiny_export, tmp_path, file, text, problem):
    (tmp_path / file).write_bytes(text)
    asked = (tmp_path, "--resume", place / "good.pth") if "manifest" in file else (tiny_export, "--golden", tmp_path)
    done = lt_verify(*asked)
    assert done.code in (1, 2)
    assert problem in done.error_line


def test_a_link_out_of_an_export_is_not_followed(tiny_export, place, tmp_path):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    shutil.move(export / "lighttrack_init.bin", tmp_path / "elsewhere.bin")
    (export / "lighttrack_init.bin").symlink_to(tmp_path / "elsewhere.bin")
    done = lt_verify(export, "--resume", place / "good.pth")
    assert done.code == 1
    assert "lighttrack_init.bin is a link that leads out of the folder; copy the file into it" in done.error_line


def test_control_characters_reach_neither_a_terminal_nor_a_report(place, tiny_export, tmp_path):
    export = shutil.copytree(tiny_export, tmp_path / "export")
    changed(export, lambda manifest: manifest["checkpoint"].update(file="\x1b]0;owned\x07\x9b2J\u202e.pth"))
    reports = [tmp_path / "report.md", tmp_path / "report.html"]
    options = [word for path in reports for word in ("--report", path)]
    done = lt_verify(export, "--resume", place / "good.pth", *options, "-v")
    assert done.code == 0, done.err
    for text in (done.out, done.err, *(path.read_text() for path in reports)):
        assert not {*"\x1b\x07\x9b\u202e"} & {*text}
    assert "owned" in reports[0].read_text()
