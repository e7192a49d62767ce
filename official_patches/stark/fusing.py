"""RepVGG blocks become one convolution each for the time of a trace.

A block is trained as a 3x3 convolution, a 1x1 convolution and, where the shapes allow it, the input itself,
each with a batch norm behind it. All are linear, so that their sum is one 3x3 convolution with a bias.
"""

import torch
from torch import Tensor, nn

from official_patches.patching import PatchSpec

_SAME = 1e-5  # of the range of what a block answers
_PROBE_SIZE = 6
_NORM = ("weight", "bias", "running_mean", "running_var", "eps")


class FusionError(RuntimeError):
    """A block's parts are not the known ones, or the fused block answers otherwise."""


def fused_blocks(network: nn.Module) -> tuple[PatchSpec, ...]:
    """Patches that put one convolution in the place of every unfused RepVGG block of a network in eval mode.

    Raises:
        FusionError: for a block that cannot be fused, or whose convolution does not answer as the block does.
    """
    return tuple(
        PatchSpec(owner, name, checked(child), "one convolution answers as the three branches do")
        for owner in network.modules()
        for name, child in owner.named_children()
        if hasattr(child, "rbr_dense") and hasattr(child, "rbr_1x1")
    )


def checked(block: nn.Module) -> nn.Module:
    """The fused block, after it has answered as the block does, on seeded noise.

    Raises:
        FusionError: when it does not.
    """
    together = fused(block)
    shape = (1, together[0].in_channels, _PROBE_SIZE, _PROBE_SIZE)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, merged = block(noise), together(noise)
    off, spread = float((merged - expected).abs().max()), float(expected.max() - expected.min())
    if not off <= _SAME * spread:
        raise FusionError(f"a fused {type(block).__name__} answers otherwise, by {off:.2e} of {spread:.2e}")
    return together


def fused(block: nn.Module) -> nn.Sequential:
    """A convolution and the block's activation, computed in float64.

    Raises:
        FusionError: for parts that are not those of a RepVGG block.
    """
    dense, point, identity = block.rbr_dense, block.rbr_1x1, getattr(block, "rbr_identity", None)
    conv = dense.conv
    point_conv = point.conv
    if (conv.kernel_size, conv.padding, point_conv.kernel_size, point_conv.padding) != ((3, 3), (1, 1), (1, 1), (0, 0)):
        raise FusionError(
            f"{type(block).__name__} has kernels {conv.kernel_size} and {point_conv.kernel_size}, not 3x3 and 1x1"
        )
    if not isinstance(getattr(block, "se", nn.Identity()), nn.Identity):
        raise FusionError(f"{type(block).__name__} has squeeze-and-excitation, which is not linear")
    with torch.no_grad():
        kernel, bias = _folded(conv.weight, dense.bn)
        for weight, norm in ((point_conv.weight, point.bn), (_middle(conv), identity)):
            if norm is not None:
                more, shift = _folded(weight, norm)
                kernel, bias = kernel + nn.functional.pad(more, [(3 - more.shape[-1]) // 2] * 4), bias + shift
    together = nn.Conv2d(
        conv.in_channels, conv.out_channels, 3, conv.stride, padding=1, groups=conv.groups, device="meta"
    )
    together.load_state_dict({"weight": kernel.to(conv.weight.dtype), "bias": bias.to(conv.weight.dtype)}, assign=True)
    return nn.Sequential(together, block.nonlinearity).eval().requires_grad_(False)


def _folded(weight: Tensor, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """(kernel, bias) of a convolution without bias and the norm behind it, float64."""
    missing = [name for name in _NORM if not hasattr(norm, name)]
    if missing:
        raise FusionError(f"{type(norm).__name__} has no {missing[0]!r}, expected the parts of a batch norm")
    gamma, beta, mean, variance = (getattr(norm, name).double() for name in _NORM[:4])
    scale = gamma / torch.sqrt(variance + norm.eps)
    return weight.double() * scale.reshape(-1, 1, 1, 1), beta - mean * scale


def _middle(conv: nn.Conv2d) -> Tensor:
    """The 1x1 kernel that gives its input."""
    per_group = conv.in_channels // conv.groups
    kernel = torch.zeros(conv.in_channels, per_group, 1, 1)
    kernel[torch.arange(conv.in_channels), torch.arange(conv.in_channels) % per_group] = 1.0
    return kernel
