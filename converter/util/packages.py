"""The Python packages this project needs: what each is for, how to get it, and the error where one cannot be used.

The table follows ``pyproject.toml``. :func:`importing` stands at the edges of a process (a command, a worker), so that
an import that fails anywhere inside is one line there.
"""

import re
import shlex
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import converter
from converter.errors import ConverterError, DependencyError
from converter.util.version import PROJECT

LONGEST = 200  # characters of a reason


@dataclass(frozen=True)
class Package:
    """One requirement.

    Attributes:
        module: what is imported of it, "PIL.Image"; the first word is the importable name.
        distribution: its name for pip.
        purpose: what it does here, as the end of "which ...".
        extra: of this project that brings it; empty for what is always needed.
    """

    module: str
    distribution: str
    purpose: str
    extra: str = ""

    @property
    def name(self) -> str:
        return self.module.partition(".")[0]

    @property
    def label(self) -> str:
        """How a message calls it: "pillow (PIL)"."""
        return self.name if self.name == self.distribution else f"{self.distribution} ({self.name})"


PACKAGES = (
    Package("torch", "torch", "builds and runs the network"),
    Package("pnnx", "pnnx", "converts to ncnn"),
    Package("ncnn", "ncnn", "runs ncnn models"),
    Package("numpy", "numpy", "holds inputs and outputs"),
    Package("PIL.Image", "pillow", "reads and writes pictures"),
    Package("pydantic", "pydantic", "reads configs and manifests"),
    Package("yaml", "pyyaml", "reads configs"),
    Package("jinja2", "jinja2", "writes reports"),
    Package("rich.console", "rich", "prints results"),
    Package("typer", "typer", "reads command lines"),
    Package("packaging.requirements", "packaging", "compares versions"),
    Package("onnx", "onnx", "writes ONNX models", "onnx"),
    Package("onnxsim", "onnxsim", "simplifies ONNX models", "onnx"),
    Package("onnxruntime", "onnxruntime", "runs ONNX models", "onnx"),
    Package("cv2", "opencv-python-headless", "reads clips and draws on them", "clip"),
    Package("matplotlib.figure", "matplotlib", "draws the figures of lt-bench", "bench"),
    Package("psutil", "psutil", "measures memory in make bench", "bench"),
    Package("distributed", "distributed", "runs lt-matrix on a cluster", "dask"),
)
_BY_NAME = {package.name: package for package in PACKAGES}


def tested_versions() -> dict[str, str]:
    """Distribution, in lower case, to the version that everything was tested with; empty outside a checkout."""
    constraints = _constraints()
    if not constraints.is_file():
        return {}
    pinned = re.findall(r"^([\w.-]+)==(\S+)", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    return {name.lower(): version for name, version in pinned}


def is_installed(name: str) -> bool:
    """Whether an importable name can be found; nothing is imported."""
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def check_installed(names: Sequence[str], option: str) -> None:
    """Look for packages before any work.

    Args:
        names: importable.
        option: that needs them.

    Raises:
        DependencyError: naming what is missing and how to install it.
    """
    if missing := [name for name in names if not is_installed(name)]:
        packages = [_BY_NAME.get(name, Package(name, name, "")) for name in missing]
        labels = " and ".join(package.label for package in packages)
        raise DependencyError(f"{option} needs {labels}, not installed here: {install(packages)}")


def install(packages: Sequence[Package]) -> str:
    """The command that installs packages, at the versions of the checkout where there is one."""
    pinned = ["-c", str(_constraints())] if tested_versions() else []
    extras = ",".join(sorted({package.extra for package in packages} - {""}))
    ours = [f"{PROJECT}[{extras}]" if extras else PROJECT] if set(packages) & set(PACKAGES) else []
    others = [package.distribution for package in packages if package not in PACKAGES]
    return shlex.join(["pip", "install", *pinned, *ours, *others])


def reinstall(package: Package) -> str:
    """The command that replaces a package that is there and cannot be imported."""
    version = tested_versions().get(package.distribution) or _installed_version(package)
    wanted = f"{package.distribution}=={version}" if version else package.distribution
    return shlex.join(["pip", "install", "--force-reinstall", "--no-deps", wanted])


def remedy(package: Package, error: BaseException) -> str:
    """The command that cures a failed import: what is missing is installed, what is damaged is installed anew."""
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith(f"{package.name}."):
        return install([package])
    return reinstall(package)


def reason(error: BaseException) -> str:
    """Why an import failed, in one line: what the first of a chain of errors says."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = lines[0] if lines else ""
    words = said if isinstance(error, ImportError | OSError) and said else f"{type(error).__name__}: {said}"
    return words.removesuffix(": ")[:LONGEST]


@contextmanager
def importing(option: str = "") -> Iterator[None]:
    """Where an import in the block fails, whatever it raises, that is an error of the installation.

    Args:
        option: that needs the package.

    Raises:
        DependencyError: naming the package, why it cannot be imported, and what to do.
    """
    try:
        yield
    except (ConverterError, KeyboardInterrupt):
        raise
    except BaseException as error:  # packages end the process, too, where something does not suit them
        package = _not_imported(error)
        if package is None:
            raise
        raise _failure(package, error, option) from error


def _failure(package: Package, error: BaseException, option: str) -> DependencyError:
    start = f"{option} needs {package.label}, " if option else f"{package.label}, which {package.purpose}, "
    if isinstance(error, ModuleNotFoundError) and error.name == package.name:
        state = "not installed here" if option else "is not installed here"
    else:
        use = "used" if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) else "imported"
        state = f"{'which ' if option else ''}cannot be {use} here ({reason(error)})"
    return DependencyError(f"{start}{state}: {remedy(package, error)}")


def ends_its_process(name: str, code: int) -> DependencyError:
    """A package whose import ends the process, as one for another processor or Python does.

    Args:
        code: with which it ended; negative for a signal.
    """
    package = _BY_NAME[name]
    ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    return DependencyError(
        f"{package.label}, which {package.purpose}, cannot be imported here (the import ended its process with "
        f"{ended}): {reinstall(package)}"
    )


def _not_imported(error: BaseException) -> Package | None:
    """The package whose import an error ended: the innermost whose module was being executed, or could not begin, or
    has not what is asked of it."""
    named = [error.name or ""] if isinstance(error, ImportError) else []
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        named = [error.obj.__name__]
    modules = [
        str(frame.f_globals.get("__name__", ""))
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_name == "<module>" and frame.f_code.co_filename == frame.f_globals.get("__file__")
    ]
    modules.reverse()
    lacking = isinstance(error, ModuleNotFoundError | AttributeError) or "cannot import name" in str(error)
    names = (name.partition(".")[0] for name in ([*named, *modules] if lacking else [*modules, *named]))
    return next((_BY_NAME[name] for name in names if name in _BY_NAME), None)


def _constraints() -> Path:
    return Path(converter.__file__).absolute().parent.parent / "constraints.txt"


def _installed_version(package: Package) -> str:
    try:
        return metadata.version(package.distribution)
    except metadata.PackageNotFoundError:
        return ""
