"""ncnn's source, which its package on PyPI holds: fetched by pip, checked, unpacked; nothing in it is run."""

import hashlib
import tarfile
from pathlib import Path

from converter.errors import DependencyError
from converter.util.atomic import scratch
from converter.util.commands import attempt, bytes_in, reason
from converter.util.process import python_module
from converter.util.stages import Step, no_step

RELEASE = "20261020"
VERSION = f"1.0.{RELEASE}"
BYTES = 5_485_264
SHA256 = "ad8cdd63e9755cfa8e23b9b6d9ce46156077d80298a89e7c3ba325ffccfca200"

# pip asks a source package for its version, and ncnn's setup.py makes one of today's date, which pip then refuses. The
# package's own build backend is never run: this one, under its name, says what the file is called.
BACKEND = f"""\
from pathlib import Path


def get_requires_for_build_wheel(config_settings=None):
    return []


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = Path(metadata_directory, "ncnn-{VERSION}.dist-info")
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\\nName: ncnn\\nVersion: {VERSION}\\n")
    return folder.name
"""


def fetch_source(folder: Path, step: Step = no_step) -> Path:
    """Unpack the source.

    Args:
        folder: for it.
        step: told of the bytes.

    Returns:
        the folder with ncnn's CMakeLists.txt.

    Raises:
        DependencyError: when pip is missing or cannot get it, or gets another file.
    """
    with scratch("lt-ncnn-") as work:
        package = work / "backend" / "setuptools"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "build_meta.py").write_text(BACKEND)
        archive = _downloaded(work, step)
        content = archive.read_bytes()
        if (found := hashlib.sha256(content).hexdigest()) != SHA256:
            raise DependencyError(
                f"{archive.name} has {len(content)} bytes, sha256 {found[:12]}…, expected {BYTES}, {SHA256[:12]}…; "
                "nothing in it was used"
            )
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    return folder / f"ncnn-{VERSION}"


def _downloaded(work: Path, step: Step) -> Path:
    what = f"source of ncnn {RELEASE}"
    words = ["--no-deps", "--no-build-isolation", "--no-binary", "ncnn", "--disable-pip-version-check", "--no-input"]
    code, out, err = attempt(
        python_module("pip", "download", *words, "--dest", str(work), f"ncnn=={VERSION}"),
        what,
        tick=lambda: step(bytes_in(work, "*.tar.gz"), BYTES),
        TMPDIR=str(work),
        PYTHONPATH=str(work / "backend"),
    )
    archives = list(work.glob("ncnn-*.tar.gz"))
    if not code and len(archives) == 1:
        return archives[0]
    if "No module named pip" in err:
        raise DependencyError(f"{what}: pip is not installed beside this Python; python -m ensurepip installs it")
    raise DependencyError(f"{what}: {reason(out + err) or f'pip ended with code {code}'}")
