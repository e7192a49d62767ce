"""Conventions of known consumers, ``configs/presets/*.yaml``: names, sizes, split, precision, file names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from converter.errors import UsageError
from converter.families.family import family_of
from converter.formats.ncnn.release import FLOOR, RELEASE
from converter.spec.config import config_folder, network_for, read_yaml
from converter.spec.naming import Naming, parse_rename, renamed
from converter.spec.network import LARGEST_OPSET, SMALLEST_OPSET, Frozen, NetworkSpec, Size

FileName = Annotated[str, Field(pattern=r"^\w[\w.-]{0,99}$")]


class Preset(Frozen):
    """What a consumer takes.

    Attributes:
        about: which consumer, in a line.
        format, split, template_size, search_size, opset, sigmoid, precision: as the options of lt-export.
        ncnn: release of the runtime that the consumer ships.
        names: graph to {tensor of the config: what the consumer calls it}.
        files: graph to file name without extension.
    """

    about: str
    format: Literal["ncnn", "onnx"]
    split: str
    template_size: Size
    search_size: Size
    opset: Annotated[int, Field(ge=SMALLEST_OPSET, le=LARGEST_OPSET)] | None = None
    sigmoid: bool = False
    precision: Literal["fp32", "half"] = "fp32"
    ncnn: Annotated[str, Field(pattern=RELEASE.pattern)] | None = None
    names: dict[str, dict[str, str]] = Field(default_factory=dict)
    files: dict[str, FileName] = Field(default_factory=dict)

    def line(self) -> str:
        """What it is, for a list."""
        extras = [f"opset {self.opset}"] if self.opset else []
        extras += ["sigmoid inside"] if self.sigmoid else []
        extras += ["half weights"] if self.precision == "half" else []
        sizes = f"{self.template_size}/{self.search_size}"
        return f"{self.about} ({', '.join([self.format, f'split {self.split}', sizes, *extras])})"


@dataclass(frozen=True)
class Choice:
    """What the options and a preset come to; an option wins.

    Attributes:
        arch, network: the config, at the first of the search sizes.
        search_sizes: as given, or one.
        formats, split, opset, precision, oldest_ncnn: as of an export.
        naming: the preset's.
    """

    arch: str
    network: NetworkSpec
    search_sizes: tuple[int, ...]
    formats: tuple[str, ...]
    split: str | None
    opset: int | None
    precision: str
    oldest_ncnn: str | None
    naming: Naming

    def named(self, renames: Sequence[str]) -> Naming:
        """The preset's names with those of ``--rename`` put in.

        Raises:
            UsageError: for one that cannot be.
        """
        network = self.network
        splits = [network.default_split(format) if self.split is None else self.split for format in self.formats]
        graphs = dict.fromkeys(graph for split in splits for graph in network.converted(split))
        parsed = [parse_rename(text, network.graphs) for text in renames]
        return renamed(self.naming, network, list(graphs), parsed)


def choose(
    name: str | None,
    arch: str | None,
    config: Path | None,
    sizes: Mapping[str, Any],
    formats: tuple[str, ...],
    split: str | None,
    opset: int | None,
    sigmoid: bool | None,
    half: bool | None,
    oldest_ncnn: str | None,
    head_blocks: int | None = None,
    masks: bool = False,
) -> Choice:
    """Put options and a preset together.

    Args:
        name: of the preset, or None.
        sizes: path_name, template_size and search_size, a list, each None when not given.
        formats: () when not given.
        sigmoid, half, head_blocks: None when not given.
        masks: whether graphs take masks.

    Raises:
        ArchitectureError, UsageError: as :func:`converter.spec.config.network_for`, and for a preset that does not fit.
    """
    preset = load_preset(name) if name is not None else None
    if oldest_ncnn is not None and (not RELEASE.fullmatch(oldest_ncnn) or oldest_ncnn < FLOOR):
        raise UsageError(f"--oldest-ncnn {oldest_ncnn}: expected the date of a release, {FLOOR} or later")

    def wanted(given: Any, key: str) -> Any:
        return getattr(preset, key, None) if given is None else given

    flags = {**sizes, "template_size": wanted(sizes["template_size"], "template_size")}
    searched = sizes["search_size"] or [wanted(None, "search_size")]
    networks = [network_for(arch, config, {**flags, "search_size": size}) for size in searched]
    arch, network = networks[0]
    if head_blocks is not None:
        network = with_blocks(network, head_blocks)
    if masks:
        network = network.with_masks()
    if preset and name:
        check_preset(name, preset, network)
    if wanted(sigmoid, "sigmoid"):
        network = network.with_probabilities()
    precision = None if half is None else "half" if half else "fp32"
    return Choice(
        arch=arch,
        network=network,
        search_sizes=tuple(each.search_size for _, each in networks),
        formats=formats or ((preset.format,) if preset else ("ncnn",)),
        split=wanted(split, "split"),
        opset=wanted(opset, "opset"),
        precision=wanted(precision, "precision") or "fp32",
        oldest_ncnn=wanted(oldest_ncnn, "ncnn"),
        naming=Naming(
            blobs=preset.names if preset else {}, files=preset.files if preset else {}, prefix=network.file_prefix
        ),
    )


def with_blocks(network: NetworkSpec, blocks: int) -> NetworkSpec:
    """The network with so many blocks in its head.

    Raises:
        UsageError: when it has no such choice.
    """
    named = family_of(network.family).with_blocks
    if named is None:
        raise UsageError(f"--head-blocks {blocks}: the head of {', '.join(network.archs)} has no choice of blocks")
    return network.model_copy(update={"path_name": named(network.path_name, blocks)})


def preset_names() -> list[str]:
    return [path.stem for path in sorted(_folder().glob("*.yaml"))]


def load_preset(name: str) -> Preset:
    """Read a preset.

    Raises:
        UsageError: when there is none of that name, or its file is damaged.
    """
    known = preset_names()
    if name not in known:
        raise UsageError(f"--preset {name}: unknown, known are {', '.join(known)} (--list-presets)")
    path = _folder() / f"{name}.yaml"
    try:
        return Preset.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"preset {path}: {where}: {first['msg'].lower()}") from None


def check_preset(name: str, preset: Preset, network: NetworkSpec) -> None:
    """Refuse a preset of another kind of network: one whose graphs or tensors the config does not have.

    Raises:
        UsageError: naming the first.
    """
    what = f"--preset {name}: its consumer wants"
    if preset.split not in network.splits:
        raise UsageError(f"{what} the split {preset.split!r}, and this network has {', '.join(network.splits)}")
    for graph in (*preset.files, *preset.names):
        if graph not in network.graphs:
            raise UsageError(f"{what} a graph {graph!r}, and this network has {', '.join(network.graphs)}")
    for graph, names in preset.names.items():
        entry = network.graphs[graph]
        for tensor in names:
            if tensor not in (*entry.inputs, *entry.outputs):
                raise UsageError(
                    f"{what} {tensor!r} of graph {graph}, which in this network has "
                    f"{', '.join(entry.inputs)} -> {', '.join(entry.outputs)}"
                )
    if preset.sigmoid and not network.logits:
        raise UsageError(f"{what} a probability, and this network has no logits")


def _folder() -> Path:
    return config_folder() / "presets"
