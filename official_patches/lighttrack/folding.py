"""Two batch norms in a row become one for the time of a trace.

Where the output block has no skip around it (block 0 of a stage), its last batch norm is followed
directly by the neck's. pnnx folds a batch norm into the convolution before it and then meets the
next one on its own result: ``pnnx_graph_rewrite`` (tools/pnnx/src/pass_level2.cpp) keeps a pointer
to the operator it made first and has deleted since, and writes a name to it. Three runs in ten end
in a segmentation fault. One batch norm leaves nothing to fold twice.
"""

import torch
from torch import nn

from official_patches.patching import PatchSpec, Shapes

_PROBE_SIZE = 64


def folded_norms(network: nn.Module, mode: str, shapes: Shapes = ()) -> tuple[PatchSpec, ...]:
    """Patches that fold the neck's search batch norm into the backbone's last one, where the two meet.

    Args:
        network: in eval mode, with the parts of the official ``Super_model_DP_retrain``.
        mode: a forward mode; only ``update`` has the backbone and the neck in one graph.

    Returns:
        no patch where the two batch norms do not follow each other.
    """
    second = getattr(network.neck, "BN_x", None)
    if mode != "update" or not isinstance(second, nn.BatchNorm2d):
        return ()
    first = _last_norm(network.features)
    if first is None:
        return ()
    owner, name = next(
        (module, name)
        for module in network.features.modules()
        for name, child in module.named_children()
        if child is first
    )
    reason = "pnnx crashes on two batch norms in a row behind a convolution"
    return (
        PatchSpec(owner, name, fold(first, second), reason),
        PatchSpec(network.neck, "BN_x", nn.Identity(), reason),
    )


def fold(first: nn.BatchNorm2d, second: nn.BatchNorm2d) -> nn.BatchNorm2d:
    """The batch norm, in eval mode, that answers as ``second`` on what ``first`` gives."""
    scale = second.weight / torch.sqrt(second.running_var + second.eps)
    both = nn.BatchNorm2d(first.num_features, eps=first.eps)
    both.load_state_dict(
        {
            **first.state_dict(),
            "weight": first.weight * scale,
            "bias": (first.bias - second.running_mean) * scale + second.bias,
        }
    )
    return both.eval().requires_grad_(False)


def _last_norm(features: nn.Module) -> nn.BatchNorm2d | None:
    """The batch norm whose output is the feature map, found by running the backbone; None behind a skip."""
    seen = []
    hooks = [
        # cloned: the official skip adds to the batch norm's output in place
        module.register_forward_hook(lambda module, inputs, output: seen.append((module, output.clone())))
        for module in features.modules()
        if isinstance(module, nn.BatchNorm2d)
    ]
    try:
        image = torch.randn(1, 3, _PROBE_SIZE, _PROBE_SIZE, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            answer = features(image)
    finally:
        for hook in hooks:
            hook.remove()
    module, output = seen[-1] if seen else (None, None)
    return module if module is not None and torch.equal(output, answer) else None
