"""Checkpoints that hold objects of the training's own code beside the weights."""

import sys
import types

import pytest
import torch

from converter.errors import CheckpointError
from converter.network.checkpoint import read_checkpoint, shapes_of


@pytest.fixture(params=[True, False])
def path(request, tmp_path, monkeypatch):
    """As STARK's training writes it: the classes can be imported while it is written, and not afterwards."""
    module = types.ModuleType("absent_training")

    class Settings:
        def __init__(self):
            self.path, self.values = "somewhere", [1, 2]

    class Meter(dict):
        pass

    class Names(list):
        pass

    for kind in (Settings, Meter, Names):
        kind.__module__, kind.__qualname__ = module.__name__, kind.__name__
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    state = {"epoch": 500, "net": {"weight": torch.ones(3)}, "settings": Settings()}
    state |= {"stats": {"train": Meter(loss=Settings())}, "names": Names(["a"]), "constructor": None}
    torch.save(state, tmp_path / "made.pth.tar", _use_new_zipfile_serialization=request.param)
    monkeypatch.delitem(sys.modules, module.__name__)
    return tmp_path / "made.pth.tar"


def test_the_weights_are_read_where_the_user_trusts_the_file(path):
    checkpoint = read_checkpoint(path, allow_pickle=True)
    assert checkpoint.epoch == 500
    assert list(checkpoint.state) == ["weight"]
    assert torch.equal(checkpoint.state["weight"], torch.ones(3))


def test_without_trust_the_error_names_the_option(path):
    with pytest.raises(CheckpointError, match=r"absent_training\.\w+.*--allow-pickle"):
        read_checkpoint(path)


def test_nested_tensors_have_no_shape():
    state = {"a": torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]), "b": torch.ones(2, 3), "c": 5}
    assert shapes_of(state) == {"b": (2, 3)}


@pytest.mark.parametrize("epoch", [10**300, True, 1.5, "3", None])
def test_an_epoch_is_a_number_that_json_has(tmp_path, epoch):
    torch.save({"epoch": epoch, "state_dict": {"w": torch.ones(1)}}, tmp_path / "a.pth")
    assert read_checkpoint(tmp_path / "a.pth").epoch is None


def test_what_a_file_puts_on_a_tensor_is_left_behind(tmp_path):
    weight = torch.nn.Parameter(torch.ones(3))
    weight.detach = weight.to = None
    torch.save({"w": weight}, tmp_path / "a.pth")
    value = read_checkpoint(tmp_path / "a.pth").state["w"]
    assert not vars(value)
    assert not value.requires_grad
    assert torch.equal(value, torch.ones(3))


def test_a_file_larger_than_any_checkpoint_is_not_read(tmp_path):
    with (tmp_path / "a.pth").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CheckpointError, match="has 1099511627776 bytes, expected at most 4294967296"):
        read_checkpoint(tmp_path / "a.pth")
