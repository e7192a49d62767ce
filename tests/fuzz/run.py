"""``make fuzz``: every parser with inputs near to good ones, for a given time.

    python tests/fuzz/run.py [--seconds 600] [--seed N] [TARGET …]

Inputs are made by hypothesis, which also shortens the one that escapes; it is then kept in ``corpus/TARGET/``, where
the ordinary tests run it from then on. An escape is anything that is no error of ours, more than 5 seconds, or more
memory than 4 GB.
"""

import argparse
import logging
import resource
import secrets
import sys
import warnings
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS / "fuzz"), str(TESTS / "support"), str(TESTS), str(TESTS.parent)]

from fuzzing import TARGETS, fuzz  # noqa: E402

MEMORY = 4 << 30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=None, help="of the first batch; another every time by default")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    first = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    print(f"seed {first}, {asked.seconds:g} s")
    return 1 if any(fuzz(asked.targets, asked.seconds, first).values()) else 0


if __name__ == "__main__":
    sys.exit(main())
