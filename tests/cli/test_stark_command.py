"""STARK-Lightning through the commands: what is published, what is refused, what is noticed."""

import argparse
import json
import os
import re
import shutil
import sys
import types

import numpy as np
import pytest
import torch
from clips import save_video
from default_inputs import INPUTS
from stark import ARCH, SMALL, save

from commands import lt_bench, lt_export, lt_track, lt_verify
from converter.spec.config import config_folder

SIZES = ("--template-size", 64, "--search-size", 128)
DSCONV = config_folder() / "stark_lightning_dsconv.yaml"
REP = config_folder() / "stark_lightning.yaml"


def export(weights, folder, *more, arch=ARCH):
    return lt_export("--resume", weights, "--arch", arch, "-o", folder, "--json", *SIZES, *more)


@pytest.fixture(scope="module")
def both(stark_weights, tmp_path_factory):
    """The official head in both formats with golden vectors; not to be changed."""
    folder = tmp_path_factory.mktemp("exports") / "rep"
    formats = ("--format", "ncnn", "--format", "onnx")
    done = export(stark_weights["rep_v2"], folder, *formats, "--golden", folder / "golden")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


@pytest.fixture(scope="module")
def masked(stark_weights, tmp_path_factory):
    """A head of three blocks, with masks; not to be changed."""
    folder = tmp_path_factory.mktemp("exports") / "masked"
    done = export(stark_weights["dsconv_v3_3"], folder, "--masks")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def test_the_manifest_says_what_it_is(both):
    folder, manifest = both
    assert (manifest["arch"], manifest["path_name"], manifest["checkpoint"]["epoch"]) == (ARCH, "rep_v2", 3)
    assert manifest["verification"]["status"] == "passed"
    assert "unpatched forward_backbone() and forward_transformer()" in manifest["verification"]["reference"]
    assert manifest["tracker"]["search_factor"] == 5.0
    graphs = {(graph["format"], graph["name"]): graph for graph in manifest["graphs"]}
    assert graphs.keys() == {(format, name) for format in ("ncnn", "onnx") for name in ("init", "update")}
    update = graphs["ncnn", "update"]
    shapes = {tensor["meaning"]: tensor["shape"] for tensor in (*update["inputs"], *update["outputs"])}
    tokens = {"zv": [1, 16, 128], "zk": [1, 16, 128], "x": [1, 3, 128, 128]}
    assert shapes == {**tokens, "box": [1, 4], "corners": [1, 4], "score": [1, 2, 8, 8]}
    assert {path.name for path in folder.glob("stark_*")} == {
        f"stark_{name}.{kind}" for name in ("init", "update") for kind in ("param", "bin", "onnx")
    }
    checked = {output["name"] for check in manifest["verification"]["checks"] for output in check["outputs"]}
    assert checked == {"zv", "zk", "box", "corners", "score"}
    cells = [check["best_cell"] for check in manifest["verification"]["checks"] if check["graph"] == "update"]
    assert len(cells) == 2 * 2 * len(INPUTS)
    assert all(cell["passed"] for cell in cells)


def test_blocks_are_fused_in_the_models(both):
    folder, _ = both
    kinds = [line.split()[0] for line in (folder / "stark_update.param").read_text().splitlines()[2:]]
    assert kinds.count("Convolution") == 11 + 1 + 3
    assert not {"BatchNorm", "MultiHeadAttention"} & set(kinds)


def test_an_export_verifies_against_network_and_golden_vectors(both, stark_weights):
    folder, _ = both
    for arguments in ((), ("--resume", stark_weights["rep_v2"], "--seed", 5, "--layers")):
        done = lt_verify(folder, *arguments, "--json")
        assert done.code == 0, done.err
    assert len(json.loads(done.out)["verification"]["checks"]) == 2 * 3 * len(INPUTS)


@pytest.mark.parametrize("head", ["dsconv_v3_2", "dsconv_v3_6"])
@pytest.mark.parametrize("config", [(), ("--config", DSCONV)])
def test_the_checkpoint_says_which_head_it_has(stark_weights, tmp_path, head, config):
    done = export(stark_weights[head], tmp_path / "out", *config)
    assert done.code == 0, done.err
    assert json.loads(done.out)["path_name"] == head


