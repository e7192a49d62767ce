"""Stands in for the pnnx binary: what the real one has made of the same graph, weights and options is taken again.

A conversion takes a second, and many tests begin with the same. Run as ``python -I -S pnnx_once.py PNNX KEPT WORDS``.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path

CLASS = re.compile(r"^class (\w+)\(.*?(?=^class |\Z)", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"__torch__(?:\.\w+)+")
PICKLED_NAME = re.compile(rb"c(__torch__[\w.]*)\n(\w+)\n")


def digest(*parts: bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(b"%d:" % len(part) + part)
    return whole.hexdigest()


def content(path: Path) -> str:
    """A digest of what a TorchScript file computes; its classes are numbered otherwise in every trace."""
    with zipfile.ZipFile(path) as archive:
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    code = {}
    for name, data in files.items():
        if name.startswith("code/") and name.endswith(".py"):
            module = name[len("code/") : -len(".py")].replace("/", ".")
            code |= {f"{module}.{found[1]}": found[0] for found in CLASS.finditer(data.decode())}

    @cache
    def of_class(name: str) -> str:
        own = name.rpartition(".")[2]
        body = NAME.sub(
            lambda found: of_class(found[0]) if found[0] in code and found[0] != name else found[0], code[name]
        )
        return digest(body.replace(name, own).encode())

    def plain(data: bytes) -> bytes:
        return PICKLED_NAME.sub(lambda found: of_class(b".".join(found.groups()).decode()).encode(), data)

    kept = sorted(name for name in files if name.startswith(("data/", "constants/")))
    pickles = [plain(files[name]) for name in ("data.pkl", "constants.pkl")]
    return digest(*pickles, *(part for name in kept for part in (name.encode(), files[name])))


def main() -> int:
    binary, kept, *words = sys.argv[1:]
    key = digest(content(Path(words[0])).encode(), *(word.encode() for word in words))
    place = Path(kept, key)
    if not place.is_dir():
        before = set(os.listdir())
        with tempfile.TemporaryDirectory(dir=kept) as folder:
            with open(f"{folder}/said", "wb") as said:
                code = subprocess.call([binary, *words], stdout=said, stderr=subprocess.STDOUT)
            made = set(os.listdir()) - before
            if code:
                sys.stdout.write(Path(folder, "said").read_text(errors="replace"))
                return code
            for name in made:
                shutil.copy(name, folder)
            with tempfile.TemporaryDirectory(dir=kept) as aside:
                shutil.copytree(folder, f"{aside}/{key}")
                with suppress(OSError):  # somebody else has made the same
                    os.rename(f"{aside}/{key}", place)
    for path in place.iterdir():
        if path.name != "said":
            shutil.copy(path, ".")
    sys.stdout.write((place / "said").read_text(errors="replace"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
