"""A subnet out of a supernet's checkpoint, and the proof that it answers as the supernet does on its path."""

from dataclasses import dataclass, replace

import torch

from converter.errors import CheckpointError, UsageError, VerificationError
from converter.families.family import Family, Tensors
from converter.families.supernet import Supernet, renamed, supernet_of
from converter.network.checkpoint import Checkpoint, check_keys, load_strictly, shapes_of
from converter.report.text import percent
from converter.spec.options import NetworkOptions

ALLOWED = 1e-6  # of an output's range, between two networks of an official checkout; two of ours are equal


@dataclass(frozen=True)
class Taken:
    """A subnet that was taken out of a supernet.

    Attributes:
        checkpoint: with the subnet's weights under its own keys.
        whole: with all of the supernet's.
        supernet: which it is.
        module: our own definition of it on the path, without weights.
    """

    checkpoint: Checkpoint
    whole: Checkpoint
    supernet: Supernet
    module: torch.nn.Module

    def check(
        self, options: NetworkOptions, family: Family, subnet: torch.nn.Module, official: torch.nn.Module | None
    ) -> None:
        """Hold the subnet's ``template()`` and ``track()`` against the supernet's own on the path, on seeded noise.

        Args:
            official: the supernet of a checkout, bound to the path, without weights; None for our own definition.

        Raises:
            VerificationError: naming the output that differs most.
        """
        module = official or self.module
        if official:
            load_strictly(official, self.whole, f"the checkout's {self.supernet.arch}", str)
        else:
            own = self.module.state_dict()  # whose keys the checkpoint has: it was looked at when it was taken
            state = {key: self.whole.state[key].to(tensor.dtype) for key, tensor in own.items()}
            self.module.load_state_dict(state, strict=True, assign=True)
            self.module.eval().requires_grad_(False)
        generator = torch.Generator().manual_seed(0)
        sizes = zip("zx", options.network.sizes, strict=True)
        feed = {name: torch.randn(1, 3, size, size, generator=generator) for name, size in sizes}
        with torch.no_grad():
            shares = _shares(family.reference(subnet, feed), family.reference(module, feed))
        name = max(shares, key=lambda name: shares[name])
        if shares[name] > (ALLOWED if official else 0.0):
            raise VerificationError(
                f"the subnet {options.network.path_name} does not answer as {self.supernet.arch} does on that path: "
                f"{name} is off by {percent(shares[name])} of its range; nothing was published"
            )


def take_subnet(options: NetworkOptions, family: Family, checkpoint: Checkpoint) -> Taken | None:
    """The subnet on the path that was asked for; None where a checkpoint is of one network.

    Raises:
        UsageError: when nobody says which subnet.
        CheckpointError: when its keys are not those of the family's supernet.
    """
    shapes = shapes_of(checkpoint.state)
    found = supernet_of(shapes)
    if found is None:
        return None
    owner, supernet = found
    is_one = f"{checkpoint.called} is a supernet, {supernet.arch}"
    if owner is not family:
        raise CheckpointError(f"{is_one}, and holds no {options.arch}; its subnets are --arch {supernet.subnets}")
    if checkpoint.file is None:
        raise CheckpointError(f"{is_one}; save it, and pass the file with --path-name")
    if not options.named:
        raise UsageError(
            f"{is_one}, which holds many networks; pass --path-name with the one to take, such as {supernet.example}"
        )
    path_name = options.network.path_name
    module = supernet.build(path_name, shapes)
    own = module.state_dict()
    lacking = {key for key in own if supernet.ignores(key) and key not in checkpoint.state}
    stood_in = {key: torch.zeros(own[key].shape, dtype=own[key].dtype) for key in lacking}
    whole = replace(checkpoint, state={**checkpoint.state, **stood_in})
    check_keys(own, whole, supernet.arch, str)
    keys = renamed(supernet.renames(path_name), whole.state)
    state = {key: whole.state[source] for key, source in keys.items()}
    return Taken(replace(checkpoint, state=state, subnet_of=supernet.arch), whole, supernet, module)


def _shares(answers: Tensors, expected: Tensors) -> dict[str, float]:
    """The largest difference of every output as a share of its range; 0 where two are equal in every bit."""
    shares = {}
    for name, right in expected.items():
        right, found = (torch.nan_to_num(each) for each in (right, answers[name]))
        spread = float(right.max() - right.min())
        difference = float((found - right).abs().max())
        shares[name] = difference / spread if spread else float(difference > 0)
    return shares
