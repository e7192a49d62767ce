"""The other side of :class:`converter.runners.isolated.IsolatedRunner`: loads one model, answers on stdout.

Messages are pickles. What the runtime prints goes to stderr, so it cannot get between them.
"""

import os
import pickle
import sys

from converter.errors import ConverterError
from converter.formats import FORMATS


def main() -> None:
    """``python -m converter.runners.worker``; ends when its input does."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests = sys.stdin.buffer
    runner = None
    while True:
        try:
            call, arguments = pickle.load(requests)
        except EOFError:
            return
        try:
            if call in ("load", "load_inner"):
                format, files, graph = arguments
                runner, answer = getattr(FORMATS[format], call)(files, graph), None
            else:
                answer = getattr(runner, call)(*arguments)
        except ConverterError as error:
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


if __name__ == "__main__":
    main()
