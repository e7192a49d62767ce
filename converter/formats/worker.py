"""The other side of :class:`converter.formats.isolated.WorkerProcess`: opens one thing, answers calls on stdout.

Messages are pickles. What a runtime prints goes to stderr, so it cannot get between them. As a program: one model.
"""

import os
import pickle
import sys
from collections.abc import Callable, Mapping
from typing import Any

from converter.errors import ConverterError
from converter.formats.format import format_of
from converter.util.packages import importing


def answer_calls(openers: Mapping[str, Callable[..., Any]]) -> None:
    """Answer until the input ends.

    Args:
        openers: name of the first call -> what makes the thing whose methods the later calls are.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    opened = None
    while True:
        try:
            call, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            with importing():
                if call in openers:
                    opened, answer = openers[call](*arguments), None
                else:
                    answer = getattr(opened, call)(*arguments)
        except ConverterError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


def main() -> None:
    """``python -m converter.formats.worker``; ends when its input does."""
    answer_calls(
        {
            "load": lambda format, files, graph: format_of(format).load(files, graph),
            "load_inner": lambda format, files, graph: format_of(format).load_inner(files, graph),
        }
    )


if __name__ == "__main__":
    main()
