"""``python -m converter.installation.probe MODULE``: import it as the commands do, and say in a line how that ended.

A process of its own, for an extension of another ABI can end the process that imports it.
"""

import json
import subprocess
import sys
from importlib import import_module
from types import ModuleType

from converter.util.packages import PACKAGES, reason, remedy
from converter.util.process import send_nothing

PATIENCE = 20.0  # seconds for pnnx to say how it is used


def main() -> None:
    (package,) = (package for package in PACKAGES if package.module == sys.argv[1])
    send_nothing()
    try:
        import_module(package.module)
        _try_binary(sys.modules[package.name])
        answer = {"reason": "", "remedy": ""}
    except Exception as error:  # packages raise many types where a library is missing or too old
        answer = {"reason": reason(error) or type(error).__name__, "remedy": remedy(package, error)}
    print("\n" + json.dumps(answer))


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
