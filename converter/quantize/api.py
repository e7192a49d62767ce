"""quantize() of :mod:`converter.api`: from arguments to :class:`QuantizeOptions`, and the search."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converter.bench.picture import check_picture
from converter.calibrate.clips import opened_clips
from converter.errors import UsageError
from converter.families.choice import is_named, official_root, path_name_of
from converter.folder.workspace import check_target
from converter.formats.format import check_dependencies, checked_formats, default_splits, format_names, format_of
from converter.network.settled import settled
from converter.quantize.options import (
    FEWEST_CLIPS,
    FRAMES,
    MOST_FRAMES,
    MOST_SAMPLES,
    SAMPLES,
    QuantizeOptions,
    workplace_of,
)
from converter.spec.arguments import AnyPath, expanded, path_of, paths_of, refused_values, weights_of
from converter.spec.choices import EXPORTED, INT8, PLACES, Exportable, Place, Precision, one_of
from converter.spec.network import SMALLEST_OPSET_OF_BYTES
from converter.spec.options import ExportOptions
from converter.spec.presets import Wanted, choose
from converter.util.stages import Listener

if TYPE_CHECKING:
    from torch import nn

    from converter.quantize.result import QuantizeResult


def quantize(
    checkpoint: "AnyPath | nn.Module",
    output: AnyPath | None = None,
    *,
    clip: AnyPath | Sequence[AnyPath] = (),
    box: str | Sequence[str] = (),
    formats: str = "ncnn",
    samples: int = SAMPLES,
    frames: int = FRAMES,
    seed: int = 0,
    arch: str | None = None,
    path_name: str | None = None,
    head_blocks: int | None = None,
    template_size: int | None = None,
    search_size: int | None = None,
    masks: bool = False,
    target: str | None = None,
    normalise: Place | None = None,
    official: AnyPath | None = None,
    config: AnyPath | None = None,
    allow_pickle: bool = False,
    plot: AnyPath | None = None,
    reports: AnyPath | Sequence[AnyPath] = (),
    command_line: str = "",
    progress: Listener | None = None,
) -> "QuantizeResult":
    """Find which blocks of a tracker may compute in int8, prove it on clips, and publish the smallest that track.

    Args:
        checkpoint: a file, or the network in memory.
        output: folder to publish. Beside it, in a folder with ``.search`` behind its name, the search keeps what it has
            measured, and goes on from there.
        clip: two or more videos or folders of pictures; each is judged with models calibrated on the others.
        box: for each clip x,y,w,h of the target in its first frame, as a text.
        formats: "ncnn", "onnx" or "rknn", one of them.
        samples: to calibrate on, of all clips together.
        frames: of each clip that the search looks at; what it finds is judged on all, RKNN models on these.
        seed: of the samples.
        arch, path_name, head_blocks, template_size, search_size, masks, official, config: which network.
        target, normalise: of RKNN models, as for :func:`export`.
        allow_pickle: read checkpoints that run code while they load.
        plot: a picture to draw, ``.png`` or ``.svg``.
        reports: pages to write, ``.html`` or ``.md``.
        command_line: that asked for them.
        progress: as for :func:`export`.

    Returns:
        true when models were published; false where none was found that tracks, with what hurts most.

    Raises:
        UsageError: when fewer than two clips can be used.
        ConverterError: another of its kinds when something cannot be read, run or written.
    """
    weights, yaml = weights_of(checkpoint), path_of(config)
    (name,) = checked_formats(formats) or ("ncnn",)
    form = format_of(name)
    if form.quantiser is None:
        able = " or ".join(other for other in format_names() if format_of(other).quantiser)
        raise UsageError(f"--format {name}: nothing here makes int8 models of it, expected {able}")
    for option, value, most in (("--samples", samples, MOST_SAMPLES), ("--frames", frames, MOST_FRAMES)):
        if not 1 <= value <= most:
            raise UsageError(f"{option} {value}: expected 1 to {most}")
    if output is None:
        raise UsageError("--output is missing, the folder to publish; pass -o DIR")
    folder, pages, picture = expanded(output), paths_of(reports), path_of(plot)
    check_target(folder)
    _check_results(folder, pages, picture)
    clips = paths_of(clip)
    if len(clips) < FEWEST_CLIPS:
        raise UsageError(
            f"{len(clips)} of --clip: expected {FEWEST_CLIPS} or more, for each is judged with models that were "
            "calibrated on the others; pass --clip FILE --box x,y,w,h for each"
        )
    one_of("--normalise", normalise, PLACES)
    for option, given in (("--target", target), ("--normalise", normalise)):
        if given is not None and name != "rknn":
            raise UsageError(f"{option} is about RKNN models; add --format rknn")
    opened = opened_clips(clips, box)

    def asked(arch: str | None, precision: Exportable) -> ExportOptions:
        wanted = Wanted(
            arch=arch,
            config=yaml,
            path_name=path_name_of(arch, yaml, path_name, head_blocks),
            template_size=template_size,
            search_sizes=() if search_size is None else (search_size,),
            formats=(name,),
            precision=precision,
            masks=masks,
            default_splits=default_splits(),
            opset=SMALLEST_OPSET_OF_BYTES if form.halves else None,
            target=target,
            normalise=normalise,
        )
        chosen = choose(wanted)
        with refused_values():
            return ExportOptions(
                **dict(chosen),
                checkpoint=weights,
                named=is_named(path_name, yaml),
                output=folder,
                official=official_root(path_of(official), chosen.network, weights),
                seed=seed,
                allow_pickle=allow_pickle,
            )

    arch, read = settled(arch, yaml, weights, allow_pickle, progress)
    made: tuple[Exportable, ...] = ("half",) if form.halves else EXPORTED
    exports: dict[Precision, ExportOptions] = {precision: asked(arch, precision) for precision in made}
    last = exports[made[-1]]  # int8 models are made of the first, with the same operators
    exports[made[0]] = exports[made[0]].model_copy(update={"opset": last.opset})
    exports[INT8] = last.model_copy(update={"precision": INT8})
    options = QuantizeOptions(
        exports=exports,
        clips=opened,
        output=folder,
        samples=samples,
        frames=frames,
        seed=seed,
        plot=picture,
        reports=pages,
        command_line=command_line,
    )
    form.check(options.int8)
    check_dependencies(options.int8)
    options.int8.check_checkpoint()
    from converter.quantize.run import quantize as run
    from converter.quantize.writing import write_pages

    result = run(options, progress, read)
    write_pages(options, result)
    return result


def _check_results(target: Path, pages: Sequence[Path], picture: Path | None) -> None:
    """Refuse what could not be written, before any work is done."""
    from converter.quantize.workplace import check_workplace

    check_workplace(workplace_of(target))
    if pages:
        from converter.report.writing import check_report_path

        for path in pages:
            check_report_path(path)
    if picture:
        from converter.quantize.plot import MARK

        check_picture(picture, MARK)
