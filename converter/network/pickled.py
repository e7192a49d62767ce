"""What a pickle would build, looked at before anything is built: torch's safe reader hashes whatever is a key.

The hash of a tuple goes through all that it holds, by calls of itself: one in which 100,000 others lie ends the
process, and one in which every tuple holds the one before it twice takes for ever.
"""

import pickletools
from typing import IO

DEEPEST, LARGEST = 50, 100_000  # tuples in each other, values in one with all that it holds
PICKLES = 5  # in a file of the older form: a magic number, versions, the object, the names of its storages

Tuple = tuple[int, int]  # how deep, how many values
_VALUE: Tuple = (0, 1)
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = {"BINPUT", "LONG_BINPUT", "PUT"}
_GETS = {"BINGET", "LONG_BINGET", "GET"}
_TO_MARK = {"APPENDS", "SETITEMS", "ADDITEMS"}
_TAKEN = {"APPEND": 1, "SETITEM": 2, "REDUCE": 2, "NEWOBJ": 2, "BUILD": 1, "BINPERSID": 1, "POP": 1}
_GIVEN = {"REDUCE", "NEWOBJ", "BINPERSID"}


def has_deep_tuples(file: IO[bytes], pickles: int = 1) -> bool:
    """Whether a tuple that no checkpoint has would be built; false also where the pickle is damaged before that.

    Args:
        pickles: how many to look at, one behind the other.
    """
    try:
        return any(_builds_deep_tuple(file) for _ in range(pickles))
    except Exception:  # pickletools raises many types; the reader itself says what is wrong
        return False


def _builds_deep_tuple(file: IO[bytes]) -> bool:
    stack: list[Tuple] = []
    marks: list[int] = []
    memo: dict[object, Tuple] = {}
    for code, argument, _ in pickletools.genops(file):
        name = code.name
        if name in _TUPLES or name == "TUPLE":
            begin = marks.pop() if name == "TUPLE" else len(stack) - _TUPLES[name]
            items = stack[begin:]
            made = 1 + max((depth for depth, _ in items), default=0), 1 + sum(size for _, size in items)
            if made[0] > DEEPEST or made[1] > LARGEST:
                return True
            stack[begin:] = [made]
        elif name == "MARK":
            marks.append(len(stack))
        elif name in _TO_MARK:
            del stack[marks.pop() :]
        elif name in _PUTS:
            memo[argument] = stack[-1]
        elif name in _GETS:
            stack.append(memo[argument])
        elif name in _TAKEN:
            del stack[len(stack) - _TAKEN[name] :]
            stack += [_VALUE] * (name in _GIVEN)
        elif name not in ("PROTO", "STOP", "FRAME"):
            stack.append(_VALUE)
    return False
