"""A checkpoint in the official format with seeded weights, for trying the export without a trained one.

The weights are random, so a tracker made from them tracks nothing. Their batch norms have been through
the inputs that exports are compared on, so that signals keep their scale through the network and every output says
something.
"""

import argparse
from pathlib import Path

import torch
from torch import nn

from converter.errors import UsageError
from converter.families.choice import known_archs
from converter.families.dimensions import dimensions_of
from converter.families.family import family_of
from converter.families.supernet import supernets
from converter.network.load import one_thread
from converter.proof.inputs import noise_feeds, packaged_feeds
from converter.spec.config import network_for
from converter.util.atomic import replacing

# Of the measured variance: layers of random weights amplify differences from one to the next, trained ones do not.
CALM = 1.5
CROPS = 2  # of noise, that a supernet's batch norms are measured on

State = dict[str, torch.Tensor]


def seeded_state(
    path_name: str | None = None,
    template_size: int | None = None,
    search_size: int | None = None,
    seed: int = 0,
    arch: str | None = None,
) -> State:
    """A full state dict: scaled random weights, batch-norm statistics as measured.

    Args:
        path_name, template_size, search_size: those of the arch's config where they are left out.
        seed: the same seed gives the same weights.
        arch: of which network (default: the config's first).

    Raises:
        UsageError: for a network with other layers than convolutions, linear ones and batch norms.

    Returns:
        official state-dict key -> tensor
    """
    sizes = {"template_size": template_size, "search_size": search_size}
    _, spec = network_for(arch, None, {"path_name": path_name, **sizes})
    family = family_of(spec.family)
    images = spec.images(dimensions_of(spec))
    feeds = noise_feeds(seed, spec.noise_feeds, images, spec.preprocess)
    feeds += packaged_feeds(seed, images, spec.preprocess)
    network = family.build(family.settle(spec.path_name, {}), *spec.sizes).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad(), one_thread():
        for module in network.modules():
            _fill(module, generator)
        network.train()
        for feed in feeds:
            family.reference(network, {name: torch.from_numpy(feed.tensors[name]) for name in "zx"})
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var *= CALM
    state: State = network.state_dict()
    return state


def seeded_supernet(arch: str, seed: int = 0) -> State:
    """Likewise of a supernet: every choice of it has been through noise, in company of choices of its number.

    Args:
        arch: of the supernet, a key of ``supernets()``.
        seed: the same seed gives the same weights.
    """
    family, supernet = supernets()[arch]
    _, spec = network_for(supernet.subnets)
    images = spec.images(dimensions_of(spec))
    feeds = noise_feeds(seed, CROPS, images, spec.preprocess)
    generator = torch.Generator().manual_seed(seed)
    state: State = {}
    with torch.no_grad(), one_thread():
        for path in supernet.cover:
            network = supernet.build(path, {}).to_empty(device="cpu")
            for module in network.modules() if not state else ():
                _fill(module, generator)
            state = state or network.state_dict()
            network.load_state_dict(state, assign=True)
            norms = [module for module in network.train().modules() if isinstance(module, nn.BatchNorm2d)]
            for norm in norms:
                norm.momentum = None
            for feed in feeds:
                family.reference(network, {name: torch.from_numpy(feed.tensors[name]) for name in "zx"})
        for norm in norms:
            norm.running_var *= CALM
    return state


def _fill(module: nn.Module, generator: torch.Generator) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        fan_in = module.weight[0].numel()
        module.weight.normal_(std=fan_in**-0.5, generator=generator)
        if module.bias is not None:
            module.bias.normal_(std=0.1, generator=generator)
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_running_stats()
        module.momentum = None  # a plain average over the inputs
        module.weight.uniform_(0.5, 1.5, generator=generator)
        module.bias.normal_(std=0.1, generator=generator)
    elif list(module.parameters(recurse=False)) or list(module.buffers(recurse=False)):
        raise UsageError(f"there are no seeded weights for a {type(module).__name__}")


def main() -> None:
    """``python -m converter.network.demo FILE [--arch NAME] [--seed N]``"""
    parser = argparse.ArgumentParser(prog="python -m converter.network.demo", description=main.__doc__)
    parser.add_argument("file", type=Path, help="where to write the checkpoint")
    parser.add_argument("--arch", choices=[*known_archs(), *supernets()], default=known_archs()[0])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arch = arguments.arch
    try:
        state = (seeded_supernet if arch in supernets() else seeded_state)(arch=arch, seed=arguments.seed)
    except UsageError as error:
        parser.error(f"--arch {arch}: {error}")
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(arguments.file) as draft, draft.open("wb") as file:
        torch.save({"epoch": 0, "arch": arch, "state_dict": state}, file)
    print(f"{arguments.file}: {arch} with seeded weights (seed {arguments.seed}), not trained; it tracks nothing")


if __name__ == "__main__":
    main()
