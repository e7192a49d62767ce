"""What is to be exported: frozen descriptions, read from ``configs/*.yaml``. No torch here."""

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from converter.errors import ArchitectureError, UsageError

FORMAT_NAMES = ("ncnn", "onnx")
SMALLEST_OPSET, LARGEST_OPSET = 11, 17
SMALLEST_SIZE, LARGEST_SIZE = 16, 1024

Size = Annotated[int, Field(ge=SMALLEST_SIZE, le=LARGEST_SIZE)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
ModulePattern = Annotated[str, Field(pattern=r"^[\w*?!\[\]-]+(\.[\w*?!\[\]-]+)*$")]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TensorSpec(Frozen):
    """A named input or output, batch of one, NCHW.

    Attributes:
        name: the blob or tensor in the exported file.
        meaning: the config's name for it: z, x, zf, xf, cls, reg.
        about: the meaning in words.
    """

    name: str
    meaning: str
    about: str
    shape: tuple[int, ...]
    dtype: str = "float32"


class GraphSpec(Frozen):
    """One exported graph: the forward mode that is traced, its inputs and outputs in order."""

    name: str
    mode: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class Tolerance(Frozen):
    """What passes: ``max |difference| <= atol + rtol * (max - min of the reference)``."""

    atol: NonNegative = 0.0
    rtol: NonNegative = 0.0


class TensorEntry(Frozen):
    about: str
    shape: Annotated[list[Annotated[int, Field(gt=0)] | str], Field(min_length=1)]


class GraphEntry(Frozen):
    mode: str
    inputs: Annotated[list[str], Field(min_length=1)]
    outputs: Annotated[list[str], Field(min_length=1)]


class Preprocess(Frozen):
    """How an image becomes z or x: channel order, then ``(pixel - mean) / std`` on pixels of ``pixel_range``."""

    colour_order: Literal["RGB", "BGR"]
    pixel_range: Annotated[list[Finite], Field(min_length=2, max_length=2)]
    mean: Annotated[list[Finite], Field(min_length=3, max_length=3)]
    std: Annotated[list[Annotated[Finite, Field(gt=0)]], Field(min_length=3, max_length=3)]

    @model_validator(mode="after")
    def _range_is_one(self):
        if self.pixel_range[0] >= self.pixel_range[1]:
            raise ValueError(f"preprocess.pixel_range is {self.pixel_range}, expected a low and a higher value")
        return self


class ArmTolerances(Frozen):
    """What passes on the emulated ARM cpu in one mode.

    Attributes:
        tolerances: output to tolerance, against the network in float32.
        box_pixels: how far an edge of the best cell's box may move.
        score: by how much the best cell's score may differ.
    """

    tolerances: dict[str, Tolerance]
    box_pixels: NonNegative
    score: NonNegative


class NetworkSpec(Frozen):
    """A network's config file; see ``configs/lighttrack_mobile.yaml`` for what each key means."""

    family: str
    archs: Annotated[list[str], Field(min_length=1)]
    path_name: str
    template_size: Size
    search_size: Size
    tensors: dict[str, TensorEntry]
    graphs: dict[str, GraphEntry]
    splits: dict[str, Annotated[list[str], Field(min_length=1)]]
    default_splits: dict[str, str]
    tolerances: dict[str, dict[str, Tolerance]]
    decision: str
    arm: dict[str, ArmTolerances] = {}
    noise_feeds: Annotated[int, Field(ge=1)]
    intermediates: list[ModulePattern] = []
    preprocess: Preprocess
    tracker: dict[str, Any]

    @model_validator(mode="after")
    def _names_exist(self):
        known = self.tensors.keys()
        outputs = {name for graph in self.graphs.values() for name in graph.outputs}
        used = [name for graph in self.graphs.values() for name in (*graph.inputs, *graph.outputs)]
        for where, names, among in (
            ("graphs", used, known),
            ("splits", [name for split in self.splits.values() for name in split], self.graphs.keys()),
            ("default_splits", self.default_splits.values(), self.splits.keys()),
            ("tolerances", [name for table in self.tolerances.values() for name in table], known),
            ("decision", [self.decision], outputs),
            ("arm", [name for mode in self.arm.values() for name in mode.tolerances], known),
        ):
            if unknown := [name for name in names if name not in among]:
                raise ValueError(f"{where} names {unknown[0]!r}, known are {', '.join(among) or 'none'}")
        for key, needed in (*(("default_splits", name) for name in FORMAT_NAMES), ("tolerances", "fp32")):
            if needed not in getattr(self, key):
                raise ValueError(f"{key} has no {needed!r}, which an export needs")
        for precision, table in self.tolerances.items():
            if missing := sorted(outputs - table.keys()):
                raise ValueError(f"tolerances.{precision} has none for output {missing[0]!r}")
        return self

    def graph_specs(self, split: str, dimensions: dict[str, int]) -> tuple[GraphSpec, ...]:
        """The graphs of a split with their shapes filled in.

        Args:
            split: a key of ``splits``.
            dimensions: the numbers behind the names in tensor shapes.
        """
        tensors = {
            name: TensorSpec(name=name, meaning=name, about=entry.about, shape=self._shape(name, entry, dimensions))
            for name, entry in self.tensors.items()
        }
        return tuple(
            GraphSpec(
                name=name,
                mode=self.graphs[name].mode,
                inputs=tuple(tensors[tensor] for tensor in self.graphs[name].inputs),
                outputs=tuple(tensors[tensor] for tensor in self.graphs[name].outputs),
            )
            for name in self.splits[split]
        )

    def _shape(self, name, entry, dimensions):
        for size in entry.shape:
            if isinstance(size, str) and size not in dimensions:
                raise UsageError(
                    f"config: the shape of tensor {name!r} names {size!r}, known are {', '.join(dimensions)}"
                )
        return tuple(dimensions[size] if isinstance(size, str) else size for size in entry.shape)


class ArmOptions(Frozen):
    """How to run ncnn models on the emulated ARM cpu; see :mod:`converter.arm`.

    Attributes:
        root: the folder with what runs them.
        modes: names of :data:`converter.arm.modes.MODES`.
        cpu: as qemu calls it.
        inputs: how many to run.
        blobs: whether to look for NaN and infinity in every blob.
        rtol: replaces the config's tolerances of every output.
        timeout: seconds that one run of one graph may take.
    """

    root: Path
    modes: Annotated[tuple[str, ...], Field(min_length=1)]
    cpu: str
    inputs: Annotated[int, Field(ge=1)]
    blobs: bool
    rtol: NonNegative | None = None
    timeout: Annotated[float, Field(gt=0)]


class NetworkOptions(Frozen):
    """Which network, and where its weights are.

    Attributes:
        arch: class name in the official ``lib/models/models.py``.
        network: the config, with the command line's sizes and path name put in.
        checkpoint: file with the trained weights.
        official: an official checkout to build the network from; our own definition otherwise.
        stride: what the user believes the stride to be, checked against the network.
        allow_pickle: whether a checkpoint may run code while it loads.
        arm: whether and how to run the models on the emulated ARM cpu too.
    """

    arch: str
    network: NetworkSpec
    checkpoint: Path | None
    official: Path | None = None
    stride: int | None = None
    allow_pickle: bool = False
    arm: ArmOptions | None = None


class ExportOptions(NetworkOptions):
    """Everything one export depends on; the command line builds it, the pipeline reads it.

    Attributes:
        output: folder to publish.
        formats: of the models.
        split: into which graphs; None for what the config says of each format.
        opset: of ONNX models.
        simplify: whether ONNX models go through onnxsim.
        atol, rtol: replace the config's tolerance of every output.
        seed: of the noise to compare on.
        images: pictures to compare on.
        golden: folder for golden vectors, in the export or elsewhere; None for none.
        protect_fp16: whether to switch half arithmetic off in ncnn layers that could overflow in it.
        pnnx_timeout: seconds one pnnx run may take.
    """

    checkpoint: Path
    output: Path
    formats: Annotated[tuple[Literal[FORMAT_NAMES], ...], Field(min_length=1)] = ("ncnn",)
    split: str | None = None
    opset: Annotated[int, Field(ge=SMALLEST_OPSET, le=LARGEST_OPSET)] = SMALLEST_OPSET
    simplify: bool = True
    precision: str = "fp32"
    atol: NonNegative | None = None
    rtol: NonNegative | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    images: tuple[Path, ...] = ()
    verify: bool = True
    keep_torchscript: bool = False
    golden: Path | None = None
    protect_fp16: bool = False
    pnnx_timeout: Annotated[float, Field(gt=0)] = 120.0

    def split_of(self, format: str) -> str:
        """A key of the config's ``splits``.

        Raises:
            UsageError: when the user's is none.
        """
        split = self.split or self.network.default_splits[format]
        if split not in self.network.splits:
            raise UsageError(f"--split {split}: expected one of {', '.join(self.network.splits)}")
        return split

    def tolerances(self) -> dict[str, Tolerance]:
        """Output name to tolerance, with the user's override."""
        return overridden(self.network.tolerances[self.precision], self.atol, self.rtol)


class VerifyOptions(NetworkOptions):
    """Everything one ``lt-verify`` depends on; the command line builds it, ``checkup`` reads it.

    Attributes:
        checkpoint: None for a comparison with golden vectors.
        folder: an export to verify, or None.
        loose: graph name to model file, of models without a manifest.
        search_sizes: of models without a manifest, to try in this order.
        rename: ``[graph:]blob=meaning``, of models without a manifest.
        formats: to leave the others out; all when empty.
        golden: folder of golden vectors to compare with; the export's own when None.
        write_golden: folder to write golden vectors to.
        golden_from: who computes them: the network in torch, or the emulated ARM cpu.
        dumps: folder with what a device wrote.
        layers: whether to look for the first wrong layer.
        clip, box: a video and the target's box in its first frame, ``x,y,w,h``.
        min_iou: the mean overlap of the boxes that passes.
        annotate, tracks: where to write the clip with boxes drawn, and the boxes as text.
        fp16: whether to report what half precision would do.
        reports: files to write, ``.html`` or ``.md``.
        atol, rtol, seed, images: as of an export; seed None for the export's own.
    """

    folder: Path | None = None
    loose: dict[str, Path] = {}
    search_sizes: tuple[int, ...] = ()
    rename: tuple[str, ...] = ()
    formats: tuple[Literal[FORMAT_NAMES], ...] = ()
    golden: Path | None = None
    write_golden: Path | None = None
    golden_from: Literal["torch", "ncnn-arm64"] = "torch"
    dumps: Path | None = None
    layers: bool = False
    clip: Path | None = None
    box: str | None = None
    min_iou: Annotated[float, Field(ge=0, le=1)] = 0.9
    annotate: Path | None = None
    tracks: Path | None = None
    fp16: bool = False
    reports: tuple[Path, ...] = ()
    atol: NonNegative | None = None
    rtol: NonNegative | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    images: tuple[Path, ...] = ()


def overridden(table: dict[str, Tolerance], atol: float | None, rtol: float | None) -> dict[str, Tolerance]:
    """Output name to tolerance: the table's, or one for all where the user gave one."""
    if atol is None and rtol is None:
        return dict(table)
    return dict.fromkeys(table, Tolerance(atol=atol or 0.0, rtol=rtol or 0.0))


def config_folder() -> Path:
    """The configs that come with the project: beside the packages in a checkout, inside them when installed."""
    installed = Path(__file__).parent / "configs"
    return installed if installed.is_dir() else Path(__file__).parent.parent / "configs"


def network_for(arch: str | None, config: Path | None = None, overrides: dict[str, Any] | None = None):
    """The arch to build and its config.

    Args:
        arch: class name, or None for the config's first.
        config: a YAML file whose keys replace those of the arch's own config; dicts are merged.
        overrides: top-level keys to set last, from the command line; None values are left out.

    Returns:
        (arch, NetworkSpec)

    Raises:
        ArchitectureError: for an arch that no config knows.
        UsageError: for a config that cannot be read, has an unknown key or a value that does not fit.
    """
    known = {}
    for path in sorted(config_folder().glob("*.yaml")):
        data = _read_yaml(path)
        known.update(dict.fromkeys(data["archs"], data))
    given = _read_yaml(config) if config else {}
    archs = given.get("archs") or list(known)
    if not (isinstance(archs, list) and all(isinstance(name, str) for name in archs)):
        raise UsageError(f"{config}: archs is {archs!r}, expected a list of names")
    arch = arch or archs[0]
    if arch not in archs:
        raise ArchitectureError(f"unknown arch {arch!r}, known are {', '.join(archs)}")
    flags = {key: value for key, value in (overrides or {}).items() if value is not None}
    merged = _merged(_merged(known.get(arch, {}), given), flags)
    try:
        return arch, NetworkSpec.model_validate(merged)
    except ValidationError as error:
        raise UsageError(_explained(error.errors()[0], config, flags)) from None


def _explained(error, config, flags):
    """A pydantic error in one line, under the name by which the user gave the value."""
    key = ".".join(str(part) for part in error["loc"])
    if key in flags:
        return f"--{key.replace('_', '-')} {flags[key]}: {_decapitalised(error['msg'])}"
    where = f"config {config}" if config else "config"
    if error["type"] == "extra_forbidden":
        return f"{where}: unknown key {key!r}; configs/lighttrack_mobile.yaml shows the known ones"
    if error["type"] == "missing":
        return f"{where}: key {key!r} is missing"
    if error["type"] == "value_error":
        return f"{where}: {error['msg'].removeprefix('Value error, ')}"
    return f"{where}: {key}: {_decapitalised(error['msg'])}, found {error['input']!r}"


def _decapitalised(text):
    return text[0].lower() + text[1:]


def _merged(base, given):
    merged = dict(base)
    for key, value in given.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _read_yaml(path):
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"config {path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"config {path}: not YAML, line {line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"config {path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise UsageError(f"config {path}: holds {type(data).__name__}, expected keys and values")
    return data
