"""Inputs near to good ones: a good one, and a program of changes to it that hypothesis makes up and shortens."""

import copy
import json
from collections.abc import Iterator, Sequence

from hypothesis import strategies as st

STEP = 6  # bytes of a program: what to do, where, and with what
NUMBERS = [0, 1, 2, 3, 5, 7, 8, 16, 31, 32, 127, 128, 255, 256, 1023, 4096, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**40]
NUMBERS += [-number for number in NUMBERS] + [2**63, 2**64, 10**30]
WORDS = [str(number).encode() for number in NUMBERS]
WORDS += [b"nan", b"inf", b"-inf", b"1e309", b"1e-320", b"1.5", b"-0", b"", b"\0", b"\n", b"\r\n", b" ", b"=", b","]
WORDS += [b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\x1b[2J", b"../", b"/etc/passwd", b"[", b"]", b"{", b"}"]
WORDS += [b'"', b": ", b"- ", b"&a ", b"*a", b"<<: *a", b"!!set ", b"2020-01-01", b"!!binary "]
VALUES: list[object] = [*NUMBERS, True, False, None, "", "x", "1", "nan", 1.5, -0.0, 1e300, 1e-300, 1 << 70]
VALUES += ["..", "../x", "/x", "a/../b", "\0", "\x1b[31m", "é" * 99, "x" * 5000]
VALUES += [[], {}, [[]], {"": {}}, [0] * 9, [None], {"name": 1}]

programs = st.binary(min_size=STEP, max_size=8 * STEP)


def steps(program: bytes) -> Iterator[tuple[int, int, int]]:
    """(what to do, where, with what) of every step."""
    for start in range(0, len(program) - STEP + 1, STEP):
        yield (
            program[start],
            int.from_bytes(program[start + 1 : start + 4]),
            int.from_bytes(program[start + 4 : start + 6]),
        )


def changed_bytes(seeds: Sequence[bytes], which: int, program: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """One of the seeds with bytes changed, inserted, left out and copied, also from other seeds."""
    data = bytearray(seeds[which % len(seeds)])
    for what, where, value in steps(program):
        place, length = where % (len(data) + 1), value % 24 + 1
        match what % 9:
            case 0:
                data[place : place + 1] = bytes([value % 256])
            case 1 if place < len(data):
                data[place] ^= 1 << value % 8
            case 2:
                del data[place : place + length]
            case 3:
                data[place:place] = data[place : place + length] * (1 + value % 7)
            case 4:
                data[place:place] = words[value % len(words)]
            case 5:
                word = words[value % len(words)]
                data[place : place + len(word)] = word
            case 6:
                number = NUMBERS[value % len(NUMBERS)] % 2**64
                size = (1, 2, 4, 8)[value // 64 % 4]
                data[place : place + size] = number.to_bytes(8, "little")[:size]
            case 7:
                del data[place:]
            case 8:
                other = seeds[value % len(seeds)]
                begin = where // 7 % (len(other) + 1)
                data[place : place + length] = other[begin : begin + length]
    return bytes(data)


def changed_words(seeds: Sequence[bytes], which: int, program: bytes, words: Sequence[bytes] = WORDS) -> bytes:
    """A text with whole words changed, exchanged and left out, its lines too."""
    lines = [line.split(b" ") for line in seeds[which % len(seeds)].split(b"\n")]
    for what, where, value in steps(program):
        line = lines[where % len(lines)]
        place = where // 64 % len(line) if line else 0
        match what % 6:
            case 0 if line:
                line[place] = words[value % len(words)]
            case 1 if line:
                key, equals, _ = line[place].partition(b"=")
                line[place] = (key + equals if equals else b"") + words[value % len(words)]
            case 2 if line:
                del line[place]
            case 3:
                line.insert(place, words[value % len(words)])
            case 4:
                lines.insert(where % len(lines), list(lines[value % len(lines)]))
            case 5 if len(lines) > 1:
                del lines[where % len(lines)]
    return b"\n".join(b" ".join(line) for line in lines)


def changed_json(seeds: Sequence[bytes], which: int, program: bytes) -> bytes:
    """A JSON text with values of other kinds, keys left out, added and doubled, lists longer and shorter."""
    whole = json.loads(seeds[which % len(seeds)])
    for what, where, value in steps(program):
        places = [(whole, key) for whole, key in _places(whole)]
        if not places:
            break
        holder, key = places[where % len(places)]
        match what % 6:
            case 0 | 1:
                holder[key] = copy.deepcopy(VALUES[value % len(VALUES)])
            case 2:
                del holder[key]
            case 3:
                other, from_key = places[value % len(places)]
                if key in holder if isinstance(holder, dict) else key < len(holder):
                    holder[key] = copy.deepcopy(other[from_key])
            case 4 if isinstance(holder, dict):
                holder[str(VALUES[value % len(VALUES)])[:40]] = holder[key]
            case 5 if isinstance(holder, list):
                holder.insert(key, copy.deepcopy(holder[key]))
    return json.dumps(whole).encode()


def _places(value: object) -> Iterator[tuple[dict | list, str | int]]:
    """Every holder and key in it, without the value itself."""
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        items = holder.items() if isinstance(holder, dict) else enumerate(holder) if isinstance(holder, list) else ()
        for key, inner in list(items):
            yield holder, key
            waiting.append(inner)
