"""The figures of every output, worst input first seen, and how the errors are spread."""

import math
from collections.abc import Mapping
from typing import Any

from converter.report.blocks import BAD, OK, OPEN, Block, Charts, Folded, Row, Section, Table, columns
from converter.report.charts import histogram
from converter.report.text import cosine, count, error, is_number, mapping, mappings, percent, plain, upper

WITHIN, BEYOND = "within", "beyond"
_TITLES = (
    "Output",
    "Graph",
    ">max |Δ|",
    ">Allowed",
    ">Used",
    ">mean |Δ|",
    ">Of range",
    ">Cosine",
    ">rtol needed",
    "Best cell",
    "Verdict",
)


def outputs_section(result: Mapping[str, Any]) -> Section:
    """All comparisons of outputs; open when there was none."""
    checks = mappings(mapping(result.get("verification")).get("checks"))
    title = "Outputs"
    if not checks:
        return Section("outputs", title, OPEN, "No output was compared.")
    failed = [check for check in checks if not check.get("passed")]
    pairs = [(check, output) for check in checks for output in mappings(check.get("outputs"))]
    if failed:
        summary = f"{len(failed)} of {count(len(checks), 'comparison')} failed."
    else:
        summary = f"All {count(len(checks), 'comparison')} passed."
    if pairs:
        check, output = max(pairs, key=lambda pair: badness(pair[1]))
        summary += f" Worst: {place(check)}, output {plain(output.get('name'))}: {_in_words(output)}."
    blocks: list[Block] = [
        Table(columns(*_TITLES), tuple(_worst_rows(pairs)), "The worst of all inputs, graph by graph."),
    ]
    every = Table(columns("Input", *_TITLES), tuple(_every_row(*pair) for pair in pairs), long=True)
    blocks.append(Folded(f"Every input ({count(len(pairs), 'row')})", (every,), brief=False))
    if drawings := _histograms(result, pairs):
        blocks.append(Charts(drawings, small=True))
    return Section("outputs", title, BAD if failed else OK, summary, tuple(blocks), folded=False)


def badness(output: Mapping[str, Any]) -> float:
    """How far an output is outside its tolerance; 1 is the edge, infinity what could not be compared."""
    found, allowed = output.get("max_abs"), output.get("allowed")
    if output.get("problem") or not is_number(found) or not is_number(allowed):
        return math.inf
    if allowed:
        return found / allowed
    return math.inf if found else 0.0


def place(check: Mapping[str, Any]) -> str:
    """Where a comparison was made."""
    format, graph, how, feed = (plain(check.get(key)) for key in ("format", "graph", "how", "feed"))
    return f"{format} {graph} {how}, {feed}"


def _in_words(output):
    if output.get("problem"):
        return plain(output["problem"])
    share = badness(output)
    if not math.isfinite(share):
        return f"off by {error(output.get('max_abs'))}, {error(output.get('allowed'))} is allowed"
    return f"off by {error(output.get('max_abs'))}, {percent(share)}{' of' if share < 10 else ''} what is allowed"


def _worst_rows(pairs):
    groups: dict[tuple, list] = {}
    for check, output in pairs:
        key = (check.get("format"), check.get("graph"), check.get("how"), output.get("name"))
        groups.setdefault(key, []).append((check, output))
    for found in groups.values():
        check, output = max(found, key=lambda pair: badness(pair[1]))
        yield _row(check, output, found)


def _every_row(check, output):
    row = _row(check, output, [(check, output)])
    return Row((plain(check.get("feed")), *row.cells), row.state)


def _row(check, output, found):
    cells = [_cell(check) for check, output in found if _cell(check).get("output") == output.get("name")]
    agree = all(cell.get("passed") for cell in cells)
    passed = agree and all(output.get("passed") for _, output in found)
    share = badness(output)
    if passed:
        verdict = WITHIN
    elif output.get("problem"):
        verdict = plain(output["problem"])
    else:
        verdict = BEYOND if share > 1 else "another best cell"
    return Row(
        (
            plain(output.get("name")),
            f"{plain(check.get('format'))} {plain(check.get('graph'))} {plain(check.get('how'))}",
            error(output.get("max_abs")),
            error(output.get("allowed")),
            percent(share),
            error(output.get("mean_abs")),
            error(output.get("relative")),
            cosine(output.get("cosine")),
            upper(output.get("needed_rtol")),
            _decision(cells),
            verdict,
        ),
        OK if passed else BAD,
    )


def _cell(check):
    return mapping(check.get("best_cell"))


def _decision(cells):
    if not cells:
        return ""
    wrong = next((cell for cell in cells if not cell.get("passed")), None)
    if wrong is None:
        return "same" if all(cell.get("same") for cell in cells) else "tie"
    return f"{wrong.get('candidate')}, expected {wrong.get('reference')}"


def _histograms(result, pairs):
    """One drawing for each, with the narrowest tolerance it was held against."""
    allowed: dict[tuple, float] = {}
    for check, output in pairs:
        spread, limit = output.get("range"), output.get("allowed")
        if is_number(spread) and is_number(limit) and spread > 0:
            key = (check.get("format"), check.get("graph"), check.get("how"), output.get("name"))
            allowed[key] = min(limit / spread, allowed.get(key, math.inf))
    drawings = []
    for index, found in enumerate(mappings(result.get("histograms"))):
        counts, first = found.get("counts"), found.get("first_decade")
        if isinstance(counts, list) and counts and all(map(is_number, counts)) and isinstance(first, int):
            format, graph, how, name = (found.get(key) for key in ("format", "graph", "how", "output"))
            title = f"{plain(name)}, {plain(format)} {plain(graph)} {plain(how)}"
            drawings.append((histogram(f"h{index}", title, counts, first, allowed.get((format, graph, how, name))),))
    return tuple(drawings)
