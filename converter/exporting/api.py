"""export() of :mod:`converter.api`: from arguments to :class:`ExportOptions`, and the pipeline."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from converter.errors import UsageError, VerificationError
from converter.families.choice import is_named, official_root, path_name_of
from converter.formats.format import checked_formats, default_splits, formats_of_halves
from converter.network.settled import settled
from converter.spec.arguments import AnyPath, finite, path_of, paths_of, refused_values, texts_of, weights_of
from converter.spec.choices import PLACES, Exportable, Place, exported_precision, one_of
from converter.spec.default_folder import Asked, default_folder
from converter.spec.options import ArmOptions, ExportOptions
from converter.spec.presets import Wanted, choose, load_preset
from converter.spec.scores import asked_scores
from converter.util.stages import Listener

if TYPE_CHECKING:
    from torch import nn

    from converter.exporting.made import Exported


def export(
    checkpoint: "AnyPath | nn.Module",
    output: AnyPath | None = None,
    *,
    arch: str | None = None,
    path_name: str | None = None,
    head_blocks: int | None = None,
    template_size: int | None = None,
    search_size: int | Sequence[int] = (),
    dynamic_search: bool = False,
    stride: int | None = None,
    masks: bool = False,
    official: AnyPath | None = None,
    config: AnyPath | None = None,
    allow_pickle: bool = False,
    preset: str | None = None,
    formats: str | Sequence[str] = (),
    split: str | None = None,
    opset: int | None = None,
    simplify: bool = True,
    sigmoid: bool | None = None,
    softmax: bool | None = None,
    precision: Exportable | None = None,
    target: str | None = None,
    normalise: Place | None = None,
    oldest_ncnn: str | None = None,
    rename: Mapping[str, str] | Sequence[str] = (),
    protect_fp16: bool = False,
    share_weights: bool = False,
    verify: bool = True,
    images: AnyPath | Sequence[AnyPath] = (),
    seed: int = 0,
    atol: float | None = None,
    rtol: float | None = None,
    golden: AnyPath | None = None,
    save_checkpoint: AnyPath | None = None,
    keep_torchscript: bool = False,
    arm: ArmOptions | None = None,
    pnnx_timeout: float = 120.0,
    progress: Listener | None = None,
) -> "Exported":
    """Convert a trained network to ncnn, ONNX or RKNN models, prove that they answer as it does, and publish them.

    Args:
        checkpoint: a file, or the network in memory, official or our own definition. A network is copied and stays as
            it is, train mode and all.
        output: folder to publish (default: ``exports/<arch>``, and behind it whatever was asked for that makes other
            models, as docs/messages.md says).
        arch: of the network (default: that of the weights in the file).
        path_name, head_blocks, template_size, stride, masks, official, config: which network; ``path_name`` of a
            supernet's checkpoint, which subnet.
        search_size: pixels; several give models for each.
        dynamic_search: one model for every search size.
        allow_pickle: read checkpoints that run code while they load.
        preset: the conventions of a known consumer; arguments beside it win.
        formats: "ncnn" (default), "onnx" or both; or "rknn".
        split: into which graphs: "two", "three", "one".
        opset, simplify: of ONNX models.
        sigmoid, softmax: whether cls is a probability, by the function that the network's logits take.
        precision: of the stored weights: "fp32", "half", or "w8", a byte each (default: "fp32", for RKNN "half").
        target: the chip that RKNN models are for, "rk3588" for example.
        normalise: whether they normalise pixels themselves ("inside") or take normalised crops ("outside", default).
        oldest_ncnn: release of the oldest ncnn that is to read the models.
        rename: {tensor or graph:tensor: what to call it}.
        protect_fp16: switch half arithmetic off in ncnn layers that could overflow in it.
        share_weights: let the models of a format read one weights file.
        verify: False publishes without proof; the result is then false.
        images, seed: pictures, and the seed of the noise, to compare on.
        atol, rtol: tolerances of every output, instead of the config's.
        golden: folder for golden vectors.
        save_checkpoint: file for the network's weights, as official code saves them, of a supernet the subnet's.
        keep_torchscript: publish the traced files too.
        arm: run the ncnn models on an emulated ARM cpu too, as :func:`arm_options` says.
        pnnx_timeout: seconds that one run of pnnx may take.
        progress: a function that takes lines, such as ``print``, or a :class:`Progress`.

    Returns:
        true when it was verified; ``manifest``, ``report`` and ``max_of_range`` have the figures.

    Raises:
        VerificationError: when the models do not answer as the network does; ``report`` has the figures.
        ConverterError: another of its kinds when something failed. An earlier export stays as it was.
    """
    from converter.exporting.check import checked_plan
    from converter.exporting.pipeline import export as run

    checked_precision = exported_precision(precision)
    one_of("--normalise", normalise, PLACES)
    weights, yaml = weights_of(checkpoint), path_of(config)
    formats = checked_formats(formats)
    if preset is not None:
        load_preset(preset)

    def asked(arch: str | None) -> ExportOptions:
        wanted = Wanted(
            preset=preset,
            arch=arch,
            config=yaml,
            path_name=path_name_of(arch, yaml, path_name, head_blocks),
            template_size=template_size,
            search_sizes=(search_size,) if isinstance(search_size, int) else tuple(search_size),
            formats=formats,
            split=split,
            opset=opset,
            scores=asked_scores(sigmoid=sigmoid, softmax=softmax),
            precision=checked_precision,
            oldest_ncnn=oldest_ncnn,
            masks=masks,
            renames=texts_of(rename),
            default_splits=default_splits(),
            of_halves=formats_of_halves(),
            target=target,
            normalise=normalise,
        )
        chosen = choose(wanted)
        if not {"onnx", "rknn"} & {*chosen.formats} and (opset is not None or not simplify):
            raise UsageError(
                f"{'--no-simplify' if opset is None else '--opset'} is about ONNX models; add --format onnx"
            )
        for option, value in (("--target", target), ("--normalise", normalise)):
            if value is not None and "rknn" not in chosen.formats:
                raise UsageError(f"{option} is about RKNN models; add --format rknn")
        if "ncnn" not in chosen.formats and oldest_ncnn is not None:
            raise UsageError("--oldest-ncnn is about ncnn models; add --format ncnn")
        more = Asked(dynamic_search, simplify, protect_fp16, share_weights)
        with refused_values():
            return ExportOptions(
                **dict(chosen),
                checkpoint=weights,
                named=is_named(path_name, yaml),
                output=path_of(output) or default_folder(wanted, chosen, more),
                official=official_root(path_of(official), chosen.network, weights),
                dynamic_search=dynamic_search,
                simplify=simplify,
                stride=stride,
                atol=finite("--atol", atol),
                rtol=finite("--rtol", rtol),
                seed=seed,
                images=paths_of(images),
                verify=verify,
                allow_pickle=allow_pickle,
                keep_torchscript=keep_torchscript,
                golden=path_of(golden),
                save_checkpoint=path_of(save_checkpoint),
                protect_fp16=protect_fp16,
                share_weights=share_weights,
                arm=arm,
                pnnx_timeout=pnnx_timeout,
            )

    arch, read = settled(arch, yaml, weights, allow_pickle, progress, lambda arch: checked_plan(asked(arch)))
    options = asked(arch)
    try:
        return run(options, progress, read)
    except VerificationError as error:
        error.options = options
        raise