@pytest.mark.parametrize(
    ("head", "asked", "words"),
    [
        ("dsconv_v3_4", ("--head-blocks", 3), "with corner head dsconv_v3_3: .*the weights fit --head-blocks 4$"),
        ("rep_v2", ("--head-blocks", 2), "with corner head dsconv_v3_2: .*the weights fit --path-name rep_v2$"),
        ("rep_v2", ("--config", DSCONV), "with corner head dsconv_v3_2: .*the weights fit --path-name rep_v2$"),
        ("dsconv_v3_2", ("--config", REP), "with corner head rep_v2: .*the weights fit --head-blocks 2$"),
        (
            "rep_v2",
            ("--search-size", 144),
            "does not fit --search-size 144; its weights fit --search-size 128$",
        ),
    ],
)
def test_weights_of_another_network_are_refused(stark_weights, tmp_path, head, asked, words):
    sizes = ("--template-size", 64, *(() if "--search-size" in asked else ("--search-size", 128)))
    done = lt_export("--resume", stark_weights[head], "--arch", ARCH, "-o", tmp_path / "out", *sizes, *asked)
    assert done.code == 3
    assert re.search(words, done.error_line)
    assert not (tmp_path / "out").exists()


def test_weights_of_the_other_family_say_so(stark_weights, tiny, tmp_path):
    done = lt_export("--resume", stark_weights["rep_v2"], "--arch", "LightTrackM_Subnet", "-o", tmp_path / "out")
    assert done.code == 3
    assert "the weights fit --arch STARK_Lightning --template-size 64 --search-size 128" in done.error_line
    done = lt_export("--resume", tiny, "--arch", ARCH, "-o", tmp_path / "out")
    assert done.code == 3
    assert "the weights fit --arch LightTrackM_Subnet --path-name back_" in done.error_line


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--search-size", 144), "--search-size 128 and 144: weights of this network are of one size"),
        (("--dynamic-search",), "--dynamic-search: STARK_Lightning has no other search sizes"),
        (("--sigmoid",), "no output of it is a logit"),
        (("--split", "one"), "--split one: expected one of two, three"),
        (("--preset", "tensorrt"), "--preset tensorrt: its consumer wants 'zf' of graph init"),
        (("--head-blocks", 9), "--head-blocks 9: expected 2 to 6"),
    ],
)
def test_what_it_cannot_do_is_wrong_usage(stark_weights, tmp_path, arguments, words):
    done = export(stark_weights["rep_v2"], tmp_path / "out", *arguments)
    assert done.code == 2
    assert words in done.error_line


def test_masks_are_inputs_and_are_verified(masked, stark_weights, tmp_path):
    folder, manifest = masked
    (update,) = (graph for graph in manifest["graphs"] if graph["name"] == "update")
    masks = {tensor["name"]: (tensor["shape"], tensor["mask_of"]) for tensor in update["inputs"] if tensor["mask_of"]}
    assert masks == {"z_mask": ([1, 16], "z"), "x_mask": ([1, 64], "x")}
    done = lt_verify(folder, "--resume", stark_weights["dsconv_v3_3"], "--json")
    assert done.code == 0, done.err
    models = ("--init", folder / "stark_init.param", "--update", folder / "stark_update.param")
    network = ("--resume", stark_weights["dsconv_v3_3"], "--arch", ARCH, *SIZES)
    assert lt_verify(*models, *network, "--masks").code == 0
    done = lt_verify(*models, *network)
    assert done.code == 1, done.err
    assert done.error_line.endswith("has inputs ['x', 'x_mask', 'z_mask', 'zk', 'zv'], expected ['x', 'zk', 'zv']")
    golden = tmp_path / "golden"
    assert lt_verify(folder, "--resume", stark_weights["dsconv_v3_3"], "--write-golden", "--golden", golden).code == 0
    fed = {entry["name"] for entry in json.loads((golden / "index.json").read_text())["tensors"]}
    assert fed >= {"z_mask", "x_mask"}
    assert lt_verify(folder, "--golden", golden).code == 0
    assert lt_bench(folder, "--rounds", 1, "--threads", 1, "--precision", "fp32", "-q").code == 0
    done = lt_track(folder, save_video(tmp_path / "drawn.avi", 4), "--box", "30,20,16,12", "--json")
    assert done.code == 0, done.err
    assert len(json.loads(done.out)["frames"]) == 4


