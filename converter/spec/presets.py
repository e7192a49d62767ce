"""Conventions of known consumers, ``configs/presets/*.yaml``: names, sizes, split, precision, file names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, ValidationError

from converter.errors import UsageError, did_you_mean, in_words
from converter.spec.choices import BYTES, Exportable, Place
from converter.spec.config import config_folder, network_for
from converter.spec.naming import Naming, parse_rename, renamed
from converter.spec.network import LARGEST_OPSET, SMALLEST_OPSET, SMALLEST_OPSET_OF_BYTES, NetworkSpec
from converter.spec.options import Chosen, RknnOptions
from converter.spec.releases import FLOOR, RELEASE
from converter.spec.scores import Scores
from converter.spec.tensors import Frozen, Size
from converter.spec.yaml_file import read_yaml

FileName = Annotated[str, Field(pattern=r"^\w[\w.-]{0,99}$")]
T = TypeVar("T")


class Preset(Frozen):
    """What a consumer takes.

    Attributes:
        about: which consumer, in a line.
        format, split, template_size, search_size, opset, precision: as the options of lt-export; the network's sizes
            where it has none.
        scores: what they have to be.
        archs: names of the networks that it takes; every network that has its graphs and tensors when empty.
        because: why it takes no others.
        ncnn: release of the runtime that the consumer ships.
        normalise: who normalises crops for an NPU, as the option of lt-export.
        names: graph to {tensor of the config: what the consumer calls it}.
        files: graph to file name without extension.
    """

    about: str
    format: Annotated[str, Field(pattern=r"^[a-z]\w{0,30}$")]
    split: str
    template_size: Size | None = None
    search_size: Size | None = None
    opset: Annotated[int, Field(ge=SMALLEST_OPSET, le=LARGEST_OPSET)] | None = None
    scores: Scores = "logits"
    archs: list[str] = Field(default_factory=list)
    because: str = ""
    precision: Exportable = "fp32"
    ncnn: Annotated[str, Field(pattern=RELEASE.pattern)] | None = None
    normalise: Place | None = None
    names: dict[str, dict[str, str]] = Field(default_factory=dict)
    files: dict[str, FileName] = Field(default_factory=dict)

    def line(self) -> str:
        """What it is, for a list."""
        extras = [f"opset {self.opset}"] if self.opset else []
        extras += [f"{self.scores} inside"] if self.scores != "logits" else []
        extras += ["half weights"] if self.precision == "half" else []
        extras += ["mean and std inside"] if self.normalise == "inside" else []
        sizes = [f"{self.template_size}/{self.search_size}"] if self.template_size or self.search_size else []
        return f"{self.about} ({', '.join([self.format, f'split {self.split}', *sizes, *extras])})"


@dataclass(frozen=True)
class Wanted:
    """What the user asked for, as far as a preset or the config has a say in it; None and () for nothing.

    Attributes:
        preset: its name.
        arch, config, path_name, template_size: which network.
        search_sizes: in their order; the first is the network's.
        formats, split, opset, precision, oldest_ncnn, masks: as the options of lt-export.
        scores: as --sigmoid and --softmax.
        renames: texts of ``--rename``.
        default_splits: format to split, where neither the user nor preset or config says.
        of_halves: formats whose models have half weights unless the user says otherwise.
        target, normalise: as the options of lt-export.
    """

    preset: str | None = None
    arch: str | None = None
    config: Path | None = None
    path_name: str | None = None
    template_size: int | None = None
    search_sizes: tuple[int, ...] = ()
    formats: tuple[str, ...] = ()
    split: str | None = None
    opset: int | None = None
    scores: Scores | None = None
    precision: Exportable | None = None
    oldest_ncnn: str | None = None
    masks: bool = False
    renames: tuple[str, ...] = ()
    default_splits: Mapping[str, str] = field(default_factory=dict)
    of_halves: tuple[str, ...] = ()
    target: str | None = None
    normalise: Place | None = None


def choose(wanted: Wanted) -> Chosen:
    """Put what was asked for and the preset together; where both say something, what was asked for wins.

    Raises:
        ArchitectureError, UsageError: as :func:`converter.spec.config.network_for`, for a preset that does not fit,
            and for a release, an opset or a name that cannot be.
    """
    preset = load_preset(wanted.preset) if wanted.preset is not None else None
    release, opset = wanted.oldest_ncnn, wanted.opset
    if release is not None and (not RELEASE.fullmatch(release) or release < FLOOR):
        raise UsageError(f"--oldest-ncnn {release}: expected the date of a release, {FLOOR} or later")
    if opset is not None and not SMALLEST_OPSET <= opset <= LARGEST_OPSET:
        raise UsageError(f"--opset {opset}: expected {SMALLEST_OPSET} to {LARGEST_OPSET}")
    arch, network, search_sizes = _network(wanted, preset)
    formats: tuple[str, ...] = wanted.formats or ((preset.format,) if preset else ("ncnn",))
    split = _first(wanted.split, preset.split if preset else None)
    naming = Naming(blobs=preset.names, files=preset.files) if preset else Naming()
    usual: Exportable = "half" if {*formats} & {*wanted.of_halves} else preset.precision if preset else "fp32"
    precision = wanted.precision or usual
    return Chosen(
        arch=arch,
        network=network,
        preset=wanted.preset,
        search_sizes=search_sizes,
        formats=formats,
        split=split,
        opset=_opset(wanted, preset, precision == BYTES and "onnx" in formats),
        precision=precision,
        oldest_ncnn=_first(release, preset.ncnn if preset else None),
        naming=_named(naming, network, formats, split, wanted.renames),
        rknn=_rknn(wanted, preset),
    )


def _opset(wanted: Wanted, preset: Preset | None, bytes_of_weights: bool) -> int:
    """The one asked for, or the preset's, or the smallest that the models can have.

    Args:
        bytes_of_weights: whether the models are to hold int8 weights with a scale for every channel.
    """
    asked, smallest = _first(wanted.opset, preset.opset if preset else None), SMALLEST_OPSET
    if bytes_of_weights:
        smallest = SMALLEST_OPSET_OF_BYTES
        if asked is not None and asked < smallest:
            whose = f"--opset {asked}" if wanted.opset else f"--preset {wanted.preset}, which takes opset {asked},"
            raise UsageError(
                f"{whose} with --precision w8: expected opset {smallest} or later, for a scale for every channel; "
                "leave one of the two out"
            )
    return asked or smallest


def _rknn(wanted: Wanted, preset: Preset | None) -> RknnOptions | None:
    """What RKNN models are for; None where nobody says for which chip."""
    where = wanted.normalise or (preset.normalise if preset else None)
    if wanted.target is None:
        return None
    return RknnOptions(target=wanted.target.lower(), normalise=where or "outside")


def _first(asked: T | None, preset: T | None) -> T | None:
    """What was asked for, or what the preset says."""
    return preset if asked is None else asked


def _network(wanted: Wanted, preset: Preset | None) -> tuple[str, NetworkSpec, tuple[int, ...]]:
    """(arch, network at the first search size, all search sizes)."""
    template_size = _first(wanted.template_size, preset.template_size if preset else None)
    searched: tuple[int | None, ...] = wanted.search_sizes or (preset.search_size if preset else None,)
    flags = {"path_name": wanted.path_name, "template_size": template_size}
    networks = [network_for(wanted.arch, wanted.config, {**flags, "search_size": size}) for size in searched]
    arch, network = networks[0]
    if wanted.masks:
        network = network.with_masks()
    if preset and wanted.preset:
        check_preset(wanted.preset, preset, network)
    network = network.with_scores(_first(wanted.scores, preset.scores if preset else None))
    network = network.with_default_splits(wanted.default_splits)
    return arch, network, tuple(each.search_size for _, each in networks)


def _named(
    naming: Naming, network: NetworkSpec, formats: Sequence[str], split: str | None, renames: Sequence[str]
) -> Naming:
    """The preset's names with those of ``--rename`` put in."""
    splits = [network.default_split(format) if split is None else split for format in formats]
    graphs = dict.fromkeys(graph for each in splits for graph in network.converted(each))
    return renamed(naming, network, list(graphs), [parse_rename(text, network.graphs) for text in renames])


