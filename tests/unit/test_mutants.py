"""The list of mutants fits the tree: each is in one place, and its tests are there. ``make mutants`` runs them."""

import pytest
from mutants.entries import Mutant, node_id, place_of, read_list, sources

MUTANTS, TEXTS = read_list(), sources()


def test_there_are_enough_and_no_two_of_a_name():
    assert len(MUTANTS) >= 100
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_in_one_place_and_its_tests_are_there(mutant):
    path, line = place_of(mutant, TEXTS)
    assert mutant.old.splitlines()[0] in TEXTS[path].splitlines()[line - 1]
    assert mutant.new != mutant.old
    assert mutant.tests
    assert all(node_id(test) for test in mutant.tests)


def test_a_text_that_is_not_there_once_and_a_test_that_is_not_there_are_refused():
    texts = {"a.py": "x = 1\nx = 1\n"}
    for old, new, said in (
        ("x = 1", "x = 2", "there 2 times, expected once"),
        ("y", "x", "there 0 times, expected once"),
        ("1\nx", "(\nx", "cannot be read with it"),
    ):
        with pytest.raises(ValueError, match=said):
            place_of(Mutant("name", "what", old, new, ()), texts)
    for test, said in (
        ("test_nothing_is_called_so.py", "0 files"),
        ("test_mutants.py::test_not_there", "no such test in test_mutants.py"),
    ):
        with pytest.raises(ValueError, match=said):
            node_id(test)
