"""JUnit's XML: valid whatever the words in it, and whole or not at all."""

import os
from pathlib import Path
from xml.etree import ElementTree

import pytest
from junit import SCHEMA, read_junit

from converter.errors import ConversionError
from converter.report.junit import ERROR, FAILED, SKIPPED, Case, Suite, case, junit_of, write_junit

CASES = (
    Case("proof", "ncnn init alone, noise 0"),
    Case("proof", "ncnn update alone, noise 0", FAILED, "cls is off"),
    Case("checks", "clip", ERROR, "cannot be opened"),
    Case("checks", "arm", SKIPPED, "not asked for"),
)


def suite(*cases):
    return Suite("lt-verify", cases or CASES, 1.23456, "2026-01-02T03:04:05")


def test_every_case_has_its_outcome_and_its_line(tmp_path):
    write_junit(tmp_path / "a.xml", suite())
    read = read_junit(tmp_path / "a.xml")
    assert read.cases == {(f"lt-verify.{each.group}", each.name): (each.outcome, each.message) for each in CASES}
    assert read.counts == {"tests": 4, "failures": 1, "errors": 1, "skipped": 1}
    root = ElementTree.fromstring(junit_of(suite()).partition("\n")[2])
    assert (root.get("time"), root[0].get("name"), root[0].get("timestamp")) == (
        "1.235",
        "lt-verify",
        suite().timestamp,
    )


def test_a_check_that_failed_has_a_line_and_one_that_passed_has_none():
    assert case("checks", "clip", False, "no frame was compared") == Case(
        "checks", "clip", FAILED, "no frame was compared"
    )
    assert case("checks", "clip", True, "no frame was compared") == Case("checks", "clip")


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0), 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
def test_no_control_character_and_no_half_of_one_gets_in(tmp_path, code):
    words = f"a{chr(code)}b"
    write_junit(tmp_path / "a.xml", suite(Case("proof", words, FAILED, words)))
    text = (tmp_path / "a.xml").read_text(encoding="utf-8")
    assert [character for character in text if ord(character) == code and code != 10] == []
    ((name, outcome),) = read_junit(tmp_path / "a.xml").cases.items()
    assert name[1] == outcome[1] in ("a b", "a\N{REPLACEMENT CHARACTER}b")


def test_words_of_others_are_no_markup(tmp_path):
    words = "</testcase><testcase name=\"forged\"/> ]]> <!-- & ' 'größer' ∆ \U0001f600"
    write_junit(tmp_path / "a.xml", suite(Case("proof", words, FAILED, words)))
    assert read_junit(tmp_path / "a.xml").cases == {("lt-verify.proof", words): (FAILED, words)}


@pytest.mark.parametrize("fails", ["write_text", "replace"])
def test_an_earlier_file_outlives_a_failure(tmp_path, monkeypatch, fails):
    path = tmp_path / "a.xml"
    path.write_text("old")

    def full_disk(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((Path, "write_text") if fails == "write_text" else (os, "replace")), full_disk)
    with pytest.raises(
        ConversionError, match=r"cannot write .*a\.xml: No space left on device; the list of tests is lost"
    ):
        write_junit(path, suite())
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["a.xml"]


def test_the_schema_refuses_what_is_no_junit():
    assert not SCHEMA.is_valid("<testsuites/>")
    assert not SCHEMA.is_valid(junit_of(suite()).replace("<failure", "<failed").replace("</failure", "</failed"))
    assert not SCHEMA.is_valid(junit_of(suite(CASES[0], CASES[0])))
