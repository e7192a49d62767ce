"""``python -m benchmarks.documents``: measures the figures of README.md and docs/, and writes them there.

The figures are in ``docs/figures.json``, a section for each part that can be measured by itself; the picture of a run
is ``docs/run.svg``. Without a section's name it measures what needs no trained checkpoint.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import marks
from benchmarks.document_figures import SECTIONS
from benchmarks.picture import CommandError
from benchmarks.setting import ROOT, MeasuringError, Setting

FIGURES = ROOT / "docs" / "figures.json"
UNTRAINED = ("demo", "failed", "run", "counts")


def documents() -> list[Path]:
    """README and every page of docs/."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def read_figures() -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return figures


def fill(figures: Mapping[str, Any]) -> list[Path]:
    """Put the figures into the documents; those that changed."""
    changed = []
    for page in documents():
        text = page.read_text(encoding="utf-8")
        if (new := marks.filled(text, figures)) != text:
            page.write_text(new, encoding="utf-8")
            changed.append(page)
    return changed


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.documents", description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--trained", type=Path, metavar="FILE", help="a trained LightTrack-Mobile checkpoint")
    parser.add_argument("--clip", type=Path, metavar="FILE", help="a video for it")
    parser.add_argument("--box", metavar="X,Y,W,H", help="of the video's target in the first frame")
    parser.add_argument(
        "--tracked",
        nargs=2,
        type=Path,
        action="append",
        default=[],
        metavar=("CLIP", "CSV"),
        help="a video, and x,y,w,h of its target in every frame; again for others",
    )
    parser.add_argument(
        "--also", type=Path, nargs="+", default=[], metavar="FILE", help="checkpoints of other trained trackers"
    )
    parser.add_argument("--fill", action="store_true", help="measure nothing: put the file's figures into the texts")
    parsed = parser.parse_args(arguments)
    if unknown := sorted(set(parsed.sections) - set(SECTIONS)):
        parser.error(f"{unknown[0]}: no such section, expected {', '.join(SECTIONS)}")
    return parsed


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the file and the texts; the exit code is 1 when something cannot be measured."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="lt-documents-") as folder:
        files = (path.absolute() if path else None for path in (options.trained, options.clip))
        tracked = tuple((clip.absolute(), track.absolute()) for clip, track in options.tracked)
        others = tuple(path.absolute() for path in options.also)
        setting = Setting(Path(folder), *files, options.box, tracked, others)
        try:
            for section in () if options.fill else options.sections or UNTRAINED:
                print(section, flush=True)
                measured = SECTIONS[section](setting)
                figures = {**read_figures(), section: measured}  # as it is now: another run may have written
                FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        except (MeasuringError, CommandError) as error:
            print(f"not measured: {error}", file=sys.stderr)
            return 1
    try:
        for page in fill(read_figures()):
            print(f"filled {page.relative_to(ROOT)}")
    except KeyError as error:
        print(f"not filled: {error.args[0]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
