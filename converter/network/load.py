"""From a config and a checkpoint to the network in eval mode, official or our own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch

from converter.errors import ArchitectureError, DependencyError
from converter.families.family import Family, Shapes, family_names, family_of
from converter.network.checkpoint import Checkpoint, check_keys, load_strictly, read_checkpoint, shapes_of
from converter.network.memory import copied
from converter.spec.network import NetworkSpec
from converter.spec.options import NetworkInMemory, NetworkOptions
from official_patches.checkout import CheckoutError, UnknownArchError
from official_patches.patching import BuildRequest, UnknownNetworkError, patches_of


@dataclass(frozen=True)
class LoadedNetwork:
    """A network with its trained weights.

    Attributes:
        module: in eval mode, float32, on the CPU.
        checkpoint: where its weights came from.
        path_name: which network of its family.
        methods: those of its methods that make the reference.
        source: "official checkout" (and which part of it is ours, where one is), "own definition" or
            "network in memory".
        parameters: trainable numbers in it.
    """

    module: torch.nn.Module
    checkpoint: Checkpoint
    path_name: str
    methods: str
    source: str
    parameters: int

    @property
    def about(self) -> str:
        """Who computes the reference outputs."""
        return f"unpatched {self.methods}, {self.source}, torch on the CPU"


def load_network(options: NetworkOptions, stride: int) -> LoadedNetwork:
    """Build the network and fill every weight of it from the checkpoint.

    Args:
        options: with a checkpoint.
        stride: of the network.

    Raises:
        CheckpointError, ArchitectureError, DependencyError
    """
    assert options.checkpoint is not None
    spec = options.network
    family = family_of(spec.family)
    given = None
    if isinstance(options.checkpoint, NetworkInMemory):
        given, checkpoint = copied(options.checkpoint.module)
    else:
        checkpoint = read_checkpoint(options.checkpoint, options.allow_pickle)
    used = replace(checkpoint, state={key: value for key, value in checkpoint.state.items() if not family.ignores(key)})
    path_name = family.settle(spec.path_name, shapes_of(used.state))
    module, source = family.build(path_name, *spec.sizes), "own definition"
    what = f"{options.arch} with {family.called} {path_name}"

    def recognise(shapes: Shapes) -> str | None:
        return _fitting(family, spec, shapes)

    if given is not None:
        check_keys(module.state_dict(), used, what, recognise)
        _check_parts(spec.family, given)
        return _loaded(given, checkpoint, path_name, family, "network in memory")
    if options.official:
        if not (options.official / "lib").is_dir():
            raise DependencyError(
                f"official checkout {options.official}: no folder 'lib' in it, expected the official tree"
            )
        request = BuildRequest(options.official.absolute(), options.arch, path_name, *spec.sizes, stride)
        module, source = _official(spec.family, request, module)
    load_strictly(module, used, what, recognise)
    return _loaded(module, checkpoint, path_name, family, source)


def _loaded(
    module: torch.nn.Module, checkpoint: Checkpoint, path_name: str, family: Family, source: str
) -> LoadedNetwork:
    return LoadedNetwork(
        module=module,
        checkpoint=checkpoint,
        path_name=path_name,
        methods=family.methods,
        source=source,
        parameters=sum(parameter.numel() for parameter in module.parameters()),
    )


def _check_parts(family: str, module: torch.nn.Module) -> None:
    try:
        patches_of(family).check_parts(module)
    except UnknownNetworkError as error:
        raise ArchitectureError(f"the network in memory: {error}") from None


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: beside two pnnx runs, more of them wait for each other more than they work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _official(family: str, request: BuildRequest, own: torch.nn.Module) -> tuple[torch.nn.Module, str]:
    """The checkout's network, where it has none of that name with parts of ours; and where it is from, in words."""
    patches = patches_of(family)
    try:
        module = patches.build(request)
    except UnknownArchError as error:
        raise ArchitectureError(f"official checkout {error.args[0]}") from None
    except CheckoutError as error:
        raise DependencyError(f"official checkout: {' '.join(str(error).split())}") from None
    ours = patches.own_parts(request.path_name)
    for part in ours:
        setattr(module, part, getattr(own, part))
    return module, f"official checkout with our {' and '.join(ours.values())}" if ours else "official checkout"


def _fitting(family: Family, spec: NetworkSpec, shapes: Shapes) -> str | None:
    """The options that ask for the network of these weights, when it really has these keys and shapes."""
    asked = spec.sizes
    for other in (family, *(each for each in map(family_of, family_names()) if each is not family)):
        used = {key: shape for key, shape in shapes.items() if not other.ignores(key)}
        name = other.recognise(used)
        if name is None:
            continue
        sizes = other.sizes(used) or asked
        if shapes_of(other.build(name, *sizes).state_dict()) == used:
            arch = "" if other is family else f"--arch {other.arch} "
            crops = "" if sizes == asked else f" --template-size {sizes[0]} --search-size {sizes[1]}"
            return f"{arch}{other.words(name)}{crops}"
    return None
