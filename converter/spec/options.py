"""What the commands are asked to do: everything one export or one verification depends on."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, InstanceOf

from converter.errors import CheckpointError, UsageError
from converter.spec.choices import Place, Precision
from converter.spec.naming import Naming
from converter.spec.network import LARGEST_OPSET, SMALLEST_OPSET, NetworkSpec
from converter.spec.tensors import Frozen, NonNegative, Size, Tolerance
from converter.util.folders import near_path
from converter.util.paths import why_no_file

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, eq=False)
class NetworkInMemory:
    """A network with its weights, in place of a checkpoint; it is copied, and never changed."""

    module: "nn.Module"


class DeviceOptions(Frozen):
    """How to run ncnn models on another device; see :mod:`converter.checks.device`.

    Attributes:
        root: the folder with what runs them.
        modes: names of :data:`converter.checks.device.modes.MODES`.
        inputs: how many to run.
        blobs: whether to look for NaN and infinity in every blob.
        rtol: replaces the config's tolerances of every output.
        timeout: seconds that one run of one graph may take.
    """

    root: Path
    modes: tuple[str, ...]
    inputs: Annotated[int, Field(ge=1)]
    blobs: bool = False
    rtol: NonNegative | None = None
    timeout: Annotated[float, Field(gt=0)]


class ArmOptions(DeviceOptions):
    """On the emulated ARM cpu; see :mod:`converter.checks.arm`.

    Attributes:
        cpu: as qemu calls it.
    """

    modes: Annotated[tuple[str, ...], Field(min_length=1)]
    cpu: str


class VulkanOptions(DeviceOptions):
    """On a Vulkan device; see :mod:`converter.checks.vulkan`.

    Attributes:
        modes: none for ncnn's default on the device.
        device: its number or a part of its name; None for the first.
    """

    device: str | None = None


class RknnOptions(Frozen):
    """For which NPU, and who normalises the crops.

    Attributes:
        target: the chip, as the toolkit calls it.
        normalise: "inside": the models take pixels, uint8, NHWC; "outside": what other formats take.
    """

    target: str
    normalise: Place = "outside"


def check_checkpoint(file: Path) -> None:
    """Raises:
    CheckpointError: when it is no file.
    """
    if reason := why_no_file(file):
        reason, nearest = reason.partition(",")[0], near_path(file)
        advice = f"; did you mean {nearest}?" if nearest and not os.path.lexists(file) else ""
        if not os.path.lexists(file) and re.match(r"\w+:/", str(file)):
            reason, advice = "is an address", "; download it first"
        raise CheckpointError(f"checkpoint {file}: {reason}, expected a file written by torch.save{advice}")


class NetworkOptions(Frozen):
    """Which network, and where its weights are.

    Attributes:
        arch: class name in the official ``lib/models/models.py``.
        network: the config, with the command line's sizes and path name put in.
        checkpoint: file with the trained weights, or the network itself.
        official: an official checkout to build the network from; our own definition otherwise.
        stride: what the user believes the stride to be, checked against the network.
        allow_pickle: whether a checkpoint may run code while it loads.
        named: whether somebody says which network of its family it is, so that a supernet's weights have a subnet.
        arm, vulkan: whether and how to run the models on the emulated ARM cpu and on a Vulkan device too.
    """

    arch: str
    network: NetworkSpec
    checkpoint: Path | InstanceOf[NetworkInMemory] | None
    official: Path | None = None
    stride: int | None = None
    allow_pickle: bool = False
    named: bool = True
    arm: ArmOptions | None = None
    vulkan: VulkanOptions | None = None

    def check_checkpoint(self) -> None:
        """Raises:
        CheckpointError: when the checkpoint is no file.
        """
        if isinstance(self.checkpoint, Path):
            check_checkpoint(self.checkpoint)


class Chosen(Frozen):
    """What options, preset and config come to; see :func:`converter.spec.presets.choose`.

    Attributes:
        arch, network: as :class:`NetworkOptions`; the network at the first of the search sizes.
        preset: whose conventions these are, or None.
        formats: of the models.
        split: into which graphs; None for what the config says of each format.
        search_sizes: of the models, each with its own graphs; only the network's when empty.
        opset: of ONNX models.
        precision: of the weights in the files.
        oldest_ncnn: release that has to read ncnn models; None for today's.
        naming: of blobs and files.
        rknn: what RKNN models are for; None where nobody says for which chip.
    """

    arch: str
    network: NetworkSpec
    preset: str | None = None
    formats: Annotated[tuple[str, ...], Field(min_length=1)] = ("ncnn",)
    split: str | None = None
    search_sizes: tuple[Size, ...] = ()
    opset: Annotated[int, Field(ge=SMALLEST_OPSET, le=LARGEST_OPSET)] = SMALLEST_OPSET
    precision: Precision = "fp32"
    oldest_ncnn: str | None = None
    naming: Naming = Naming()
    rknn: RknnOptions | None = None


class ExportOptions(Chosen, NetworkOptions):
    """Everything one export depends on; the command line builds it, the pipeline reads it.

    Attributes:
        output: folder to publish.
        dynamic_search: one set of graphs for all the config's search sizes instead of those of ``search_sizes``.
        simplify: whether ONNX models go through onnxsim.
        atol, rtol: replace the config's tolerance of every output.
        seed: of the noise to compare on.
        images: pictures to compare on.
        golden: folder for golden vectors, in the export or elsewhere; None for none.
        save_checkpoint: file for the network's weights, as official code saves them; None for none.
        protect_fp16: whether to switch half arithmetic off in ncnn layers that could overflow in it.
        share_weights: whether the models of a format read their weights from one file.
        pnnx_timeout: seconds one pnnx run may take.
    """

    checkpoint: Path | InstanceOf[NetworkInMemory]
    output: Path
    dynamic_search: bool = False
    simplify: bool = True
    atol: NonNegative | None = None
    rtol: NonNegative | None = None
    seed: Annotated[int, Field(ge=0)] = 0
    images: tuple[Path, ...] = ()
    verify: bool = True
    keep_torchscript: bool = False
    golden: Path | None = None
    save_checkpoint: Path | None = None
    protect_fp16: bool = False
    share_weights: bool = False
    pnnx_timeout: Annotated[float, Field(gt=0)] = 120.0

    def split_of(self, format: str) -> str:
        """A key of the config's ``splits``.

        Raises:
            UsageError: when the user's is none.
        """
        split = self.network.default_split(format) if self.split is None else self.split
        self.network.converted(split)
        return split

    def tolerances(self, judged_as: str) -> dict[str, Tolerance]:
        """Output name to tolerance, with the user's override.

        Args:
            judged_as: a key of the config's.

        Raises:
            UsageError: when the config has none for it.
        """
        if judged_as not in self.network.tolerances:
            option = f"--precision {judged_as}" if judged_as == self.precision else f"--format {judged_as}"
            raise UsageError(f"config: tolerances has no {judged_as!r}, which {option} needs")
        return overridden(self.network.tolerances[judged_as], self.atol, self.rtol)


class VerifyOptions(NetworkOptions):
    """Everything one ``lt-verify`` depends on; the command line builds it, ``checkup`` reads it.

    Attributes:
        checkpoint: None for a comparison with golden vectors.
        folder: an export to verify, or None.
        loose: graph name to model file, of models without a manifest.
        search_sizes: of models without a manifest, to try in this order; of an export, not empty to look at the
            sizes in ``network`` only.
        rename: ``[graph:]blob=meaning``, of models without a manifest.
        formats: to leave the others out; all when empty.
        partial: whether graphs of the tracker may be missing.
        golden: folder of golden vectors to compare with; the export's own when None.
        write_golden: folder to write golden vectors to.
        golden_from: who computes them: "torch", the network itself, or the runtime of a device.
        dumps: folder with what a device wrote.
        layers: whether to look for the first wrong layer.
        clip, box: a video and the target's box in its first frame, ``x,y,w,h``.
        min_iou: the mean overlap of the boxes of one step that passes; None for the config's of the precision.
        annotate, tracks: where to write the clip with boxes drawn, and the boxes as text.
        fp16: whether to report what half precision would do.
        reports: files to write, ``.html`` or ``.md``.
        command_line: what asked for them, as a shell reads it, for the reports; empty when Python did.
        atol, rtol, seed, images: as of an export; seed None for the export's own.
    """

    folder: Path | None = None
    loose: dict[str, Path] = Field(default_factory=dict)
    search_sizes: tuple[int, ...] = ()
    rename: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    partial: bool = False
    golden: Path | None = None
    write_golden: Path | None = None
    golden_from: str = "torch"
    dumps: Path | None = None
    layers: bool = False
    clip: Path | None = None
    box: str | None = None
    min_iou: Annotated[float, Field(ge=0, le=1)] | None = None
    annotate: Path | None = None
    tracks: Path | None = None
    fp16: bool = False
    reports: tuple[Path, ...] = ()
    command_line: str = ""
    atol: NonNegative | None = None
    rtol: NonNegative | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    images: tuple[Path, ...] = ()


def overridden(table: dict[str, Tolerance], atol: float | None, rtol: float | None) -> dict[str, Tolerance]:
    """Output name to tolerance: the table's, or one for all where the user gave one."""
    if atol is None and rtol is None:
        return dict(table)
    return dict.fromkeys(table, Tolerance(atol=atol or 0.0, rtol=rtol or 0.0))
