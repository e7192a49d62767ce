"""``python -m converter.bench.worker``: one candidate in a process of its own."""

from typing import Any

from converter.bench.timed import TimedModel, timed_graphs, timed_vulkan
from converter.formats.worker import answer_calls
from converter.util import process


def _load_torch(*arguments: Any) -> TimedModel:
    from converter.bench.torch_side import timed_network  # torch, which the other candidates do without

    return timed_network(*arguments)


def main() -> None:
    """Load what the first call names, then run it when told to; ends when its input does."""
    process.keep_garbage()  # a collection would be measured as the model's time
    answer_calls({"load_torch": _load_torch, "load_graphs": timed_graphs, "load_vulkan": timed_vulkan})


if __name__ == "__main__":
    main()
