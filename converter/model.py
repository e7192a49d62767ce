"""From a config and a checkpoint to the network in eval mode, official or our own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from converter.checkpoint import Checkpoint, load_strictly, read_checkpoint
from converter.errors import ArchitectureError, DependencyError
from converter.networks import FAMILIES
from converter.options import NetworkOptions
from official_patches.checkout import CheckoutError, UnknownArchError, build_official


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with its trained weights.

    Attributes:
        module: in eval mode, float32, on the CPU.
        checkpoint: where its weights came from.
        source: "official checkout" or "own definition".
        parameters: trainable numbers in it.
    """

    module: torch.nn.Module
    checkpoint: Checkpoint
    source: str
    parameters: int


def load_network(options: NetworkOptions, stride: int) -> LoadedNetwork:
    """Build the network and fill every weight of it from the checkpoint.

    Raises:
        CheckpointError, ArchitectureError, DependencyError
    """
    checkpoint = read_checkpoint(options.checkpoint, options.allow_pickle)
    spec = options.network
    family = FAMILIES[spec.family]
    if options.official:
        module = _official(options, stride)
        source = "official checkout"
    else:
        module = family.build(spec.path_name, spec.template_size)
        source = "own definition"
    what = f"{options.arch} with path name {spec.path_name}"
    fits = _certain(family.recognise, lambda name: family.build(name, spec.template_size))
    load_strictly(module, checkpoint, what, fits)
    return LoadedNetwork(
        module=module,
        checkpoint=checkpoint,
        source=source,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: beside two pnnx runs, more of them wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _official(options, stride):
    spec = options.network
    if not (options.official / "lib").is_dir():
        raise DependencyError(
            f"official checkout {options.official}: no folder 'lib' in it, expected LightTrack's tree"
        )
    try:
        return build_official(
            options.official.absolute(),
            options.arch,
            path_name=spec.path_name,
            template_size=spec.template_size,
            search_size=spec.search_size,
            stride=stride,
        )
    except UnknownArchError as error:
        raise ArchitectureError(f"official checkout {error.args[0]}") from None
    except CheckoutError as error:
        raise DependencyError(f"official checkout: {' '.join(str(error).split())}") from None


def _certain(recognise, build):
    """``recognise``, but only when the network of that name really has these keys and shapes."""

    def checked(shapes):
        name = recognise(shapes)
        if name is None:
            return None
        own = {key: tuple(value.shape) for key, value in build(name).state_dict().items()}
        return name if own == shapes else None

    return checked
