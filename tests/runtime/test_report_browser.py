"""The page in a real browser: at the widths of a phone, a tablet and a desk nothing is wider than the screen, and on
paper it is one page."""

import html
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from report_results import full, result

from converter.report.html import html_of
from converter.report.writing import write_report
from converter.verifying.page import report_of

WIDTHS = 390, 768, 1280
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
    asked: frame.contentWindow.performance.getEntriesByType('resource').map(one => one.name),
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


def seen(browser, folder, page):
    """What a reader sees at every width: as it comes, and with all details opened."""
    style = "height:900px;border:0;display:block"
    frames = [f'<iframe src="{page.as_uri()}" style="width:{width}px;{style}"></iframe>' for width in WIDTHS]
    outer = folder / "frames.html"
    outer.write_text(FRAMES.format(frames="".join(frames)), encoding="utf-8")
    command = [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", "--allow-file-access-from-files"]
    command += ["--window-size=1400,2800", "--dump-dom", outer.as_uri()]
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
    clip = found.checks["clip"]
    others = {"layers": walks, "clip": replace(clip, clip=replace(clip.clip, path=Path(long)))}
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
def test_page_fits_every_screen(browser, tmp_path, name):
    page = tmp_path / "report.html"
    write_report(page, report_of(RESULTS[name], "today", f"lt-verify {'a-long-folder-name' * 9} --layers"))
    closed, opened = seen(browser, tmp_path, page)
    for width, found in zip(WIDTHS * 2, closed + opened, strict=True):
        assert found["heading"] == ("Verified" if name in ("passed", "short") else "Not verified")
        assert found["clientWidth"] == width
        assert found["scrollWidth"] <= width
        assert found["wide"] == []
        assert found["scrolled"] == [], "a short table is stacked, not scrolled"
        assert found["cut"] == []
        assert found["asked"] == [], "a page asks for nothing but itself"
        assert found["drawings"] >= 3
        assert found["letters"] >= 8, "the letters of a drawing are too small to read"
        assert found["pictures"] == (0 if name == "short" else 2)
    assert [found["rows"] for found in closed] == [0] * len(WIDTHS)
    assert min(found["rows"] for found in opened) > 5


def pages_of(browser, folder, source):
    """How many pages a browser prints, and the words on them."""
    page, target = folder / "page.html", folder / "report.pdf"
    page.write_text(source, encoding="utf-8")
    profile = f"--user-data-dir={folder / 'profile'}"
    command = [browser, *QUIET, profile, "--no-pdf-header-footer", f"--print-to-pdf={target}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)
    return len(re.findall(rb"/Type\s*/Page\b", target.read_bytes()))


@pytest.mark.parametrize("paper", ["A4", "letter"])
@pytest.mark.parametrize("name", ["passed", "failed", "short"])
def test_the_page_takes_one_sheet_of_paper(browser, tmp_path, name, paper):
    source = html_of(report_of(RESULTS[name], "today", "lt-verify exports/e1 --resume LightTrackM.pth --layers"))
    assert pages_of(browser, tmp_path, source.replace("@page {", f"@page {{ size: {paper};")) == 1


def test_what_the_reader_opens_and_asks_for_is_printed_too(browser, tmp_path):
    source = html_of(report_of(full(), "today"))
    opened = source.replace("<details>", "<details open>")
    everything = source.replace('id="everything"', 'id="everything" checked')
    some, more = (pages_of(browser, tmp_path, each) for each in (opened, everything))
    assert 1 < some < more
