"""A graph's layers in the order of its file, each filled and coloured by its error, and what reads what."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from converter.report.blocks import Graph, Node
from converter.report.charts.parts import NARROW, SMALL, WIDE, name_of, small
from converter.report.levels import ALL_LEVELS, FIRST_WRONG, UNMATCHED, Level, level_of, levels_in
from converter.report.svg import BOLD, CHARACTER, drawing, element, shortened
from converter.report.text import count

_ARC = 16  # height of a line over the layers that it passes
_SAMPLE = 12

Corner = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Rows of layers, from left to right and back again, so that neighbours stay neighbours.

    Attributes:
        width: of the drawing.
        side: of a layer.
        pitch: from one layer to the next.
        top: of the first row.
        height: of a row.
    """

    width: int
    side: int
    pitch: int
    top: float
    height: int

    @property
    def per_row(self) -> int:
        return (self.width - 16) // self.pitch

    def row(self, place: int) -> int:
        return place // self.per_row

    def corner(self, place: int) -> Corner:
        """Left and upper edge of a layer."""
        row, column = divmod(place, self.per_row)
        column = column if row % 2 == 0 else self.per_row - 1 - column
        left = (self.width - self.per_row * self.pitch + self.pitch - self.side) // 2
        return left + column * self.pitch, self.top + row * self.height + _ARC + 2

    def centre(self, place: int) -> Corner:
        x, y = self.corner(place)
        return x + self.side / 2, y + self.side / 2


def layer_graph(graph: Graph) -> tuple[str, ...]:
    """The drawing for wide screens, whose layers say their figures when pointed at, and that for phones."""
    drawings = []
    for name, width, side, pitch, height in (("w", WIDE, 26, 45, 62), ("n", NARROW, 16, 23, 46)):
        legend, top = _legend(graph, width)
        layout = Layout(width, side, pitch, top, height)
        rows = layout.row(max(0, len(graph.nodes) - 1)) + 1
        parts = [name_of(graph.title, width), *legend, _links(graph.nodes, layout)]
        parts += _layers(graph.nodes, layout, titles=name == "w")
        parts += _wrong(graph.nodes, layout)
        size = width, top + rows * height + 4
        drawings.append(drawing(f"{graph.key}-{name}", graph.title, _about(graph), *size, parts))
    return tuple(drawings)


def _about(graph: Graph) -> str:
    levels = [level_of(node) for node in graph.nodes]
    numbers = [f"{levels.count(level)} {level.words}" for level in levels_in(graph)]
    wrong = [f"{FIRST_WRONG} is {node.name}" for node in graph.nodes if node.first_wrong]
    layers = count(len(levels), "layer")
    return f"{layers} in the order of the file, by the share of the tolerance: {'; '.join([*numbers, *wrong])}."


def _legend(graph: Graph, width: float) -> tuple[list[str], float]:
    """Samples with their words, in rows as the width allows; and where the graph begins."""
    x, y = 8.0, 36.0
    parts: list[str] = []
    for level in levels_in(graph):
        wide = _SAMPLE + 5 + len(level.words) * SMALL * CHARACTER + 12
        if x > 8 and x + wide > width:
            x, y = 8.0, y + 18
        corner = x, y - _SAMPLE + 2
        parts += [*_filled(level, [corner], _SAMPLE), _outline(level, [corner], _SAMPLE)]
        parts.append(small(level.words, x + _SAMPLE + 5, y))
        x += wide
    return parts, y + 10


def _layers(nodes: Sequence[Node], layout: Layout, titles: bool) -> Iterator[str]:
    """Few elements, since there are hundreds of layers: one a level, and one a layer where each has a title."""
    corners: dict[Level, list[Corner]] = {}
    for place, node in enumerate(nodes):
        corners.setdefault(level_of(node), []).append(layout.corner(place))
    everywhere = [corner for places in corners.values() for corner in places]
    yield element("path", d=_boxes(everywhere, layout.side, layout.side), class_="paper")
    for level, places in corners.items():
        yield from _filled(level, places, layout.side)
        if not titles:
            yield _outline(level, places, layout.side)
    for place, node in enumerate(nodes):
        x, y = layout.corner(place)
        if titles:
            title = element("title", escape(f"{place + 1} {node.name}: {node.about}"))
            yield _outline(level_of(node), [(x, y)], layout.side, title)
        if titles or place % layout.per_row == 0 or place == len(nodes) - 1:
            yield element("text", str(place + 1), x=x + layout.side / 2, y=y + layout.side + 12, class_="n")


def _filled(level: Level, corners: Sequence[Corner], side: float) -> Iterator[str]:
    """Fuller with the error, and crossed beyond the tolerance: colour alone says nothing."""
    number, tall = ALL_LEVELS.index(level), side * level.filled
    if level.filled:
        yield element("path", d=_boxes([(x, y + side - tall) for x, y in corners], side, tall), class_=f"l{number}")
    if level.beyond:
        inner, start = side * 0.5, side * 0.25
        cross = f"l{inner:.0f} {inner:.0f}m0 {-inner:.0f}l{-inner:.0f} {inner:.0f}"
        path = "".join(f"M{x + start:.1f} {y + start:.1f}{cross}" for x, y in corners)
        yield element("path", d=path, class_=f"x{number}")


def _outline(level: Level, corners: Sequence[Corner], side: float, title: str = "") -> str:
    kind = "box none" if level is UNMATCHED else "box"
    return element("path", title, d=_boxes(corners, side, side), class_=kind)


def _boxes(corners: Sequence[Corner], width: float, height: float) -> str:
    return "".join(f"M{x:.0f} {y:.1f}h{width:.0f}v{height:.1f}h{-width:.0f}z" for x, y in corners).replace(".0", "")


def _links(nodes: Sequence[Node], layout: Layout) -> str:
    """Straight to a neighbour, over the layers between in the same row, and straight to another row."""
    parts = []
    for place, node in enumerate(nodes):
        for read in node.reads:
            (x1, y1), (x2, y2) = layout.centre(read), layout.centre(place)
            if layout.row(read) == layout.row(place) and abs(place - read) > 1:
                up = y1 - layout.side / 2
                parts.append(f"M{x1:.0f} {up:.0f}Q{(x1 + x2) / 2:.0f} {up - 2 * _ARC:.0f} {x2:.0f} {up:.0f}")
            else:
                parts.append(f"M{x1:.0f} {y1:.0f}L{x2:.0f} {y2:.0f}")
    return element("path", d="".join(parts), class_="link")


def _wrong(nodes: Sequence[Node], layout: Layout) -> Iterator[str]:
    """A frame around the first wrong layer, and its name over it."""
    for place, node in enumerate(nodes):
        if not node.first_wrong:
            continue
        x, y = layout.corner(place)
        yield element("path", d=_boxes([(x - 4, y - 4)], layout.side + 8, layout.side + 8), class_="ring")
        right = x > layout.width / 2
        at = x + layout.side + 4 if right else x - 4
        room = at if right else layout.width - at
        words = shortened(f"{FIRST_WRONG}: {node.name}", room - 8, SMALL, BOLD)
        yield small(words, at, y - 8, "end" if right else "start", "small strong")
