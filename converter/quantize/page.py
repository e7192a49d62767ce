"""A search for people: the table, the picture of its front, what hurts; in the terminal and as a page."""

from collections.abc import Iterator, Sequence

from converter.quantize.options import QuantizeOptions
from converter.quantize.result import Point, QuantizeResult
from converter.quantize.whole import OnClip
from converter.report.blocks import (
    BAD,
    NOTE,
    OK,
    Block,
    Charts,
    Points,
    Report,
    Row,
    Section,
    Table,
    Text,
    columns,
)
from converter.report.charts import Dot, scatter
from converter.report.charts.parts import NARROW, WIDE
from converter.report.text import NOTHING, count, listed, milliseconds, overlap, percent

BYTES, OVERLAP = "MB", "overlap in one step, the clip with the least"
TITLES = (
    *("Models", ">MB", ">In int8", ">Update, ms", ">Init, ms", ">One step", ">Smallest", ">Free running"),
    *("Pareto", "Verdict"),
)


def sentence(result: QuantizeResult) -> str:
    """The outcome in a line."""
    point = result.published
    if point is None:
        return f"Refused: {result.refusal}."
    return (
        f"{point.name} of {result.arch} in {result.format}: {point.bytes / 1e6:.2f} MB, {percent(point.share)} of a "
        f"frame's multiply-adds in int8, overlap {overlap(point.mean)} or more in one step on every clip ("
        f"{result.judged}); in {result.folder}."
    )


def section_of(result: QuantizeResult, drawn: bool = False) -> Section:
    """Everything that there is to say.

    Args:
        drawn: with the picture of the front.
    """
    state = OK if result else BAD
    return Section("int8", "int8 where it pays", state, sentence(result), tuple(_blocks(result, drawn)), folded=False)


def report_of(result: QuantizeResult, options: QuantizeOptions, written: str) -> Report:
    """The section as a page of its own.

    Args:
        written: when.
    """
    return Report(
        title=f"int8 models of {result.arch} in {result.folder}",
        passed=bool(result),
        verdict="Published" if result else "Refused",
        sentence=sentence(result),
        problems=[result.refusal] if result.refusal else [],
        not_checked=(),
        facts=[
            ("Models", str(result.folder)),
            ("Network", result.arch),
            ("Format", result.format),
            ("Clips", listed(each.name for each in result.kept)),
            ("Judged", result.judged),
        ],
        sections=(section_of(result, drawn=True),),
        written=written,
        sign_off=False,
        command_line=options.command_line,
        warnings=[f"{name} was left out: {reason}" for name, reason in result.dropped.items()],
    )


def _blocks(result: QuantizeResult, drawn: bool) -> Iterator[Block]:
    if result.points:
        yield Table(columns(*TITLES), tuple(_row(point, result.chosen) for point in result.points), _about(result))
    if drawn and (dots := dots_of(result)):
        about = f"{count(len(dots), 'model')}; those of the Pareto front are larger"
        pair = tuple(scatter(f"int8-{kind}", BYTES, OVERLAP, dots, width, about) for kind, width in _WIDTHS)
        yield Charts((pair,))
    yield Points(tuple(_clips(result)))
    if result.hurting:
        rows = tuple(
            Row((each.block, str(len(each.layers)), f"{each.rise:+.4f}", ", ".join(each.layers)))
            for each in result.hurting
        )
        titles = columns("Block", ">Layers", ">Overlap", "Names")
        yield Table(titles, rows, "What hurts most: the mean overlap in one step when a block alone is in float.")
    failures = [
        f"{each.name}: {failure}"
        for each in result.points
        if each.whole is not None
        for failure in each.whole.failures()
    ]
    failures += [f"found by the search, but could not be made: {reason}" for reason in result.unwritten]
    if failures:
        yield Points(tuple(failures), NOTE)
    yield Text(
        f"{count(result.tried, 'setting')} tried, {result.known} of them known from a run before; what was measured is "
        f"in {result.workplace}."
    )


_WIDTHS = (("wide", WIDE), ("narrow", NARROW))


def dots_of(result: QuantizeResult) -> list[Dot]:
    """Bytes and overlap of all models that were judged whole, and of what the search looked at and nothing beats."""
    dots = [
        Dot(point.bytes / 1e6, point.mean, f"{point.name}: {_figures(point)}", point.front, point.name)
        for point in result.points
    ]
    tried = [
        Dot(
            each.measured.bytes / 1e6,
            min(each.measured.means),
            f"tried: {each.measured.bytes / 1e6:.2f} MB, {percent(each.share)} in int8, {min(each.measured.means):.4f}",
        )
        for each in result.front
    ]
    return [*tried, *dots]


def _figures(point: Point) -> str:
    return f"{point.bytes / 1e6:.2f} MB, {percent(point.share)} in int8, {overlap(point.mean)}"


def _row(point: Point, chosen: str) -> Row:
    latency = point.latency
    smallest = [each.smallest for each in point.clips if each.smallest is not None]
    cells = (
        point.name,
        f"{point.bytes / 1e6:.2f}",
        percent(point.share) if point.share else NOTHING,
        milliseconds(latency.update if latency else None),
        milliseconds(latency.init if latency else None),
        overlap(point.mean),
        overlap(min(smallest, default=None)),
        _free(point.clips),
        "yes" if point.front else "",
        _verdict(point, chosen),
    )
    return Row(cells, "" if point.whole is None else OK if point.whole else BAD)


def _verdict(point: Point, chosen: str) -> str:
    if point.whole is None:
        return NOTHING
    if not point.whole:
        return "refused"
    return "published" if point.name == chosen else "passed"


def _free(clips: Sequence[OnClip]) -> str:
    """The mean and its floor, of the clip where it is furthest below."""
    known = [(each.free - each.floor, each.free, each.floor) for each in clips if each.free is not None and each.floor]
    if not known:
        return NOTHING
    _, free, floor = min(known)
    return f"{overlap(free)} of {overlap(floor)}"


def _about(result: QuantizeResult) -> str:
    names = listed(each.name for each in result.kept)
    return (
        f"On {names}; {result.judged}: the mean and the smallest overlap with the network's boxes in one step, on the "
        "clip where it is least, and free running beside its floor where it was judged. int8 models passed with the "
        "calibration of all clips, and their set of layers on each clip with that of the others."
    )


def _clips(result: QuantizeResult) -> Iterator[str]:
    for name, reason in result.dropped.items():
        yield f"{name} was left out: {reason}"
    for point in result.points:
        if point.whole is not None:
            for on, of_clips in (("all clips", point.whole.of_all), ("the others", point.whole.left_out)):
                for each in of_clips:
                    yield (
                        f"{point.name} calibrated on {on}, on {each.clip}: one step {overlap(each.mean)}, smallest "
                        f"{overlap(each.smallest)}, free running {overlap(each.free)}, floor {overlap(each.floor)}"
                    )
