"""Bad input: one line, its exit code, and an earlier export byte for byte as it was."""

import argparse
import json
import shutil

import pytest
import torch

from commands import lt_export
from conftest import MOBILE, TINY, contents


@pytest.fixture(scope="module")
def place(tiny, tiny_export, tmp_path_factory):
    """A folder with every kind of bad file, and an earlier export in ``out``."""
    folder = tmp_path_factory.mktemp("bad")
    checkpoint = torch.load(tiny, weights_only=True)
    state = checkpoint["state_dict"]
    key = "neck.BN_z.weight"

    def save(name, **changes):
        torch.save({**checkpoint, **changes}, folder / name)

    shutil.copy(tiny, folder / "good.pth")
    save("missing.pth", state_dict={name: value for name, value in state.items() if name != key})
    save("unexpected.pth", state_dict={**state, "neck.other": torch.zeros(1)})
    save("misshaped.pth", state_dict={**state, key: torch.zeros(3)})
    save("nan.pth", state_dict={**state, key: state[key] * float("nan")})
    save("infinite.pth", state_dict={**state, key: torch.where(state[key] == state[key].max(), torch.inf, state[key])})
    save("integers.pth", state_dict={**state, key: state[key].int()})
    save("variance.pth", state_dict={**state, "neck.BN_z.running_var": -state["neck.BN_z.running_var"]})
    save("twice.pth", state_dict={**state, f"module.{key}": state[key]})
    save("pickled.pth", options=argparse.Namespace(lr=1))
    save("no_dict.pth", state_dict=[1, 2])
    torch.save({"model": {"a": 1}, "epoch": 3}, folder / "no_tensors.pth")
    torch.save(torch.zeros(3), folder / "tensor.pth")
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "torchscript.pth")
    data = tiny.read_bytes()
    (folder / "cut_off.pth").write_bytes(data[: len(data) // 2])
    (folder / "empty.pth").touch()
    (folder / "text.pth").write_text("not a checkpoint\n" * 50)
    (folder / "text.png").write_text("not a picture")
    (folder / "unknown_key.yaml").write_text("searchsize: 288\n")
    (folder / "wrong_type.yaml").write_text("search_size: large\n")
    (folder / "broken.yaml").write_text("tensors: [1\n")
    (folder / "list.yaml").write_text("- search_size\n")
    (folder / "unknown_graph.yaml").write_text("splits: {two: [init, later]}\n")
    (folder / "foreign").mkdir()
    (folder / "foreign/notes.txt").write_text("mine")
    (folder / "file").write_text("mine")
    shutil.copytree(tiny_export, folder / "out")
    shutil.copytree(tiny_export, folder / "extended")
    (folder / "extended/notes.txt").write_text("mine")
    return folder


GOOD = ["--resume", "good.pth", "--path-name", TINY, "-o", "out"]
CHECKPOINTS = {
    "nowhere.pth": "no such file",
    "foreign": "is a folder",
    "missing.pth": "1 missing (neck.BN_z.weight)",
    "unexpected.pth": "1 unexpected (neck.other)",
    "misshaped.pth": "1 mis-shaped (neck.BN_z.weight: (3,) in the file, (40,) in the network)",
    "nan.pth": "1 unusable (neck.BN_z.weight: holds NaN or infinity)",
    "infinite.pth": "1 unusable (neck.BN_z.weight: holds NaN or infinity)",
    "integers.pth": "1 unusable (neck.BN_z.weight: int32, expected float32)",
    "variance.pth": "1 unusable (neck.BN_z.running_var: holds a negative variance)",
    "twice.pth": "'neck.BN_z.weight' is there twice",
    "pickled.pth": "needs pickled code to load (argparse.Namespace), which may run anything; "
    "if you trust where it comes from, pass --allow-pickle",
    "no_dict.pth": "holds list, expected a state dict",
    "no_tensors.pth": "no tensors among its top-level keys (model, epoch)",
    "tensor.pth": "holds Tensor, expected a state dict",
    "torchscript.pth": "is a TorchScript file",
    "cut_off.pth": "is a damaged zip archive",
    "empty.pth": "is empty",
    "text.pth": "begins with b'not a ch', expected a file written by torch.save",
}
OPTIONS = {
    ("--arch", "LightTrackM_Supernet"): (2, "known are LightTrackM_Subnet, LightTrackM_Speed"),
    ("--path-name", "back_0"): (2, "without '+cls_' and '+reg_' and '_ops_'"),
    ("--path-name", TINY.replace("back_0", "back_")): (2, "the backbone part '000"),
    ("--path_name", TINY.replace("ops_10", "ops_40")): (2, "the stage) is '4', expected 1 to 3"),
    ("--path_name", TINY.replace("cls_0", "cls_7")): (2, "digit 1 of the cls tower part (the channels) is '7'"),
    ("--path_name", MOBILE): (3, f"the weights fit --path-name {TINY}"),
    ("--template-size", "100"): (2, "13x13 cells but the official correlation layer is built for 12x12"),
    ("--template-size", "0"): (2, "--template-size 0: expected at least 16"),
    ("--search-size", "99999"): (2, "--search-size 99999: expected at most 1024"),
    ("--search-size", "100"): (2, "smaller than the template, 127"),
    ("--search-size", "big"): (2, "--search-size big: expected a number of pixels"),
    ("--stride", "16"): (2, "has stride 8; pass --stride 8 or leave it out"),
    ("--seed", "-1"): (2, "--seed"),
    ("--atol", "-1"): (2, "--atol"),
    ("--rtol", "nan"): (2, "--rtol"),
    ("--atol", "inf"): (2, "--atol inf: expected a finite number"),
    ("--config", "nowhere.yaml"): (2, "config nowhere.yaml: no such file"),
    ("--config", "unknown_key.yaml"): (2, "config unknown_key.yaml: unknown key 'searchsize'"),
    ("--config", "wrong_type.yaml"): (2, "config wrong_type.yaml: search_size: expected a whole number"),
    ("--config", "broken.yaml"): (2, "config broken.yaml: not YAML, line 2"),
    ("--config", "list.yaml"): (2, "config list.yaml: holds list"),
    ("--config", "unknown_graph.yaml"): (2, "splits names 'later', known are init, update"),
    ("--image", "nowhere.png"): (2, "--image nowhere.png: no such file"),
    ("--image", "text.png"): (2, "--image text.png: not a picture"),
    ("--image", "foreign"): (2, "--image foreign: is a folder, expected a picture"),
    ("--official", "nowhere"): (2, "--official nowhere: no such folder, expected a checkout; leave --official out"),
    ("--output", "foreign"): (2, "holds 'notes.txt', which no export wrote; nothing was touched"),
    ("--output", "extended"): (2, "holds 'notes.txt', which no export wrote; nothing was touched"),
    ("--output", "file"): (2, "is a file"),
    ("--output", "file/inside"): (2, "file is not a folder"),
    ("--preset", "rk"): (2, "unknown, known are android-single, lighttrack-ncnn, nanotrack-ncnn, opencv-tracker-nano"),
    ("--rename", "cls"): (2, "--rename cls: expected OLD=NEW"),
    ("--rename", "cls="): (2, "--rename cls=: expected OLD=NEW"),
    ("--rename", "nix=a"): (2, "no input or output is called 'nix', known are init: z, zf; update: zf, x, cls, reg"),
    ("--rename", "neck_head:cls=a"): (2, "no graph neck_head in this export, only init, update"),
    ("--rename", "cls=reg"): (2, "update: cls and reg would both be called 'reg' in one ncnn graph"),
    ("--rename", "cls=a b"): (2, "update: 'a b' is no name for cls in ncnn"),
    ("--rename", f"cls={'a' * 256}"): (2, "expected 1 to 255 characters of printable ASCII"),
    ("--rename", "cls=a", "--rename", "cls=b"): (2, "--rename cls=a and --rename cls=b both name the tensor cls"),
    ("--split", "one", "--format", "onnx"): (2, "expected two or three for onnx, whose runtime runs whole graphs only"),
    ("--split", "one", "--search-size", "256", "--search-size", "288"): (2, "it is one file; pass --dynamic-search"),
    ("--dynamic-search", "--search-size", "250"): (2, "expected one of 192, 208, 224"),
    ("--dynamic-search", "--search-size", "256", "--search-size", "288"): (2, "give --search-size once"),
    ("--dynamic-search", "--preset", "lighttrack-ncnn"): (2, "ncnn 20230223 is too old for it, expected 20250428"),
    ("--search-size", "256", "--search-size", "5"): (2, "--search-size 5: expected at least 16"),
    ("--oldest-ncnn", "1.0"): (2, "--oldest-ncnn 1.0: expected the date of a release, 20210720 or later"),
    ("--oldest-ncnn", "20200101"): (2, "--oldest-ncnn 20200101: expected the date of a release, 20210720 or later"),
    ("-v", "-q"): (2, "contradict each other"),
    ("--resmue", "good.pth"): (2, "No such option: --resmue"),
    ("empty.pth",): (2, "two checkpoints, empty.pth and --resume good.pth: expected one of them"),
    ("--search-size", "256", "288"): (2, "--search-size 256 --search-size 288"),
    ("good.pth", "empty.pth"): (2, "unexpected empty.pth: expected one CHECKPOINT, and good.pth is it already"),
}


def everything(place):
    return {path: path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def refused(place, arguments, code, fragment):
    before = everything(place)
    done = lt_export(*arguments, cwd=place)
    assert done.code == code, done.err
    assert fragment in done.error_line
    assert done.err.splitlines() == [done.error_line]
    assert done.out == ""
    assert everything(place) == before


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_checkpoint_that_cannot_be_used(place, name):
    refused(place, [*GOOD, "--resume", name], 3, CHECKPOINTS[name])


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_an_option_that_cannot_be_used(place, options):
    refused(place, [*GOOD, *options], *OPTIONS[options])


@pytest.mark.parametrize(
    "options", [["--stride", "16"], ["--preset", "x"], ["--resmue", "x"], ["--resume", "empty.pth"]]
)
def test_an_error_is_json_too_where_json_was_asked_for(place, options):
    done = lt_export(*GOOD, *options, "--json", cwd=place)
    answer = json.loads(done.out)["error"]
    assert answer["exit_code"] == done.code > 1
    assert done.error_line == f"lt-export: error: {answer['message']}"


def test_no_checkpoint_at_all(place):
    refused(place, ["-o", "out"], 2, "no checkpoint: pass the file that training wrote, lt-export CHECKPOINT")


@pytest.mark.parametrize("prefix", ["module.", "feature_extractor.", "module.feature_extractor."])
def test_prefixes_are_stripped(place, tmp_path, prefix):
    checkpoint = torch.load(place / "good.pth", weights_only=True)
    state = {prefix + key: value for key, value in checkpoint["state_dict"].items()}
    torch.save({"state_dict": state, "optimizer": {"lr": 0.1}}, tmp_path / "some.pth")
    assert export_models(tmp_path / "some.pth", tmp_path / "out") == models(place / "out")


def test_a_bare_state_dict_is_taken(place, tmp_path):
    torch.save(torch.load(place / "good.pth", weights_only=True)["state_dict"], tmp_path / "some.pth")
    assert export_models(tmp_path / "some.pth", tmp_path / "out") == models(place / "out")


@pytest.mark.parametrize("arch", [(), ("--arch", "LightTrackM_Subnet")])
def test_pickled_code_is_run_when_allowed(place, tmp_path, arch):
    assert export_models(place / "pickled.pth", tmp_path / "out", "--allow-pickle", *arch) == models(place / "out")


def export_models(checkpoint, target, *options):
    done = lt_export("--resume", checkpoint, "--path-name", TINY, "-o", target, "-q", *options)
    assert done.code == 0, done.err
    return models(target)


def models(folder):
    return {name: data for name, data in contents(folder).items() if name != "manifest.json"}
