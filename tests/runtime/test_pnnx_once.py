"""The conversions that tests share: kept by what they compute, and the same as a new one."""

import io

import pytest
import torch
from pnnx_once import content

from commands import lt_export
from conftest import TINY, contents

pytestmark = pytest.mark.real


class Small(torch.nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.second = torch.nn.Conv2d(3, channels, 3), torch.nn.Conv2d(channels, 4, 1)
        for parameter in self.parameters():
            parameter.data = torch.rand(parameter.shape, generator=generator)

    def forward(self, x):
        return self.second(torch.relu(self.first(x)))


class Other(Small):
    def forward(self, x):
        return self.second(torch.sigmoid(self.first(x)))


def key(tmp_path, module):
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(module, torch.zeros(1, 3, 8, 8), check_trace=False), buffer)
    path = tmp_path / "model.pt"
    path.write_bytes(buffer.getvalue())
    return content(path)


def test_what_computes_the_same_has_one_key_and_everything_else_another(tmp_path):
    key(tmp_path, Small()), key(tmp_path, Other())  # a class is called otherwise the first time
    nearly = Small()
    nearly.second.bias.data[0] += 1e-6
    keys = [key(tmp_path, module) for module in (Small(), Small(), nearly, Other(), Small(5))]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_a_kept_conversion_is_the_one_that_pnnx_makes(tiny, tmp_path):
    words = ("--resume", tiny, "--path-name", TINY, "--search-size", 256, "-q", "-o")
    for name in ("first", "kept"):
        assert lt_export(*words, tmp_path / name).code == 0
    assert lt_export(*words, tmp_path / "apart", apart=True).code == 0
    first, kept, apart = (models(tmp_path / name) for name in ("first", "kept", "apart"))
    assert len(first) == 4
    assert first == kept == apart


def models(folder):
    return {name: data for name, data in contents(folder).items() if name != "manifest.json"}
