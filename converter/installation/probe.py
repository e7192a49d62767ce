"""``python -m converter.installation.probe MODULE ...``: import one after the other as the commands do, up to the first
that cannot be imported, and say of each in a line how that ended.

A process of its own, for an extension of another ABI can end the process that imports it.
"""

import json
import subprocess
import sys
from importlib import import_module
from types import ModuleType

from converter.util.packages import PACKAGES, Package, reason, remedy
from converter.util.process import send_nothing

PATIENCE = 20.0  # seconds for pnnx to say how it is used


def answer(package: Package, reason: str = "", remedy: str = "") -> str:
    """The line about a package; without a reason it can be imported."""
    return json.dumps({"module": package.module, "reason": reason, "remedy": remedy})


def main() -> None:
    packages = {package.module: package for package in PACKAGES}
    send_nothing()
    for module in sys.argv[1:]:
        package = packages[module]
        try:
            import_module(module)
            _try_binary(sys.modules[package.name])
        except Exception as error:  # packages raise many types where a library is missing or too old
            print("\n" + answer(package, reason(error) or type(error).__name__, remedy(package, error)))
            return
        print("\n" + answer(package), flush=True)


def _try_binary(module: ModuleType) -> None:
    """What a package runs as a program (pnnx) has to start too; without arguments it says how it is used."""
    binary = getattr(module, "EXEC_PATH", None)
    if binary is None:
        return
    done = subprocess.run([binary], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False)
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    if "Usage" not in said:
        raise OSError(f"{binary} ended with code {done.returncode}: {said.splitlines()[-1] if said else 'no output'}")


if __name__ == "__main__":
    main()
