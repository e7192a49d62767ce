"""Pickles that would end the process, or never end, when torch's safe reader builds them."""

import io
import pickle

import pytest
import torch
from hostile import pickled

from converter.errors import CheckpointError
from converter.network.checkpoint import read_checkpoint
from converter.network.pickled import PICKLES, has_deep_tuples

DEEP = b"\x80\x02}N" + b"\x85" * 300_000 + b"Ns."
BETWEEN = b"\x80\x02}N" + b"\x85q\0h\0" * 100 + b"Ns."
TWICE = b"\x80\x02})" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40)) + b"Ns."
MARKED = b"\x80\x02}" + b"(" * 300 + b"t" * 300 + b"Ns."
OF_A_CALL = b"\x80\x02}ccollections\nOrderedDict\n)RN" + b"\x85" * 300 + b"Ns."


@pytest.mark.parametrize("data", [DEEP, BETWEEN, TWICE, MARKED, OF_A_CALL])
def test_tuples_without_end_are_refused_before_they_are_built(tmp_path, data):
    assert has_deep_tuples(io.BytesIO(data))
    pickled(tmp_path / "a.pth", data)
    (tmp_path / "b.pth").write_bytes(data)
    for name in ("a.pth", "b.pth"):
        with pytest.raises(CheckpointError, match="tuples in each other, expected a state dict"):
            read_checkpoint(tmp_path / name)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_saves_has_none(tmp_path, zipped):
    state = {"a": torch.ones(2, 3), "b": {"c": [(1, (2, (3,)))] * 50, (4, 5): {6}}, "d": list(range(3000))}
    torch.save(state, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    assert torch.equal(read_checkpoint(tmp_path / "a.pth").state["a"], state["a"])


def test_every_pickle_of_a_file_is_looked_at():
    file = pickle.dumps(1, 2) + pickle.dumps(2, 2) + DEEP
    assert not has_deep_tuples(io.BytesIO(file), 2)
    assert has_deep_tuples(io.BytesIO(file), PICKLES)


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x02h\0.", b"\x80\x02t.", b"\x80\x02X\xff\xff\xff\xff", b"nonsense"]
)
def test_a_damaged_pickle_is_the_readers_to_refuse(data):
    assert not has_deep_tuples(io.BytesIO(data))
