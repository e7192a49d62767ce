"""From a config and a checkpoint to the network in eval mode, official or our own."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from converter.errors import ArchitectureError, CheckpointError, DependencyError, UsageError
from converter.families.family import Family, family_names, family_of
from converter.network.checkpoint import Checkpoint, check_keys, load_strictly, read_checkpoint, shapes_of, unused_names
from converter.network.memory import copied
from converter.network.recognise import hint, size_options, sizes_of
from converter.network.supernet import take_subnet
from converter.spec.network import NetworkSpec
from converter.spec.options import NetworkInMemory, NetworkOptions
from converter.util.paths import why_no_folder
from official_patches.checkout import CheckoutError, UnknownArchError
from official_patches.patching import BuildRequest, UnknownNetworkError, patches_of

log = logging.getLogger(__name__)

OWN = "our own definition of the network"


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
        called: the same in a sentence, with the name of the checkout.
        parameters: trainable numbers in it, without parts that it never calls.
        unused: what the checkpoint has besides: the first part of its keys' names, as ``neck``; of a part that the
            network has too, shell patterns, as ``backbone.*.counter``.
    """

    module: torch.nn.Module
    checkpoint: Checkpoint
    path_name: str
    methods: str
    source: str
    called: str
    parameters: int
    unused: tuple[str, ...] = ()

    @property
    def about(self) -> str:
        """Who computes the reference outputs."""
        return f"{self.called}, unpatched {self.methods}, torch on the CPU"


def load_network(options: NetworkOptions, stride: int, checkpoint: Checkpoint | None = None) -> LoadedNetwork:
    """Build the network and fill every weight of it from the checkpoint.

    Args:
        options: with a checkpoint.
        stride: of the network.
        checkpoint: what its file holds, where it was read already.

    Raises:
        CheckpointError, ArchitectureError, UsageError, DependencyError
    """
    assert options.checkpoint is not None
    spec = options.network
    family = family_of(spec.family)
    given = None
    if isinstance(options.checkpoint, NetworkInMemory):
        given, checkpoint = copied(options.checkpoint.module)
    else:
        checkpoint = checkpoint or read_checkpoint(options.checkpoint, options.allow_pickle)
    taken = take_subnet(options, family, checkpoint)
    checkpoint = taken.checkpoint if taken else checkpoint
    used = replace(checkpoint, state={key: value for key, value in checkpoint.state.items() if not family.ignores(key)})
    _check_sizes(family, spec, used)
    path_name = family.settle(spec.path_name, shapes_of(used.state))
    own = family.build(path_name, *spec.sizes)
    what = f"{options.arch} with {family.called} {path_name}"

    def advice() -> str:
        return hint(family, spec, shapes_of(checkpoint.state))

    module, source, called = own, "own definition", OWN
    if given is not None:
        check_keys(own.state_dict(), used, what, advice)
        _check_parts(spec.family, given)
        module, source, called = given, "network in memory", "the network in memory"
    elif options.official:
        check_checkout(options.official, spec.family)
        request = BuildRequest(options.official.absolute(), options.arch, path_name, *spec.sizes, stride)
        module, with_ours = _official(spec.family, request, own)
        source = f"official checkout{with_ours}"
        called = f"the official checkout {request.root.resolve().name}{with_ours}"
    if given is None:
        load_strictly(module, used, what, advice)
    if taken:
        request = BuildRequest(options.official or Path(), taken.supernet.arch, path_name, *spec.sizes, stride)
        taken.check(options, family, module, _official_supernet(spec.family, request) if options.official else None)
    return LoadedNetwork(
        module=module,
        checkpoint=checkpoint,
        path_name=path_name,
        methods=family.methods,
        source=source,
        called=called,
        parameters=sum(parameter.numel() for parameter in own.parameters()),
        unused=unused_names(checkpoint.state, used.state),
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
    """The checkout's network, where it has none of that name with parts of ours; and with which, in words."""
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
    return module, f" with our {' and '.join(ours.values())}" if ours else ""


def _official_supernet(family: str, request: BuildRequest) -> torch.nn.Module | None:
    """The checkout's supernet, bound to the path; None for a checkout without one, which a warning says."""
    build = patches_of(family).supernet
    try:
        return build(replace(request, root=request.root.absolute())) if build else None
    except UnknownArchError:
        log.warning("the official checkout has no %s; the subnet is compared with our own", request.arch)
        return None
    except CheckoutError as error:
        raise DependencyError(f"official checkout: {' '.join(str(error).split())}") from None


def _check_sizes(family: Family, spec: NetworkSpec, checkpoint: Checkpoint) -> None:
    """Refuse weights that are of crops of another size, before their keys are held against the network's.

    Raises:
        CheckpointError: with the options that fit.
    """
    sizes = sizes_of(family, shapes_of(checkpoint.state), spec.sizes)
    if sizes == spec.sizes:
        return
    asked = size_options(spec.sizes, sizes)
    raise CheckpointError(
        f"{checkpoint.called} does not fit {' '.join(asked)}; its weights fit "
        f"{' '.join(size_options(sizes, spec.sizes))}"
    )


def check_checkout(root: Path, family: str) -> None:
    """Refuse a folder that is no checkout, or one of another family's repository, before anything of it is imported.

    Raises:
        UsageError: saying what it is, as far as that can be seen.
    """
    if _holds(root, family):
        return
    repository = patches_of(family).repository or "the official tree"
    variable = family_of(family).root
    from_variable = os.environ.get(variable) == str(root)
    named = f" (from {variable})" if from_variable else ""
    others = [name for name in family_names() if name != family and _holds(root, name)]
    beside = [folder for folder in (root.parent, *_folders_in(root)) if _holds(folder, family)]
    package = _place(family).parts[0]
    if reason := why_no_folder(root):
        problem = reason.partition(",")[0]
    elif others:
        problem = f"is one of {patches_of(others[0]).repository}"
    elif not os.path.isdir(root / package):
        problem = f"no folder {package!r} in it"
    else:
        problem = f"no {_place(family)} in it"
    leave = f"unset {variable}" if from_variable else "leave --official out"
    advice = f"pass {beside[0]}" if beside else f"pass that, or {leave}: our own definition gives the same answers"
    raise UsageError(f"official checkout {root}{named}: {problem}, expected one of {repository}; {advice}")


def _holds(root: Path, family: str) -> bool:
    place = root / _place(family)
    return os.path.isdir(place.with_suffix("")) or os.path.isfile(place)


def _place(family: str) -> Path:
    """What a checkout of a family has, from its root."""
    return Path(*patches_of(family).module.split(".")).with_suffix(".py")


def _folders_in(root: Path) -> list[Path]:
    return [] if why_no_folder(root) else sorted(path for path in root.iterdir() if os.path.isdir(path))
