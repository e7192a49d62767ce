"""Where an export goes that nobody gave a folder: what makes other models has a mark of its own in the name."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from converter.errors import ArchitectureError
from converter.spec.config import network_for
from converter.spec.network import SMALLEST_OPSET, NetworkSpec
from converter.spec.options import Chosen
from converter.spec.presets import Preset, Wanted, load_preset
from converter.spec.yaml_file import read_yaml

LONGEST = 24  # characters of a name that is a mark by itself


@dataclass(frozen=True)
class Asked:
    """What changes the models and is the choice of neither a preset nor a config; as the options of lt-export."""

    dynamic_search: bool = False
    simplify: bool = True
    protect_fp16: bool = False
    share_weights: bool = False


def default_folder(wanted: Wanted, chosen: Chosen, asked: Asked) -> Path:
    """``exports/<arch>`` of the default call; the preset and whatever differs from it, or from the default, behind.

    Args:
        wanted: what the user says.
        chosen: what it comes to, with the preset and the config.
    """
    preset = load_preset(wanted.preset) if wanted.preset is not None else None
    marks = [
        chosen.arch,
        wanted.preset,
        *_of_network(wanted, chosen, preset, asked),
        *_of_files(wanted, chosen, preset),
    ]
    marks += ["unsimplified" if not asked.simplify else None, "protected" if asked.protect_fp16 else None]
    marks += ["one-weights-file" if asked.share_weights else None, *map(_readable, wanted.renames)]
    return Path("exports") / "-".join(str(mark) for mark in marks if mark)


def _of_network(wanted: Wanted, chosen: Chosen, preset: Preset | None, asked: Asked) -> Iterator[object]:
    network, usual = chosen.network, _usual(chosen)
    sized = wanted.template_size or wanted.search_sizes or asked.dynamic_search
    own_sizes = preset is None or preset.search_size is None
    if sized or (own_sizes and network.sizes != usual.sizes):
        yield network.template_size
        yield from dict.fromkeys(chosen.search_sizes)
    yield "dynamic" if asked.dynamic_search else None
    named = wanted.path_name or (wanted.config and read_yaml(wanted.config).get("path_name"))
    if named and network.path_name != usual.path_name:
        yield _readable(network.path_name, "path")
    yield "masks" if wanted.masks else None


def _of_files(wanted: Wanted, chosen: Chosen, preset: Preset | None) -> Iterator[object]:
    formats = sorted(chosen.formats)
    if formats != [preset.format if preset else "ncnn"]:
        yield from formats
    usual = {preset.split} if preset else {chosen.network.default_split(format) for format in formats}
    if chosen.split and usual != {chosen.split}:
        yield chosen.split
    if chosen.rknn and formats == ["rknn"]:
        yield chosen.rknn.target
        if chosen.rknn.normalise != ((preset.normalise if preset else None) or "outside"):
            yield chosen.rknn.normalise
    elif chosen.precision != (preset.precision if preset else "fp32"):
        yield chosen.precision
    if "onnx" in formats and chosen.opset != ((preset.opset if preset else None) or SMALLEST_OPSET):
        yield f"opset{chosen.opset}"
    if wanted.scores != (preset.scores if preset else "logits"):
        yield wanted.scores
    if chosen.oldest_ncnn != (preset.ncnn if preset else None):
        yield f"from{chosen.oldest_ncnn}"


def _usual(chosen: Chosen) -> NetworkSpec:
    """The network of the default call; the chosen one where the project's own configs do not know the arch."""
    try:
        return network_for(chosen.arch)[1]
    except ArchitectureError:
        return chosen.network


def _readable(text: str, kind: str = "names") -> str:
    """A text in characters that are at home in file names; a long one as a checksum."""
    word = re.sub(r"[^\w.]+", "_", text, flags=re.ASCII)
    return word if len(word) <= LONGEST else f"{kind}_{zlib.crc32(text.encode()):08x}"
