"""What is to be verified: the models, the network and the sizes, from what was asked for and what an export says."""

import os
from collections.abc import Mapping
from pathlib import Path

from converter.errors import UsageError
from converter.folder.loose import model_files
from converter.folder.mistaken import files_in_place_of_export, option, without_manifest
from converter.folder.subject import Flags, network_of_export
from converter.spec.config import network_for
from converter.spec.network import NetworkSpec
from converter.spec.scores import Scores

COMMON_SEARCH_SIZES = (288, 256)


def check_models(folder: Path | None, loose: Mapping[str, Path], rename: tuple[str, ...], formats: object) -> None:
    """Raises:
    UsageError: when there is nothing to verify, a file is not there, or something is asked that is about other models.
    """
    if folder and loose:
        name = next(iter(loose)).replace("_", "-")
        raise UsageError(f"--{name} beside an export folder: pass the folder or single models, not both")
    if folder and os.path.isfile(folder):
        raise UsageError(files_in_place_of_export([folder]))
    if not folder and not loose:
        raise UsageError("nothing to verify: pass an export folder, or --init and --update")
    for graph, path in loose.items():
        model_files(option(graph), path)
    if folder and rename:
        raise UsageError("--rename is for models without a manifest; an export's own says what its blobs are")
    if loose and formats:
        raise UsageError("--format is for an export folder; the format of single models follows from their names")


def network_of(
    folder: Path | None, arch: str | None, config: Path | None, flags: Flags, scores: Scores | None, masks: bool
) -> tuple[str, NetworkSpec]:
    """The config, with what the export says of its network put in; a flag that contradicts it is refused."""
    if folder is None:
        arch, network = network_for(arch, config, flags)
    else:
        arch, network = network_of_export(folder, arch, config, flags, without_manifest(folder))
        if scores is not None:
            option = network.activation if scores == "logits" else scores
            raise UsageError(f"--{option} is for models without a manifest; an export's own says what its outputs are")
        if masks:
            raise UsageError("--masks is for models without a manifest; an export's own says what its inputs are")
    network = network.with_scores(scores)
    return arch, network.with_masks() if masks else network


def search_sizes(
    folder: Path | None, network: NetworkSpec, template_size: int | None, search_size: int | None
) -> tuple[int, ...]:
    """Of loose models those to try; of an export the one that was asked for, () for all that it has."""
    if folder:
        return (network.search_size,) if template_size or search_size else ()
    return (network.search_size,) if search_size else (network.search_size, *COMMON_SEARCH_SIZES)
