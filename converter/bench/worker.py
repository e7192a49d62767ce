"""``python -m converter.bench.worker``: one candidate in a process of its own."""

from converter.formats.worker import answer_calls
from converter.util import process


def _load_torch(*arguments):
    from converter.bench.torch_side import timed_network

    return timed_network(*arguments)


def _load_graphs(*arguments):
    from converter.bench.timed import timed_graphs

    return timed_graphs(*arguments)


def main() -> None:
    """Load what the first call names, then run it when told to; ends when its input does."""
    process.keep_garbage()  # a collection would be measured as the model's time
    answer_calls({"load_torch": _load_torch, "load_graphs": _load_graphs})


if __name__ == "__main__":
    main()
