"""verify() of :mod:`converter.api`: from arguments to :class:`VerifyOptions`, and the checks."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from converter.checks.arm import ARM
from converter.checks.device.asked import golden_source
from converter.checks.vulkan import VULKAN
from converter.families.choice import check_official, is_named, official_root
from converter.formats.format import checked_formats
from converter.network.settled import settled
from converter.spec.arguments import AnyPath, finite, path_of, paths_of, refused_values, texts_of, weights_of
from converter.spec.options import ArmOptions, VerifyOptions, VulkanOptions
from converter.spec.scores import asked_scores
from converter.util.stages import Listener
from converter.verifying.asked import check_models, network_of, search_sizes

if TYPE_CHECKING:
    from torch import nn

    from converter.verifying.result import VerifyResult


def verify(
    folder: AnyPath | None = None,
    checkpoint: "AnyPath | nn.Module | None" = None,
    *,
    models: Mapping[str, AnyPath] | None = None,
    rename: Mapping[str, str] | Sequence[str] = (),
    formats: str | Sequence[str] = (),
    partial: bool = False,
    arch: str | None = None,
    path_name: str | None = None,
    template_size: int | None = None,
    search_size: int | None = None,
    sigmoid: bool | None = None,
    softmax: bool | None = None,
    masks: bool = False,
    official: AnyPath | None = None,
    config: AnyPath | None = None,
    allow_pickle: bool = False,
    images: AnyPath | Sequence[AnyPath] = (),
    seed: int | None = None,
    atol: float | None = None,
    rtol: float | None = None,
    layers: bool = False,
    clip: AnyPath | None = None,
    box: str | Sequence[float] | None = None,
    min_iou: float | None = None,
    annotate: AnyPath | None = None,
    tracks: AnyPath | None = None,
    dumps: AnyPath | None = None,
    fp16_report: bool = False,
    arm: ArmOptions | None = None,
    vulkan: VulkanOptions | None = None,
    golden: AnyPath | None = None,
    write_golden: AnyPath | None = None,
    golden_from: str = "torch",
    reports: AnyPath | Sequence[AnyPath] = (),
    progress: Listener | None = None,
    command_line: str = "",
) -> "VerifyResult":
    """Prove that converted models are the tracker that was trained.

    Args:
        folder: an export; or pass ``models``.
        checkpoint: a file, or the network in memory; golden vectors are the reference without one.
        models: graph ("init", "update", "backbone", "neck_head") to file, of models without a manifest.
        rename: {blob or graph:blob: what it is}, of models without a manifest.
        formats: of an export, to leave the others out.
        partial: pass although graphs of the tracker are missing.
        arch, path_name, template_size, search_size, sigmoid, softmax, masks, official, config: which network; an
            export says so itself.
        allow_pickle, images, seed, atol, rtol, progress: as for :func:`export`; the export's own by default.
        layers: find the first wrong layer.
        clip, box, min_iou: track a video or a folder of pictures from x, y, width, height in its first frame; the
            mean overlap of one step that passes, the config's by default.
        annotate, tracks: where to draw the clip, and to write its boxes.
        dumps: folder with what a device wrote.
        fp16_report: ranges and errors to expect in half precision.
        arm: run the ncnn models on an emulated ARM cpu too, as :func:`arm_options` says.
        vulkan: likewise on a Vulkan device, as :func:`vulkan_options` says.
        golden: folder of golden vectors to compare with.
        write_golden, golden_from: folder to write some to; who computes them, "torch", "ncnn-arm64" or "ncnn-vulkan".
        reports, command_line: pages to write, .html or .md; and the call that they name, where a shell made it.

    Returns:
        false when anything failed: ``assert verify(…)``, or call ``raise_if_failed()``. ``problems`` says what;
        ``verification`` and ``max_of_range`` have the figures, ``checks`` what was asked for besides.

    Raises:
        VerificationError: for a manifest or golden vectors that are damaged or of another network.
        ConverterError: another of its kinds when it could not be verified.
    """
    from converter.verifying.checkup import check, check_options

    export, weights = path_of(folder), None if checkpoint is None else weights_of(checkpoint)
    loose = {graph: path for graph, file in (models or {}).items() if (path := path_of(file))}
    named, wanted = texts_of(rename), checked_formats(formats)
    check_models(export, loose, named, wanted)
    check_official(path_of(official), checkpoint)
    scores = asked_scores(sigmoid=sigmoid, softmax=softmax)
    flags = {"path_name": path_name, "template_size": template_size, "search_size": search_size}

    def asked(arch: str | None) -> VerifyOptions:
        name, network = network_of(export, arch, path_of(config), flags, scores, masks)
        with refused_values():
            return VerifyOptions(
                arch=name,
                network=network,
                checkpoint=weights,
                official=official_root(path_of(official), network, weights),
                allow_pickle=allow_pickle,
                named=export is not None or is_named(path_name, path_of(config)),
                arm=arm,
                vulkan=vulkan,
                folder=export,
                loose=loose,
                search_sizes=search_sizes(export, network, template_size, search_size),
                rename=named,
                formats=wanted,
                partial=partial,
                command_line=command_line,
                golden=path_of(golden),
                write_golden=path_of(write_golden),
                golden_from=golden_source(golden_from, write_golden is not None, {ARM: arm, VULKAN: vulkan}),
                dumps=path_of(dumps),
                layers=layers,
                clip=path_of(clip),
                box=box if box is None or isinstance(box, str) else ",".join(map(str, box)),
                min_iou=min_iou,
                annotate=path_of(annotate),
                tracks=path_of(tracks),
                fp16=fp16_report,
                reports=paths_of(reports),
                images=paths_of(images),
                seed=seed,
                atol=finite("--atol", atol),
                rtol=finite("--rtol", rtol),
            )

    read = None
    if export is None:
        arch, read = settled(
            arch, path_of(config), weights, allow_pickle, progress, lambda arch: check_options(asked(arch))
        )
    return check(asked(arch), progress, read)