def preset_names() -> list[str]:
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """Read a preset.

    Raises:
        UsageError: when there is none of that name, or its file is damaged.
    """
    names = preset_names()
    if name not in names:
        raise UsageError(
            f"--preset {name}: unknown, known are {', '.join(names)} (--list-presets){did_you_mean(name, names)}"
        )
    path = _folder() / f"{name}.yaml"
    try:
        return Preset.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"preset {path}: {where}: {in_words(first['msg'])}") from None


def check_preset(name: str, preset: Preset, network: NetworkSpec) -> None:
    """Refuse a preset of another network: one whose graphs or tensors the config does not have, or that it names.

    Raises:
        UsageError: naming the first.
    """
    archs = " and ".join(network.archs)
    if reason := _does_not_fit(preset, network):
        raise UsageError(f"--preset {name}: its consumer wants {reason}; it is not for {archs}: leave --preset out")
    if preset.archs and not {*preset.archs} & {*network.archs}:
        raise UsageError(
            f"--preset {name}: {preset.because}; it takes {' and '.join(preset.archs)}, not {archs}: leave --preset out"
        )


def _does_not_fit(preset: Preset, network: NetworkSpec) -> str | None:
    """What a preset's consumer wants and the network has not."""
    if preset.split not in network.splits:
        return f"the split {preset.split!r}, and this network has {', '.join(network.splits)}"
    for graph in (*preset.files, *preset.names):
        if graph not in network.graphs:
            return f"a graph {graph!r}, and this network has {', '.join(network.graphs)}"
    for graph, names in preset.names.items():
        entry = network.graphs[graph]
        for tensor in names:
            if tensor not in (*entry.inputs, *entry.outputs):
                return (
                    f"{tensor!r} of graph {graph}, which in this network has "
                    f"{', '.join(entry.inputs)} -> {', '.join(entry.outputs)}"
                )
    if preset.scores == "logits" or (network.logits and preset.scores == network.activation):
        return None
    return f"scores through a {preset.scores}, which this network's are not"


def _folder() -> Path:
    return config_folder() / "presets"
