"""What a report is made of, whichever language it is written in."""

from collections.abc import Sequence
from dataclasses import dataclass

OK, BAD, NOTE, OPEN = "ok", "bad", "note", "open"
LEFT, RIGHT = "left", "right"


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        align: left for words and right for figures.
        priority: 0 is always shown; on a narrow terminal the column with the highest number is left out first.
    """

    title: str
    align: str = LEFT
    priority: int = 0


@dataclass(frozen=True)
class Row:
    """As many cells as the table has columns; ``state`` is ok, bad, note or empty and says how it stands out."""

    cells: tuple[str, ...]
    state: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under columns.

    Attributes:
        about: one line over it; may be empty.
        long: whether it has many rows or columns: it scrolls on a phone, where a short one is stacked.
        raw: whether the cells are checksums and the like, to be set in a typewriter's face.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    about: str = ""
    long: bool = False
    raw: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise ValueError(f"{len(row.cells)} cells under {len(self.columns)} columns: {row.cells}")


@dataclass(frozen=True)
class Text:
    """A paragraph; ``state`` as for rows."""

    text: str
    state: str = ""


@dataclass(frozen=True)
class Points:
    """A list of short lines."""

    lines: tuple[str, ...]
    state: str = ""


@dataclass(frozen=True)
class Terms:
    """A legend: (word, what it means) pairs."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Node:
    """One layer of a Graph.

    Attributes:
        name: of it.
        about: its figures, in a line.
        share: its error as a share of what is allowed, infinite where it gives nothing that can be compared;
            None where it was compared with nothing.
        reads: places in the graph of the layers that it reads from.
        first_wrong: whether it is the one to blame.
    """

    name: str
    about: str
    share: float | None
    reads: tuple[int, ...] = ()
    first_wrong: bool = False


@dataclass(frozen=True)
class Graph:
    """The layers of a graph in the order of its file, each by its error: drawn on a page, signs in text.

    Attributes:
        key: unique in the report.
    """

    key: str
    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Charts:
    """Drawings beside each other or under each other; on the page only.

    Attributes:
        drawings: complete ``<svg>`` elements, in which everything foreign is escaped. Of one that comes as a pair,
            the first is for wide screens and paper and the second for phones.
        small: whether several stand in a row.
    """

    drawings: tuple[tuple[str, ...], ...]
    small: bool = False


@dataclass(frozen=True)
class Picture:
    """A frame: ``source`` is a data: URI, ``caption`` says what is seen."""

    source: str
    caption: str
    state: str = ""


@dataclass(frozen=True)
class Pictures:
    """Frames beside each other, ``about`` over them; on the page only."""

    pictures: tuple[Picture, ...]
    about: str = ""


@dataclass(frozen=True)
class Folded:
    """Details, opened by whoever wants them, and open in print.

    Attributes:
        summary: what is inside.
        blocks: any but this one.
        brief: whether Markdown gets them too; a table of hundreds of layers belongs to the page alone.
    """

    summary: str
    blocks: tuple["Block", ...]
    brief: bool = True


Block = Table | Text | Points | Terms | Graph | Charts | Pictures | Folded


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes:
        key: short name, for links.
        state: ok, bad, note (nothing to pass or fail), open (not checked).
        summary: the outcome in one line.
        folded: whether Markdown folds it.
    """

    key: str
    title: str
    state: str
    summary: str
    blocks: tuple[Block, ...] = ()
    folded: bool = True


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: of the page.
        passed: the verdict.
        verdict: in one or two words.
        sentence: the verdict as a sentence.
        problems: what failed.
        not_checked: what this run was not asked for, and what follows from that.
        facts: (what, value) pairs of the subject.
        written: when.
        sign_off: whether it has lines to sign on.
        command_line: that asked for it; empty when Python did.
        warnings: what is to be known before anything here is relied on.
    """

    title: str
    passed: bool
    verdict: str
    sentence: str
    problems: Sequence[str]
    not_checked: Sequence[str]
    facts: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    written: str
    sign_off: bool = True
    command_line: str = ""
    warnings: Sequence[str] = ()


def columns(*titles: str) -> tuple[Column, ...]:
    """Columns by title; one that begins with ``>`` holds figures."""
    return tuple(Column(title.removeprefix(">"), RIGHT if title.startswith(">") else LEFT) for title in titles)
