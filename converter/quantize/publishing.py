"""The smallest models that pass as an export folder, or why there is none."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import VerificationError
from converter.exporting.fitted import Fitted
from converter.exporting.pipeline import export
from converter.folder.manifest import Int8Entry
from converter.quantize.judging import Judge
from converter.quantize.options import QuantizeOptions
from converter.quantize.result import Point, QuantizeResult
from converter.report.text import count, error
from converter.util.atomic import write
from converter.util.stages import Stages

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint


def published(
    options: QuantizeOptions,
    result: QuantizeResult,
    judge: Judge,
    checkpoint: "Checkpoint | None",
    stages: Stages,
) -> QuantizeResult:
    """Publish the smallest point that passes; where its outputs do not pass the proof, the next.

    Args:
        result: with its points.

    Raises:
        ConverterError: when it cannot be written.
    """
    refused: list[str] = []
    for point in result.points:
        if not point.whole:
            continue
        try:
            exported = export(options.int8, stages.progress, checkpoint, _fitted(options, point, result, judge))
        except VerificationError as error:
            refused.append(f"{point.name}: {error}")
        else:
            return replace(result, chosen=point.name, manifest=exported.manifest)
    return replace(result, refusal=_refusal(result, refused))


def _refusal(result: QuantizeResult, refused: Sequence[str]) -> str:
    """In a line."""
    judged = [point for point in result.points if point.setting]
    reasons = list(refused)
    if judged and not reasons:
        best = max(
            judged, key=lambda point: (-len(point.whole.failures()) if point.whole is not None else 0, point.mean)
        )
        reasons = [] if best.whole is None else [f"{best.name}: {'; '.join(best.whole.failures())}"]
    if not reasons:
        reasons = list(dict.fromkeys(result.unwritten))[:1]
    if not reasons:
        reasons = [f"none of {count(result.tried, 'setting')} passes on the frames that were looked at"]
    hurting = f"; what hurts most: {', '.join(each.block for each in result.hurting[:3])}" if result.hurting else ""
    return f"no int8 {result.format} model of {result.arch} tracks as the network does: {'; '.join(reasons)}{hurting}"


def _fitted(options: QuantizeOptions, point: Point, result: QuantizeResult, judge: Judge) -> Fitted:
    """What is published: the very bytes that were judged."""
    assert point.setting is not None
    assert point.whole is not None
    setting, verdict = point.setting, point.whole
    layers = judge.trials.layers(setting)

    def written(folder: Path) -> Sequence[Path]:
        judge.judged.models[setting].write(folder)
        _prove(judge, layers, folder)
        return _tables(judge, layers, folder)

    about = Int8Entry(
        layers=tuple(layers),
        corrected=setting.corrected,
        share=round(point.share, 6),
        seed=options.seed,
        samples=sum(len(clip.samples) for clip in judge.clips),
        clips=result.kept,
        judged=result.judged,
    )
    figures = [
        {**each.as_dict(), "calibrated_on": on}
        for on, of_clips in (("all clips", verdict.of_all), ("the other clips", verdict.left_out))
        for each in of_clips
    ]
    return Fitted(written, about, tuple(figures))


def _prove(judge: Judge, layers: Sequence[str], folder: Path) -> None:
    """Hold every int8 layer against whole numbers.

    Raises:
        VerificationError: naming the first that computes something else.
    """
    for proof in judge.trials.quantisers.of_all.prove(layers, folder):
        if not proof:
            raise VerificationError(
                f"{proof.name} in int8 is off by {error(proof.difference)} of its peak from the same in whole numbers, "
                f"expected {error(proof.tolerance)} or less"
            )


def _tables(judge: Judge, layers: Sequence[str], folder: Path) -> list[Path]:
    """What other tools make the same models with."""
    texts = judge.trials.quantisers.of_all.beside(layers)
    for name, text in texts.items():
        write(folder / name, text.encode())
    return [folder / name for name in texts]
