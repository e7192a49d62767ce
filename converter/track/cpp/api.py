"""cpp() of :mod:`converter.api`: from arguments to a folder with a C++ tracker."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.folder.listing import GENERATOR, SCHEMA_VERSION, FileEntry, GeneratorEntry
from converter.folder.manifest import MANIFEST
from converter.folder.subject import network_of_export
from converter.folder.workspace import Workspace, check_target
from converter.formats.ncnn import FORMAT
from converter.spec.arguments import AnyPath, expanded, path_of
from converter.spec.options import VerifyOptions
from converter.track.cpp.description import Described, described
from converter.track.cpp.generate import sources
from converter.track.cpp.golden import recorded
from converter.track.cpp.listing import MARKER, CppListing
from converter.track.export import TrackingExport, open_export
from converter.util.atomic import make_folder, sha256, write
from converter.util.stages import Listener, Stages
from converter.util.version import version

WRITTEN = "lt-cpp takes a folder that lt-export wrote; lt-export CHECKPOINT makes one"
LAST_STAGE = "publish"


@dataclass(frozen=True)
class CppFolder:
    """What was written.

    Attributes:
        folder: with the tracker.
        listing: of its files.
        export: that it tracks with.
    """

    folder: Path
    listing: CppListing
    export: TrackingExport

    def as_dict(self) -> dict[str, Any]:
        """As ``lt-cpp --json`` prints it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "generator": {"name": GENERATOR, "version": version(), "command": "lt-cpp"},
            "export": self.export.as_dict(),
            "folder": str(self.folder),
            "files": [file.model_dump(mode="json") for file in self.listing.files],
        }


def cpp(
    folder: AnyPath,
    output: AnyPath,
    *,
    search_size: int | None = None,
    config: AnyPath | None = None,
    progress: Listener | None = None,
) -> CppFolder:
    """Write a C++ tracker for an export's ncnn models.

    Args:
        folder: of the export.
        output: folder to write; absent, empty, or an earlier one.
        search_size: of an export with several.
        config: the YAML file that it was exported with, where it was.
        progress: as for :func:`export`.

    Raises:
        VerificationError: when a file or the manifest was changed, or the models do not answer.
        UsageError: when there is no ncnn model, the family has no C++, a name cannot stand in C++, or the output holds
            something else.
        ConverterError: another of its kinds when something cannot be run or written.
    """
    stages, target = Stages(progress), expanded(output)
    check_target(target, MARKER)
    with stages("models") as notes:
        about, export = open_described(expanded(folder), search_size, path_of(config))
        texts = sources(about)
        notes.append(f"{', '.join(map(str, about.models))}, {export.status}")
    with stages("record") as notes:
        golden = recorded(export, tuple(about.outputs))
        notes.append("a short clip, for the test program")
    with stages(LAST_STAGE) as notes:
        listing = _published(target, about, texts, golden)
        notes.append(str(target))
    return CppFolder(target, listing, export)


def open_described(folder: Path, search_size: int | None, config: Path | None) -> tuple[Described, TrackingExport]:
    """An export's ncnn models, with names that C++ can hold. Raises as :func:`cpp`."""
    if os.path.isfile(folder):
        raise UsageError(f"{folder} is a file, and {WRITTEN}")
    flags = {"path_name": None, "template_size": None, "search_size": search_size}
    arch, network = network_of_export(folder, None, config, flags, WRITTEN)
    options = VerifyOptions(
        arch=arch,
        network=network,
        checkpoint=None,
        folder=folder,
        formats=(FORMAT.name,),
        search_sizes=(network.search_size,) if search_size else (),
    )
    export = open_export(options)
    manifest = export.subject.manifest
    assert manifest is not None  # of every export
    checksum = sha256(folder / MANIFEST)
    return described(Path(os.path.abspath(folder)), manifest, checksum, export.subject.tracker), export


def _published(target: Path, about: Described, texts: dict[str, str], golden: dict[str, bytes]) -> CppListing:
    files = {name: text.encode() for name, text in texts.items()}
    files |= {f"golden/{name}": content for name, content in golden.items()}
    with Workspace(target, MARKER) as workspace:
        make_folder(workspace.folder / "golden")
        paths = {name: workspace.folder / name for name in files}
        for name, content in files.items():
            write(paths[name], content)
        template_size, search_size = about.network.sizes
        listing = CppListing(
            schema_version=SCHEMA_VERSION,
            generator=GeneratorEntry(name=GENERATOR, version=version()),
            family=about.network.family,
            manifest=about.checksum,
            template_size=template_size,
            search_size=search_size,
            files=tuple(
                FileEntry(name=name, sha256=sha256(path), bytes=path.stat().st_size) for name, path in paths.items()
            ),
        )
        workspace.publish(paths.items(), listing)
    return listing
