"""The flow by hand, as one script: load, trace each graph, run pnnx on each. Nothing is verified.

``python -m benchmarks.hand_made CHECKPOINT OUTDIR`` leaves ``lighttrack_init.ncnn.param``, ``.ncnn.bin``
and the same for ``lighttrack_update`` in OUTDIR, beside everything else that pnnx writes. It follows the
recipe that is passed around for LightTrack: put the forward that a graph needs in place of the training
forward, ``torch.jit.trace`` it as it comes, save, call pnnx, and do the same for the next graph.
``LIGHTTRACK_ROOT`` names an official checkout; without it the network is our own definition.
"""

import argparse
import os
import subprocess
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pnnx
import torch

from converter.families.family import family_of

MOBILE = "back_04502514044521042540+cls_211000022+reg_100000111_ops_32"
STRIDE = 16
TEMPLATE_SIZE, SEARCH_SIZE = 127, 288


def init_forward(self: Any, z: torch.Tensor) -> torch.Tensor:
    """z (1, 3, T, T) -> zf (1, C, h, w)."""
    return self.features(z)


def update_forward(self: Any, zf: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """zf (1, C, h, w), x (1, 3, S, S) -> cls (1, 1, H, W), reg (1, 4, H, W)."""
    zf, xf = self.neck(zf, self.features(x))
    answer = self.head(self.feature_fusor(zf, xf))
    return answer["cls"], answer["reg"]


def build() -> torch.nn.Module:
    """The network without its trained weights."""
    root = os.environ.get("LIGHTTRACK_ROOT")
    if not root:
        return family_of("lighttrack").build(MOBILE, TEMPLATE_SIZE, SEARCH_SIZE).to_empty(device="cpu")
    from official_patches.lighttrack.checkout import build_official
    from official_patches.patching import BuildRequest

    sizes = TEMPLATE_SIZE, SEARCH_SIZE
    return build_official(BuildRequest(Path(root).absolute(), "LightTrackM_Subnet", MOBILE, *sizes, STRIDE))


def load(network: torch.nn.Module, checkpoint: Path) -> None:
    """Fill the network from a checkpoint, bare or under ``state_dict``, and put it into eval mode."""
    loaded = torch.load(checkpoint, map_location="cpu", weights_only=True)
    state = loaded.get("state_dict", loaded)
    network.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    network.eval()


def convert(
    network: torch.nn.Module, forward: Callable[..., Any], examples: tuple[torch.Tensor, ...], file: Path
) -> None:
    """Trace with the given forward, save TorchScript to ``file`` and run pnnx on it, where the models appear."""
    network.forward = types.MethodType(forward, network)
    torch.jit.trace(network, examples).save(str(file))
    shapes = ",".join(f"[{','.join(map(str, example.shape))}]" for example in examples)
    subprocess.run([pnnx.EXEC_PATH, file.name, f"inputshape={shapes}", "fp16=0"], cwd=file.parent, check=True)


def main() -> None:
    """``python -m benchmarks.hand_made CHECKPOINT OUTDIR``"""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hand_made", description=main.__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("outdir", type=Path)
    arguments = parser.parse_args()
    arguments.outdir.mkdir(parents=True, exist_ok=True)

    network = build()
    load(network, arguments.checkpoint)
    z = torch.randn(1, 3, TEMPLATE_SIZE, TEMPLATE_SIZE)
    x = torch.randn(1, 3, SEARCH_SIZE, SEARCH_SIZE)
    with torch.no_grad():
        convert(network, init_forward, (z,), arguments.outdir / "lighttrack_init.pt")
        zf = network.features(z)
        convert(network, update_forward, (zf, x), arguments.outdir / "lighttrack_update.pt")


if __name__ == "__main__":
    main()
