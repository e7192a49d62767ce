"""What model files are made from."""

from dataclasses import dataclass

from converter.spec.tensors import GraphSpec


@dataclass(frozen=True)
class Source:
    """A graph to convert, and the files to make of it; one or several models are loaded from them.

    Attributes:
        format: of the files.
        stem: their name without suffix.
        graph: what is converted; a tensor's name is that of the blob in the files.
        other: the same at another search size, when the files have to serve several; None otherwise.
    """

    format: str
    stem: str
    graph: GraphSpec
    other: GraphSpec | None = None