def test_a_mask_that_the_model_ignores_is_noticed(masked, stark_weights, tmp_path):
    folder = tmp_path / "out"
    shutil.copytree(masked[0], folder)
    param = folder / "stark_update.param"
    lines = param.read_text().splitlines()
    changed = [line.replace("2=10000.0", "2=0.0").replace("2=1.000000e+4", "2=0.0") for line in lines]
    assert changed != lines
    param.write_text("\n".join(changed) + "\n")
    done = lt_verify(folder, "--resume", stark_weights["dsconv_v3_3"], "--json")
    assert done.code == 1
    failed = [check for check in json.loads(done.out)["verification"]["checks"] if not check["passed"]]
    assert {check["graph"] for check in failed} == {"update"}


def test_half_weights_and_three_graphs(stark_weights, tmp_path):
    more = ("--half", "--split", "three", "--format", "ncnn", "--format", "onnx", "--protect-fp16")
    done = export(stark_weights["dsconv_v3_5"], tmp_path / "out", *more)
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "out").glob("*.onnx")} == {
        f"stark_{name}.onnx" for name in ("init", "backbone", "neck_head")
    }
    done = lt_verify(tmp_path / "out", "--resume", stark_weights["dsconv_v3_5"], "--fp16-report", "-q")
    assert done.code == 0, done.err


def test_names_are_the_users(stark_weights, tmp_path):
    done = export(stark_weights["rep_v2"], tmp_path / "out", "--rename", "box=output.1", "--rename", "init:zk=keys")
    assert done.code == 0, done.err
    text = (tmp_path / "out/stark_update.param").read_text()
    assert "output.1" in text
    assert "keys" in (tmp_path / "out/stark_init.param").read_text()
    assert lt_verify(tmp_path / "out", "--resume", stark_weights["rep_v2"]).code == 0


def test_weights_may_have_what_the_official_code_drops(both, tmp_path):
    counter = {"backbone.body.stage0.rbr_dense.bn.num_batches_tracked": torch.tensor(7)}
    weights = save(tmp_path / "more.pth", **SMALL)
    data = torch.load(weights, weights_only=True)
    torch.save({"net": {f"module.{key}": value for key, value in {**data["net"], **counter}.items()}}, weights)
    done = export(weights, tmp_path / "out")
    assert done.code == 0, done.err
    assert (tmp_path / "out/stark_update.bin").read_bytes() == (both[0] / "stark_update.bin").read_bytes()


def clip_of(folder):
    import cv2

    folder.mkdir()
    generator = np.random.default_rng(0)
    for index in range(4):
        pixels = generator.integers(60, 90, (90, 120, 3), np.uint8)
        pixels[10 + index : 24 + index, 90:110] = 250
        cv2.imwrite(str(folder / f"{index:03d}.png"), pixels)
    return folder


