"""A signal that arrives where it cannot unwind the run is remembered until the next stage, and ends the run at last."""

import signal
import threading

import pytest

from converter.cli.progress import Interruption, StageLines


@pytest.fixture
def interruption():
    found = Interruption()
    with pytest.raises(Interruption.Interrupted):
        found._arrived(signal.SIGTERM, None)
    return found


def test_a_signal_that_was_swallowed_ends_the_run_at_the_next_stage(interruption):
    with pytest.raises(Interruption.Interrupted):
        interruption.raise_if_asked()
    assert interruption.line() == "interrupted by SIGTERM; nothing was published"


def test_a_signal_that_was_swallowed_ends_a_long_stage_at_its_next_part(interruption):
    lines = StageLines(interruption, quiet=True)
    with pytest.raises(Interruption.Interrupted):
        lines.step(1, 2)


def test_of_two_threads_that_would_end_the_process_one_does(interruption):
    answers = []
    other = threading.Thread(target=lambda: answers.append(interruption.ends()))
    assert interruption.ends()
    other.start()
    other.join()
    assert answers == [False]
    assert interruption.ends()  # it still does


def test_a_run_that_saves_ends_itself_and_a_second_signal_ends_its_saving():
    found = Interruption()
    found.saves = True
    for number in (signal.SIGINT, signal.SIGTERM):
        with pytest.raises(Interruption.Interrupted):
            found._arrived(number, None)
    assert found.number == signal.SIGINT
    answers = []
    other = threading.Thread(target=lambda: answers.append(found.ends()))
    other.start()
    other.join()
    assert answers == [False]


def test_without_a_signal_a_run_goes_on():
    Interruption().raise_if_asked()


def test_a_second_signal_changes_nothing(interruption):
    interruption._arrived(signal.SIGINT, None)
    assert interruption.number == signal.SIGTERM


def test_a_signal_behind_the_last_stage_comes_too_late():
    found = Interruption()
    StageLines(found, quiet=True).end("publish", 0.1, "")
    found._arrived(signal.SIGTERM, None)
    found.raise_if_asked()
    assert found.number is None
