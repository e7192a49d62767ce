"""Import an official checkout in isolation and build its network.

A checkout's package has a common name, such as ``lib``; it wants modules of 2020's torch, and forks of it
want libraries that the network itself never calls. For the time of the import the checkout comes
before every other place to import from, another package of that name is put aside and what is missing is stood in
for; afterwards ``sys.modules``, ``sys.meta_path``, the warning filters, the random states and the
other globals that the official code sets are as they were. The imported modules live on only through
the network's classes.
"""

import collections.abc
import importlib
import io
import logging
import random
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, redirect_stdout
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import numpy as np
import torch

from official_patches.patching import PatchSpec, patched

log = logging.getLogger(__name__)


class CheckoutError(RuntimeError):
    """The checkout cannot be imported, or does not build what it was asked for."""


class UnknownArchError(LookupError):
    """The checkout has no class of that name."""


class _StandInType(type):
    def __getattr__(cls, name: str) -> "_StandInType":
        if name.startswith("__"):
            raise AttributeError(name)
        return _stand_in(f"{cls.__qualname__}.{name}")


def _stand_in(name: str) -> _StandInType:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise CheckoutError(f"the checkout calls {name}, which is not installed: pip install {name.partition('.')[0]}")

    return _StandInType(name, (), {"__new__": refuse, "__module__": __name__})


class _Settings(dict[str, Any]):
    """In place of a class of settings, of which official code makes instances while it is imported.

    Args:
        values: to begin with.
    """

    def __init__(self, values: Mapping[str, Any] | None = None, **_: object) -> None:
        super().__init__(values or {})

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    __setattr__ = dict.__setitem__


SETTINGS = ("yacs.config.CfgNode", "easydict.EasyDict")


class _StandInModule(ModuleType):
    """In place of a library that is not installed: importable, and an error as soon as it is called."""

    __version__ = "99.0.0"  # official code asks whether it is old

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        full = f"{self.__name__}.{name}"
        return _Settings if full in SETTINGS else _stand_in(full)


class _CheckoutFinder:
    """Serves what lies at the top of a checkout, also a folder without ``__init__.py``, which any package
    of that name elsewhere on ``sys.path`` would otherwise win over."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if path is not None:
            return None
        spec = PathFinder.find_spec(fullname, [str(self.root)])
        if spec is not None and spec.loader is None:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [str(self.root / fullname)]
        return spec


class _StandInFinder(Loader):
    """Serves the named top-level packages and everything under them."""

    def __init__(self, names: set[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] in self.names:
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandInModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def _torch_six() -> ModuleType:
    """``torch._six``, gone since torch 2.0; the official code takes ``container_abcs`` from it."""
    module = ModuleType("torch._six")
    vars(module).update(container_abcs=collections.abc, string_classes=(str, bytes), int_classes=int)
    return module


@contextmanager
def isolated(root: Path, package: str = "lib") -> Iterator[Callable[[str], ModuleType]]:
    """Within the block, ``load(name)`` imports a module of the checkout at ``root``.

    Args:
        package: that the modules are in.

    Raises:
        CheckoutError: by ``load``, when the import fails; the checkout is left without a trace all the same.
    """
    root = root.resolve()
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore", SyntaxWarning)  # of the checkout's source
        stack.enter_context(_quiet())
        stack.enter_context(_global_state())
        stack.enter_context(_modules_of(root, package))
        stack.enter_context(
            patched(
                PatchSpec(sys, "meta_path", [_CheckoutFinder(root), *sys.meta_path], "the checkout comes first"),
                PatchSpec(sys, "dont_write_bytecode", True, "the checkout is not ours to write to"),
            )
        )
        if "torch._six" not in sys.modules:
            sys.modules["torch._six"] = _torch_six()
            stack.callback(sys.modules.pop, "torch._six", None)
        yield lambda name: _load(root, name)


@contextmanager
def _quiet() -> Iterator[None]:
    """What official code prints while it builds belongs to the log: the standard output is the result's."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        if printed.getvalue():
            log.debug("the checkout printed: %s", printed.getvalue().rstrip())


def _load(root: Path, name: str) -> ModuleType:
    """Import ``name``; a library that the checkout wants and that is not installed is stood in for."""
    standing_in: set[str] = set()
    while True:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            absent = (error.name or "").partition(".")[0]
            ours = not absent or (root / absent).exists() or (root / f"{absent}.py").exists()
            if ours or absent == name.partition(".")[0] or absent in standing_in:
                raise CheckoutError(f"cannot import {name} from {root}: {error}") from error
            standing_in.add(absent)
            _forget(root)
            sys.meta_path.append(_StandInFinder({absent}))
        except Exception as error:  # whatever the checkout's own code raises
            raise CheckoutError(f"cannot import {name} from {root}: {type(error).__name__}: {error}") from error


@contextmanager
def _modules_of(root: Path, package: str) -> Iterator[None]:
    """Put another package of that name aside, and at the end drop whatever was imported from ``root`` or stood in."""
    aside = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == package}
    for name in aside:
        del sys.modules[name]
    try:
        yield
    finally:
        _forget(root)
        sys.modules.update(aside)
        for path in [path for path in sys.path_importer_cache if _inside(path, root)]:
            del sys.path_importer_cache[path]


def _forget(root: Path) -> None:
    # all are found before any is dropped: a folder package asks its parent where it is
    gone = [
        name
        for name, module in list(sys.modules.items())
        if isinstance(module, _StandInModule) or any(_inside(path, root) for path in _paths(module))
    ]
    for name in gone:
        del sys.modules[name]


def _paths(module: ModuleType) -> list[str]:
    """Where a module comes from; a package without ``__init__.py`` has folders only."""
    fields = getattr(module, "__dict__", {})
    file = fields.get("__file__")
    try:
        return [file] if file else list(fields.get("__path__") or ())
    except Exception:  # a lazy module of somebody else's
        return []


def _inside(path: object, root: Path) -> bool:
    return isinstance(path, str) and (path == str(root) or path.startswith(f"{root}/"))


@contextmanager
def _global_state() -> Iterator[None]:
    """The official code seeds every generator and sets cuDNN flags while it builds."""
    cudnn = torch.backends.cudnn
    flags = cudnn.deterministic, cudnn.benchmark
    python, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)
            cudnn.deterministic, cudnn.benchmark = flags
