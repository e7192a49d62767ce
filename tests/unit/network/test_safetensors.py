"""``.safetensors`` as the format's own package writes it."""

import base64
import zlib

import hostile
import pytest
import torch

from converter.errors import CheckpointError
from converter.network.checkpoint import read_checkpoint
from converter.network.safetensors import read_safetensors

# safetensors.torch.save of EXPECTED with metadata {"format": "pt"}, safetensors 0.8.0
WRITTEN = zlib.decompress(
    base64.b85decode(
        "c-n=~y$ZrG5CGsRf~(JP^9@Oxl+wW#2SE^=oTQXUTXd)u8xbi5AH_%U%`~YF3H}{iayj_8B%{95MFVMC=2B!riZq3=fucH;LP7|82`$"
        "1-_cD3j=c+aH86eafp--y>p<`81)VZuxhhUH>lbL4v#{@`yjdBZlu7L=8?~eK}c=`_AFOU%p*Cw1ysc%X8E*U|_wA@%DZTNvPWZl1Pt"
        "-lQZr~r9)&7-N7ruuM2PLNZr3hQx;#r*d)PLX>_+YTKw2Jv&hL~2oWtn#Ar8s8#SkDc4SfA2XDMFXiW"
    )
)
EXPECTED = {
    "w": torch.arange(6.0).reshape(2, 3),
    "h": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "b": torch.tensor([[1.5], [3.0]], dtype=torch.bfloat16),
    "d": torch.tensor(2.5, dtype=torch.float64),
    "n": torch.tensor(7),
    "i": torch.tensor([-1, 2], dtype=torch.int8),
    "u": torch.tensor([255], dtype=torch.uint8),
    "f": torch.tensor([True, False]),
}


def test_what_the_package_writes_is_read():
    tensors = read_safetensors(WRITTEN, "it")
    assert tensors.pop("e").numel() == 0
    assert tensors.keys() == EXPECTED.keys()
    for name, value in EXPECTED.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.SafeTensors", "weights.pth"])
def test_a_checkpoint_is_recognised_by_its_name_or_its_content(tmp_path, name):
    (tmp_path / name).write_bytes(hostile.safetensors({"module.w": EXPECTED["w"]}))
    checkpoint = read_checkpoint(tmp_path / name)
    assert checkpoint.file == name
    assert torch.equal(checkpoint.state["w"], EXPECTED["w"])


@pytest.mark.parametrize("cut", range(0, len(WRITTEN), 7))
def test_no_part_of_one_is_taken(cut):
    with pytest.raises(CheckpointError, match=r"it: is a damaged \.safetensors file: "):
        read_safetensors(WRITTEN[:cut], "it")


def test_tensors_that_share_bytes_are_refused():
    entry = {"dtype": "F32", "shape": [6], "data_offsets": [0, 24]}
    with pytest.raises(CheckpointError, match="'other' begins at byte 0, expected 24"):
        read_safetensors(hostile.safetensors({"w": EXPECTED["w"]}, other=entry), "it")