@pytest.mark.parametrize("with_masks", [False, True])
def test_a_clip_is_tracked_alike(both, masked, stark_weights, tmp_path, with_masks):
    folder, head = (masked[0], "dsconv_v3_3") if with_masks else (both[0], "rep_v2")
    clip = ("--clip", clip_of(tmp_path / "clip"), "--box", "90,10,20,14")
    done = lt_verify(folder, "--resume", stark_weights[head], *clip, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["clip"]["candidates"]
    assert {candidate["name"] for candidate in found} == ({"ncnn"} if with_masks else {"ncnn", "onnx"})
    assert all(candidate["tracked"] == 3 and candidate["iou"]["mean"] > 0.999 for candidate in found)


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A checkpoint as the official training leaves it: settings and meters of code that is not there, options."""
    settings, stats = (types.ModuleType(f"lib.train.admin.{name}") for name in ("settings", "stats"))
    settings.Settings = type("Settings", (), {"__module__": settings.__name__})
    stats.AverageMeter = type("AverageMeter", (), {"__module__": stats.__name__})
    made, meter = settings.Settings(), stats.AverageMeter()
    made.env, made.batchsize, meter.avg, meter.history = argparse.Namespace(workspace_dir="/data"), 16, 0.5, [0.7, 0.5]
    more = {"actor_type": "STARKLightningXtrtactor", "net_info": None, "constructor": None}
    more |= {"settings": made, "stats": {"train": {"Loss/total": meter}}}
    with monkeypatch.context() as patched:
        for name in ("lib", "lib.train", "lib.train.admin"):
            patched.setitem(sys.modules, name, types.ModuleType(name))
        for module in (settings, stats):
            patched.setitem(sys.modules, module.__name__, module)
        return save(tmp_path / "STARKLightningXtrt_ep0500.pth.tar", more=more, **SMALL)


@pytest.fixture
def with_code(tmp_path):
    """Weights beside an object that makes a folder while it is read, and that folder."""
    made = tmp_path / "code was run"

    class Runs:
        def __reduce__(self):
            return os.mkdir, (str(made),)

    return save(tmp_path / "code.pth.tar", more={"settings": Runs()}, **SMALL), made


def test_objects_of_the_training_are_refused_unless_allowed(both, trained, tmp_path):
    refusal = re.compile(
        r"error: checkpoint \S+/STARKLightningXtrt_ep0500\.pth\.tar: needs pickled code to load "
        r"\(lib\.train\.admin\.\w+\.\w+\), which may run anything; if you trust where it comes from, "
        r"pass --allow-pickle$"
    )
    for done in (export(trained, tmp_path / "out"), lt_verify(both[0], "--resume", trained, "--json")):
        assert done.code == 3
        assert refusal.search(done.error_line)
        assert json.loads(done.out)["error"]["exit_code"] == 3
    assert not (tmp_path / "out").exists()
    done = export(trained, tmp_path / "out", "--allow-pickle")
    assert done.code == 0, done.err
    assert json.loads(done.out)["verification"]["status"] == "passed"
    for file in ("stark_init.bin", "stark_update.bin"):
        assert (tmp_path / "out" / file).read_bytes() == (both[0] / file).read_bytes()
    done = lt_verify(tmp_path / "out", "--resume", trained, "--allow-pickle", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["verification"]["status"] == "passed"


def test_no_code_of_a_checkpoint_runs_unless_allowed(both, with_code, tmp_path):
    weights, made = with_code
    for call, words in (
        (lt_export, ("--resume", weights, "--arch", ARCH, "-o", tmp_path / "out", *SIZES)),
        (lt_verify, (both[0], "--resume", weights)),
        (lt_bench, (both[0], "--resume", weights, "--threads", 1)),
    ):
        done = call(*words)
        assert not made.exists()
        assert "mkdir), which may run anything" in done.error_line
        assert "pass --allow-pickle" in done.error_line
        assert done.code == 3
    done = lt_verify(both[0], "--resume", weights, "--allow-pickle", "-q")
    assert done.code == 0, done.err
    assert made.is_dir()


@pytest.mark.parametrize(
    ("output", "wrong", "cause"),
    [
        ("box", lambda box, cells: box * SMALL["search_size"], "box_in_pixels"),
        ("corners", lambda corners, cells: corners * cells, "box_in_cells"),
        ("score", lambda score, cells: softmax(score), "score_softmax"),
    ],
)
def test_usual_mistakes_are_recognised_on_a_device(both, tmp_path, output, wrong, cause):
    folder, _ = both
    for right in sorted((folder / "golden").glob("*/update")):
        answer = {name: np.load(right / f"{name}.npy") for name in ("box", "corners", "score")}
        answer[output] = wrong(answer[output], answer["score"].shape[-1])
        (tmp_path / right.parent.name).mkdir()
        for name, values in answer.items():
            np.save(tmp_path / right.parent.name / f"{name}.npy", values.astype(np.float32))
    done = lt_verify(folder, "--dumps", tmp_path, "--json")
    assert done.code == 1
    causes = json.loads(done.out)["dumps"]["causes"]
    assert [each["cause"] for each in causes] == [cause]


def softmax(score):
    weights = np.exp(score - score.max(axis=(2, 3), keepdims=True))
    return weights / weights.sum(axis=(2, 3), keepdims=True)
