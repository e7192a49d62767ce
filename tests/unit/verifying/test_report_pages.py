"""Pages and Markdown say what the result says, leave out what is not there, and never more than was checked."""

import math
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from report_results import check, checks, clip, dumps, full, half, layers, output, result, subject, verification

from converter.folder.exported import FileProblem
from converter.folder.listing import CheckpointEntry
from converter.folder.subject import Missing
from converter.report.html import html_of
from converter.report.markdown import markdown_of, markdown_text
from converter.report.text import cosine, error, interval, listed, overlap, percent, plain, times, upper
from converter.verifying.page import report_of, verdict_line

NASTY = """<img src=x onerror="a()"> & 'it' | `code` *bold* [x](y) @team\nnext"""
VOID = {"meta", "img", "br", "input"}
WORDS = {
    "layers": "Layer by layer",
    "clip": "On the clip",
    "dumps": "Dumps of the device",
    "fp16": "Half precision on ARM",
    "arm": "On an emulated ARM cpu",
    "vulkan": "On a Vulkan device",
}


class Page(HTMLParser):
    """Tags with attributes, the text, and whether elements end in the order in which they began."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.words, self.open, self.sections = [], [], [], {}
        self.feed(source)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "tr") and self.open[-1] == "td":
            self.open.pop()
        if tag == "tr" and self.open[-1] == "tr":
            self.open.pop()
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        while tag == "tbody" and self.open[-1] in ("td", "tr"):
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "desc", "title"):
            self.words.append(data)

    def ids(self):
        return [attributes["id"] for _, attributes in self.tags if "id" in attributes]


def html(found, command_line=""):
    source = html_of(report_of(found, "today", command_line))
    page = Page(source)
    assert page.open == []
    assert len(set(page.ids())) == len(page.ids())
    return source, page


def markdown(found, command_line=""):
    return markdown_of(report_of(found, "today", command_line))


def tables(text):
    """Runs of lines that are rows of one table, each as a list of cell counts."""
    found, run = [], []
    for line in [*text.splitlines(), ""]:
        if line.startswith("|"):
            run.append(len(re.findall(r"(?<!\\)\|", line)) - 1)
        elif run:
            found.append(run)
            run = []
    return found


@pytest.mark.parametrize("passed", [True, False])
def test_page_needs_nothing_else(passed):
    source, page = html(full(passed))
    names = {tag for tag, _ in page.tags}
    assert names & {"script", "link", "iframe", "object", "embed", "base", "form", "use", "image"} == set()
    assert re.search(r"https?://|url\(|@import|<script|<link", source) is None
    policies = [one["content"] for tag, one in page.tags if one.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        for name in ("src", "href", "srcset", "poster"):
            if name in attributes:
                assert attributes[name].startswith(("data:image/", "#")), (tag, attributes)


def test_page_begins_with_the_verdict():
    _, page = html(full())
    assert page.text.index("Verified") < page.text.index("What was compared")
    assert "The ncnn models answer as the reference does in 4 comparisons" in page.text
    assert "largest error is 1 % of what is allowed" in page.text
    _, page = html(full(False))
    assert (
        page.text.index("Not verified") < page.text.index("lighttrack_init.bin is missing") < page.text.index("Network")
    )
    assert "2 problems found" in page.text
    assert "Verified" not in page.text


def test_reports_say_when_and_by_which_call_they_were_made():
    line = f"lt-verify e1 --resume {shlex.quote(NASTY)} --layers"
    source, page = html(full(), line)
    assert f"Made today by {' '.join(line.split())}" in page.text
    assert "<img src=x" not in source
    text = markdown(full(), line)
    assert text.endswith(f"Made today by\n\n```text\n{line}\n```\n")
    for text in (html(full())[1].text, markdown(full())):
        assert "Made today from Python" in text


def test_reports_explain_their_words():
    for text in (html(full())[1].text, markdown(full()).replace("*", "")):
        for words in (
            "alone: The graph was fed with the reference's own values",
            "chained: The graph was fed with what the converted graphs before it gave",
            "rtol needed: The smallest rtol with which this output passes",
            "It is agreement with the reference, not with ground truth",
            "which ran lt-verify, on one thread; they are not those of a device",
            "the mean overlap with the reference's boxes in one step is",
        ):
            assert words in text
    assert "not with ground truth" not in html(result())[1].text, "words of a check that was not asked for"


def test_reports_warn_of_another_checkpoint():
    other = CheckpointEntry(file="/somewhere/new.pth", sha256="beef" * 16)
    warning = "new.pth is not the file that was exported (LightTrackM.pth): its sha256 begins with beefbeefbeef"
    found = result(weights=other)
    source, page = html(found)
    assert page.text.index("Verified") < page.text.index(warning) < page.text.index("What was compared")
    assert f'<ul class="note"><li>{warning}' in source
    text = markdown(found)
    assert text.index(f"> ⚠ {warning}") < text.index("| Section |")
    rows = next(one for one in report_of(found, "").sections if one.key == "files").blocks[-1].rows
    assert [row.state for row in rows[-2:]] == ["note", "note"]
    for same in (result(), result(subject=subject(manifest=False), weights=other)):
        assert "is not the file that was exported" not in html(same)[1].text + markdown(same)
        assert not report_of(same, "").warnings


def test_what_is_to_be_known_on_the_device_is_under_the_verdict_and_in_the_json():
    note = "rknn init: the NPU does not compute Exp /h/Exp; its driver does on the CPU"
    found = result(notes=(note,))
    text = markdown(found)
    assert text.index("Verified") < text.index(f"> ⚠ {note}") < text.index("| Section |")
    assert found, "a note is no failure"
    assert found.as_dict()["notes"] == [note]
    rows = next(one for one in report_of(found, "").sections if one.key == "files").blocks[-1].rows
    assert "note" not in [row.state for row in rows], "it is about no file"


def test_page_ends_with_a_place_to_sign():
    _, page = html(full())
    assert page.ids()[-1] == "sign-off"
    end = page.text[page.text.index("Sign-off") :]
    assert all(word in end for word in ("Name", "Date", "Decision", "Signature"))


def test_page_shows_figures_files_and_versions():
    _, page = html(full())
    for words in (
        "1.0e-05",
        "1.0e-03",
        "37c3" * 16,
        "ab12" * 16,
        "1.0.20261020",
        "1×96×8×8",
        "LightTrackM.pth, epoch 30",
    ):
        assert words in page.text, words
    assert "0.98999" in page.text
    assert "no half kernel was run" in page.text


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("clip", "On the clip"),
        ("layers", "Layer by layer"),
        ("dumps", "Dumps of a device"),
        ("fp16", "Half precision"),
        ("arm", "Emulated ARM"),
    ],
)
def test_what_was_not_asked_for_is_named(key, words):
    found = full()
    found = replace(found, checks={name: one for name, one in found.checks.items() if name != key})
    for text in (html(found)[1].text, markdown(found)):
        listed_part = text[text.index("Not checked in this run") :]
        assert words in listed_part
        assert f"{WORDS[key]} passed" not in text
    assert key not in html(found)[1].ids()
    assert key in html(full())[1].ids()
    assert "Not checked in this run" not in html(full())[1].text
    assert "Not checked in this run" not in markdown(full())


def test_nothing_compared_does_not_look_like_a_pass():
    found = result(verification=verification(failed=("ncnn",)), problems=("ncnn init does not load",))
    for text in (html(found)[1].text, markdown(found)):
        assert "Outputs: no output was compared" in text
        assert "Not verified" in text


def test_models_without_a_manifest_are_said_to_have_none():
    found = result(subject=subject(manifest=False, names_from="trial"), export=None)
    _, page = html(found)
    assert "Checksums: no manifest" in page.text
    assert "Check them before you rely on the figures" in page.text
    assert "found by trying" in page.text
    assert "lighttrack_init.param" in page.text


FAILURES = [
    {"problems": ("something",)},
    {"layers": layers(False)},
    {"clip": clip(False)},
    {"fp16": half(False)},
    {"layers": layers(walks=0)},
    {"files": (FileProblem("a.bin", "is missing"),), "problems": ("a.bin is missing",)},
]


@pytest.mark.parametrize("changes", FAILURES)
def test_a_failure_never_ends_in_verified(changes):
    found = result(**changes)
    assert verdict_line(found).startswith("NOT VERIFIED LightTrackM_Subnet")
    for text in (html(found)[1].text, markdown(found)):
        assert "Not verified" in text
        assert "Verified" not in text


def test_verdicts_say_what_they_are_about():
    part = result(subject=replace(subject(), missing=(Missing("ncnn", ("update",), (127, 256)),)))
    assert verdict_line(part).endswith("; ncnn update is missing")
    assert verdict_line(part).startswith("verified in part: ncnn init and ncnn update of LightTrackM_Subnet in ")
    device = result(dumps=dumps(False))
    assert verdict_line(device).startswith(
        "DEVICE DIFFERS: the models of LightTrackM_Subnet in /exports/e1 are verified"
    )
    assert "Device differs" in markdown(device)
    assert "Do not deploy" not in markdown(device)
    both = result(dumps=dumps(False), fp16=half(False))
    assert verdict_line(both).startswith("NOT VERIFIED")
    assert verdict_line(result()) == "verified LightTrackM_Subnet in /exports/e1"


def test_what_could_not_be_carried_out_is_no_failed_proof():
    undone = result(problems=("clip: the disk is full",), undone=("clip: the disk is full",))
    assert verdict_line(undone).startswith("NOT FINISHED: the models of LightTrackM_Subnet in /exports/e1 are verified")
    assert "Not finished" in markdown(undone)
    assert "Do not deploy" not in markdown(undone)
    assert not undone
    both = result(problems=("zf is off", "clip: the disk is full"), undone=("clip: the disk is full",))
    assert verdict_line(both).startswith("NOT VERIFIED")


def nasty(found):
    """The same with every free text replaced."""
    walks = tuple(
        replace(walk, graph=NASTY, rows=tuple(replace(row, layer=NASTY, module=NASTY) for row in walk.rows))
        for walk in found.checks["layers"].walks
    )
    tracked = found.checks["clip"]
    others = {
        "layers": replace(found.checks["layers"], walks=walks),
        "clip": replace(tracked, clip=replace(tracked.clip, path=Path(NASTY))),
        "dumps": replace(found.checks["dumps"], folder=NASTY, others=(NASTY,)),
        "fp16": replace(found.checks["fp16"], feeds=(NASTY,)),
    }
    words = {"arch": NASTY, "reference": NASTY, "tools": {NASTY: NASTY}, "export": Path(NASTY)}
    return replace(found, **words, checks={**found.checks, **others}, problems=(NASTY,) if not found else ())


@pytest.mark.parametrize("passed", [True, False])
def test_words_of_others_stay_words_on_the_page(passed):
    source, page = html(nasty(full(passed)))
    assert "<img src=x" not in source
    assert [attributes.get("src", "")[:15] for tag, attributes in page.tags if tag == "img"] == [
        *("data:image/jpeg", "data:image/jpeg")
    ]
    assert """<img src=x onerror="a()">""" in page.text
    for svg in re.findall(r"<svg.*?</svg>", source, re.S):
        ElementTree.fromstring(svg)


@pytest.mark.parametrize("passed", [True, False])
def test_words_of_others_stay_words_in_markdown(passed):
    text = markdown(nasty(full(passed)))
    assert "<img" not in text
    assert re.findall(r"<[^>!]*>", text) == re.findall(r"</?details>|</?summary>", text)
    assert not re.search(r"(?<!\\)\*bold|(?<!\\)\[x|(?<!\\)`code|@team", text)
    for rows in tables(text):
        assert len(set(rows)) == 1, rows


@pytest.mark.parametrize("found", [result(), full(), full(False)])
def test_markdown_tables_have_as_many_cells_in_every_line(found):
    text = markdown(found)
    assert tables(text)
    for rows in tables(text):
        assert len(set(rows)) == 1
        assert len(rows) >= 2
    assert len(text) < 20_000
    assert text.count("<details>") == text.count("</details>")
    behind = re.findall(r"</summary>(\n?.?\n?)", text)
    assert len(behind) == text.count("<details>")
    assert set(behind) <= {"\n\n"}, "a table right behind a tag is not a table"


def test_markdown_gives_the_verdict_first_and_folds_details():
    text = markdown(full(False))
    assert text.startswith("## ❌ Not verified: ")
    assert text.index("lighttrack\\_init.bin is missing") < text.index("| Section |")
    assert "conv\\_7" in text
    assert "**FAILED**" in text
    assert markdown(full()).startswith("## ✅ Verified: ")


def test_markdown_leaves_long_tables_to_the_page():
    found = result(layers=layers(False, number=400), fp16=half(True, number=400), clip=clip(True, number=5000))
    assert len(markdown(found)) < 20_000


def test_page_stays_light():
    found = result(layers=layers(True, 300, 3), fp16=half(True, 400), clip=clip(True, 20_000))
    assert len(html(found)[0].encode()) < 600_000


def test_figures_that_are_none_are_dashes():
    broken = check("init", "noise 0", output("zf", problem="1 of 4 values are NaN or infinite"))
    found = result(verification=verification(broken, *checks()[1:]), problems=("zf",))
    for text in (html(found)[1].text, markdown(found)):
        assert "1 of 4 values are NaN or infinite" in text
        assert "–" in text
        assert not re.search(r"\b(nan|inf|None)\b", text)


def test_half_says_what_leaves_the_range_and_what_was_run():
    _, page = html(result(fp16=half(False)))
    assert "blob 4 of layer conv_4 in init reaches infinity" in page.text
    assert "leaves the range" in page.text
    assert "∞" in page.text
    assert "no half kernel was run" in page.text
    _, page = html(result(fp16=half()))
    assert "the least headroom is 728×" in page.text


def test_worst_of_several_inputs_is_shown():
    worse = check("update", "noise 9", output("cls", 0.02), output("reg", 2e-5))
    found = result(verification=verification(*checks(), worse), problems=("cls",))
    _, page = html(found)
    assert "Worst: ncnn update alone, noise 9, output cls: off by 2.0e-02, 20× what is allowed" in page.text
    table = next(one for one in report_of(found, "").sections if one.key == "outputs").blocks[0]
    wrong = [row for row in table.rows if row.state == "bad"]
    assert [row.cells[:5] for row in wrong] == [("FAILED", "cls", "ncnn update alone", "2.0e-02", "1.0e-03")]
    assert wrong[0].cells[-1] == "beyond the tolerance"
    assert [row.cells[3] for row in table.rows] == ["1.0e-05", "2.0e-02", "2.0e-05"]
    other = check("update", "noise 9", output("cls"), output("reg"), same=False)
    _, page = html(result(verification=verification(*checks(), other), problems=("cell",)))
    assert "another best cell" in page.text
    assert "(2, 3), expected (8, 6)" in page.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a|b", "a\\|b"),
        ("<i>&", "&lt;i&gt;&amp;"),
        ("a\nb\r\n# c", "a b \\# c"),
        ("x_y*z`", "x\\_y\\*z\\`"),
        ("a\\|b", "a\\\\\\|b"),
    ],
)
def test_markdown_text(text, expected):
    assert markdown_text(text) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (error(4.38e-5), "4.4e-05"),
        (error(math.nan), "–"),
        (error(None), "–"),
        (error(True), "–"),
        (upper(8.61e-7), "8.7e-07"),
        (cosine(0.99999999999), "0.9999999"),
        (cosine(1.0), "1.0000000"),
        (overlap(0.999999), "0.99999"),
        (percent(0.0087), "0.87 %"),
        (percent(0.0), "0 %"),
        (percent(1e-9), "<0.0001 %"),
        (percent(3e-5), "0.003 %"),
        (percent(1.5), "150 %"),
        (percent(178.4), "178×"),
        (percent(math.inf), "–"),
        (times(1.64), "1.6×"),
        (plain(math.inf), "–"),
        (plain(False), "no"),
        (interval(-1.5, None), "–"),
        (listed(["a", "b", "c"]), "a, b and c"),
        (listed([]), ""),
    ],
)
def test_numbers_as_people_read_them(written, expected):
    assert written == expected


def test_files_that_changed_fail_their_section():
    problem = FileProblem("lighttrack_init.bin", "is missing")
    found = result(files=(problem,), problems=("lighttrack_init.bin is missing",))
    assert "1 file not as the manifest says" in html(found)[1].text
    assert "| Files and checksums | failed |" in markdown(found)
    assert "Not verified" in markdown(found)


def test_histograms_show_the_tolerance_and_figures_stand_at_the_right():
    source, page = html(result())
    assert source.count(">allowed 1.0e-04<") == 3
    classes = [set(one["class"].split()) for tag, one in page.tags if tag == "table" and one.get("class")]
    assert {"r4", "r5", "r6", "r7", "r8", "r9", "r10"} in classes


def test_an_option_on_the_page_is_one_word():
    source, _ = html(full(), f"lt-verify e1 --resume {NASTY} --re<b>")
    assert '<span class="option">--resume</span> &lt;img' in source
    assert '<span class="option">--re</span>&lt;b&gt;</code>' in source


def test_the_title_has_the_whole_path_of_the_export():
    page = report_of(replace(full(), export=Path("exports/LightTrackM_Subnet")), "today")
    assert page.title == "Verified: LightTrackM_Subnet in exports/LightTrackM_Subnet"
