"""A supernet's checkpoint as a source of subnets, through the command line."""

import json

import pytest
import torch
from lighttrack import FAMILY, fill

from commands import lt_bench, lt_export, lt_verify
from conftest import TINY, contents
from converter.families.lighttrack.space import EXAMPLE

SUPERNET = FAMILY.supernet


@pytest.fixture(scope="session")
def super_file(once):
    """A supernet's checkpoint with seeded weights."""

    def make(path):
        state = SUPERNET.build(EXAMPLE, {}).to_empty(device="cpu").state_dict()
        torch.save({"epoch": 3, "arch": SUPERNET.arch, "state_dict": fill(state) or state}, path)

    return once("super.pth", make)


@pytest.fixture(scope="session")
def subnet(once, super_file):
    """(export, checkpoint) of one path."""

    def make(path):
        path.mkdir()
        words = (super_file, "--path-name", TINY, "-o", path / "out", "--save-checkpoint", path / "subnet.pth")
        done = lt_export(*words)
        assert done.code == 0, done.err

    folder = once("subnet", make)
    return folder / "out", folder / "subnet.pth"


def test_a_subnet_is_exported_and_the_manifest_says_of_which_supernet(subnet, super_file):
    manifest = json.loads((subnet[0] / "manifest.json").read_text())
    assert (manifest["arch"], manifest["path_name"]) == ("LightTrackM_Subnet", TINY)
    assert manifest["checkpoint"]["file"] == super_file.name
    assert (manifest["checkpoint"]["epoch"], manifest["checkpoint"]["subnet_of"]) == (3, SUPERNET.arch)
    assert "unused" not in manifest["checkpoint"]


def test_the_saved_checkpoint_gives_the_same_models(subnet, tmp_path):
    export, file = subnet
    held = torch.load(file, weights_only=True)
    assert (held["arch"], held["epoch"], held["path_name"]) == ("LightTrackM_Subnet", 3, TINY)
    assert held["state_dict"].keys() == FAMILY.build(TINY, 127).state_dict().keys()
    assert file.stat().st_size < 4e6
    assert lt_export(file, "--path-name", TINY, "-o", tmp_path / "out").code == 0
    for name, data in contents(export).items():
        assert name == "manifest.json" or data == (tmp_path / "out" / name).read_bytes(), name


def test_the_export_is_verified_and_measured_beside_the_supernet(subnet, super_file):
    done = lt_verify(subnet[0], "--resume", super_file)
    assert done.code == 0, done.err
    assert "weights of super.pth" in done.out
    words = ("--threads", 1, "--precision", "fp32", "--runs", 1, "--seconds", 1)
    done = lt_bench(subnet[0], "--resume", super_file, *words, "--json")
    assert done.code == 0, done.err
    assert "torch" in done.out


@pytest.mark.parametrize("command", [lt_export, lt_verify])
def test_without_a_path_name_it_says_what_it_is_and_what_to_give(command, subnet, super_file):
    models = [f"--{name}={subnet[0] / f'lighttrack_{name}.param'}" for name in ("init", "update")]
    done = command(*(models if command is lt_verify else []), "--resume", super_file)
    assert done.code == 2
    assert f"is a supernet, {SUPERNET.arch}, which holds many networks; pass --path-name" in done.error_line
    assert EXAMPLE in done.error_line


def test_a_path_name_in_a_config_is_one_too(super_file, subnet, tmp_path):
    config = tmp_path / "mine.yaml"
    config.write_text(f"path_name: {TINY}\n")
    done = lt_export(super_file, "--config", config, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert (tmp_path / "out/lighttrack_update.bin").read_bytes() == (subnet[0] / "lighttrack_update.bin").read_bytes()


@pytest.mark.parametrize(
    ("path_name", "line"),
    [
        (
            TINY.replace("back_00", "back_09"),
            "digit 2 of the backbone part (block 0 of stage 0) is '9', expected 0 to 5",
        ),
        (TINY.replace("cls_0", "cls_3"), "digit 1 of the cls tower part (the channels) is '3', expected 0 to 2"),
        (TINY.replace("ops_10", "ops_40"), "digit 1 of the ops part (the stage) is '4', expected 1 to 3"),
    ],
)
def test_a_path_that_the_space_does_not_have(super_file, path_name, line):
    done = lt_export(super_file, "--path-name", path_name)
    assert done.code == 2
    assert line in done.error_line


def test_a_supernet_with_other_keys_does_not_fit(super_file, tmp_path):
    held = torch.load(super_file, weights_only=True)
    dead = [key for key in held["state_dict"] if SUPERNET.ignores(key)]
    lacking = tmp_path / "lacking.pth"
    state = {key: value for key, value in held["state_dict"].items() if key not in dead}
    torch.save({"state_dict": state}, lacking)
    assert (
        lt_export(lacking, "--path-name", TINY, "-o", tmp_path / "out").code == 0
    )  # what no subnet has may be missing
    state.pop("neck.BN_z.2.weight")
    torch.save({"state_dict": {**state, "features.more": torch.zeros(1)}}, lacking)
    done = lt_export(lacking, "--path-name", TINY)
    assert done.code == 3
    assert "1 missing (neck.BN_z.2.weight), 1 unexpected (features.more)" in done.error_line
    done = lt_export(super_file, "--arch", "NanoTrackV1")
    assert done.code == 3
    assert "holds no NanoTrackV1; its subnets are --arch LightTrackM_Subnet" in done.error_line


def test_a_checkpoint_is_saved_in_no_place_where_something_would_be_lost(tiny, tmp_path):
    trained, before = tmp_path / "trained.pth", tiny.read_bytes()
    trained.write_bytes(before)
    out, words = tmp_path / "out", (trained, "--path-name", TINY, "-o", tmp_path / "out", "--save-checkpoint")
    for place, reason in [
        (trained, "is a file that no run of this program wrote"),
        (out / "subnet.pth", "lies in the export, which is replaced as a whole"),
        (tmp_path / "none/subnet.pth", "no folder"),
        (tmp_path, "is a folder"),
    ]:
        done = lt_export(*words, place)
        assert done.code == 2
        assert reason in done.error_line
    assert trained.read_bytes() == before
    assert not out.exists()
    for _ in range(2):  # its own is replaced
        assert lt_export(*words, tmp_path / "saved.pth").code == 0
    assert list(torch.load(tmp_path / "saved.pth", weights_only=True)) == [
        *("generator", "epoch", "arch", "path_name", "state_dict")
    ]


def test_no_checkpoint_is_left_of_an_export_that_fails(tiny, tmp_path):
    words = (tiny, "--path-name", TINY, "-o", tmp_path / "out", "--save-checkpoint", tmp_path / "saved.pth")
    assert lt_export(*words, "--rtol", "1e-12").code == 1
    assert list(tmp_path.iterdir()) == []
