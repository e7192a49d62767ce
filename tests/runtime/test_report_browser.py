"""The page in a real browser: at the width of a phone and of a desk nothing is wider than the screen."""

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from report_results import full, result

from converter.report.writing import write_report
from converter.verifying.page import report_of

pytestmark = pytest.mark.real

PHONE, DESK = 390, 1280
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
)
# The page in frames of the wanted widths, since a window cannot be as narrow; what is seen goes into the title.
FRAMES = """<!DOCTYPE html><body style="margin:0">{frames}<script>
const look = frame => {{
  const page = frame.contentDocument, root = page.documentElement;
  const shown = one => one.checkVisibility();
  const scrolls = one => one.closest('.scroll, .charts.small');
  const wide = [...page.querySelectorAll('body *')].filter(one =>
    shown(one) && !scrolls(one) && one.getBoundingClientRect().right > root.clientWidth + 0.5);
  const drawings = [...page.querySelectorAll('svg')].filter(shown);
  const cut = drawings.filter(one => [...one.querySelectorAll('text')].some(text => {{
    const inner = text.getBBox(), box = one.viewBox.baseVal;
    return inner.x < -1 || inner.y < -1
      || inner.x + inner.width > box.width + 1 || inner.y + inner.height > box.height + 1;
  }}));
  return {{
    scrollWidth: root.scrollWidth, clientWidth: root.clientWidth, heading: page.querySelector('h1').textContent,
    wide: wide.slice(0, 5).map(one => one.outerHTML.slice(0, 80)),
    cut: cut.map(one => one.querySelector('title').textContent),
    scrolled: [...page.querySelectorAll('.scroll.short')].filter(one => one.scrollWidth > one.clientWidth + 1)
      .map(one => one.textContent.slice(0, 80)),
    drawings: drawings.length,
    rows: [...page.querySelectorAll('details tr')].filter(shown).length,
    letters: Math.min(...drawings.map(one => one.getBoundingClientRect().width / one.viewBox.baseVal.width * 11)),
    pictures: [...page.images].filter(one => one.complete && one.naturalWidth > 0).length
  }};
}};
addEventListener('load', () => {{
  const frames = [...document.querySelectorAll('iframe')], closed = frames.map(look);
  for (const frame of frames) frame.contentDocument.querySelectorAll('details').forEach(one => one.open = true);
  document.title = JSON.stringify([closed, frames.map(look)]);
}});
</script></body>"""


@pytest.fixture(scope="module")
def browser() -> str:
    found = os.environ.get("LT_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(found).exists():
        pytest.skip("no browser: /usr/bin/chromium is missing and LT_CHROMIUM does not name one")
    return found


def seen(browser, folder, page):
    """What a reader sees: ((phone, desk) as it comes, (phone, desk) with all details opened)."""
    style = "height:900px;border:0;display:block"
    frames = [f'<iframe src="{page.as_uri()}" style="width:{width}px;{style}"></iframe>' for width in (PHONE, DESK)]
    outer = folder / "frames.html"
    outer.write_text(FRAMES.format(frames="".join(frames)), encoding="utf-8")
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", "--allow-file-access-from-files"]
    command += ["--window-size=1400,1900", "--dump-dom", outer.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.S)
    assert title, f"the script did not run: {done.stderr}"
    return json.loads(html.unescape(title.group(1)))


def with_long_names():
    """Names without a place to break them, as other people's tools write them."""
    found = full(False)
    long = "onnx__Conv_0123456789_" * 8
    (walk,) = found.checks["layers"].walks
    rows = tuple(replace(row, layer=long) for row in walk.rows)
    walks = replace(
        found.checks["layers"], walks=(replace(walk, rows=rows, first_bad=replace(walk.first_bad, layer=long)),)
    )
    others = {"layers": walks, "clip": replace(found.checks["clip"], clip=long)}
    files = {Path(f"{long}.param"): "ab12" * 16}
    return replace(
        found,
        export=Path(f"/exports/{long}"),
        problems=(*found.problems, f"{long} has changed"),
        checksums=files,
        checks={**found.checks, **others},
    )


RESULTS = {"passed": full(), "failed": full(False), "long": with_long_names(), "short": result()}


@pytest.mark.parametrize("name", RESULTS)
def test_page_fits_a_phone_and_a_desk(browser, tmp_path, name):
    page = tmp_path / "report.html"
    write_report(page, report_of(RESULTS[name], "today"))
    closed, opened = seen(browser, tmp_path, page)
    for width, found in zip((PHONE, DESK) * 2, closed + opened, strict=True):
        assert found["heading"] == ("Verified" if name in ("passed", "short") else "Not verified")
        assert found["clientWidth"] == width
        assert found["scrollWidth"] <= width
        assert found["wide"] == []
        assert found["scrolled"] == [], "a short table is stacked, not scrolled"
        assert found["cut"] == []
        assert found["drawings"] >= 3
        assert found["letters"] >= 8, "the letters of a drawing are too small to read"
        assert found["pictures"] == (0 if name == "short" else 2)
    assert [found["rows"] for found in closed] == [0, 0]
    assert min(found["rows"] for found in opened) > 5


def test_details_are_open_in_print(browser, tmp_path):
    page, target = tmp_path / "report.html", tmp_path / "report.pdf"
    write_report(page, report_of(full(), "today"))
    closed = tmp_path / "closed.html"
    closed.write_text(page.read_text(encoding="utf-8").replace("details::details-content", "details::none"), "utf-8")
    sizes = []
    for source in (page, closed):
        command = [
            browser,
            *QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ]
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        sizes.append(len(re.findall(rb"/Type\s*/Page\b", target.read_bytes())))
    assert sizes[0] > sizes[1] >= 1
