"""Rounds of searching and judging: what fails whole is aimed at with more, and nothing passes in part."""

from types import SimpleNamespace

import pytest

from converter.errors import ConversionError
from converter.quantize import judging
from converter.quantize.judging import ROUNDS, Judge
from converter.quantize.search import Block, Measured, Setting
from converter.quantize.whole import OnClip, Whole
from converter.spec.tensors import StepLimits
from converter.util.stages import Stages

LIMITS = StepLimits(iou=0.97, smallest=0.8)


class Pictures:
    def __init__(self, passed):
        self.passed = passed

    def __bool__(self):
        return self.passed

    def failure(self):
        return "" if self.passed else "on the pictures: far off"


def clip(mean, failure=""):
    return OnClip("one.avi", mean, 0.9, 0.95, 0.96, failure)


@pytest.mark.parametrize(
    ("whole", "failures"),
    [
        (Whole((clip(0.98),), (clip(0.975),), Pictures(True)), []),
        (Whole((clip(0.98),), (clip(0.96, "too low"),), Pictures(True)), ["one.avi, left out: too low"]),
        (Whole((clip(0.96, "too low"),), (clip(0.98),), Pictures(True)), ["one.avi: too low"]),
        (Whole((clip(0.98),), (clip(0.98),), Pictures(False)), ["on the pictures: far off"]),
    ],
)
def test_a_setting_passes_on_every_clip_with_either_calibration_and_on_the_pictures(whole, failures):
    assert bool(whole) == (not failures)
    assert whole.failures() == failures


def test_what_was_not_judged_with_the_calibration_of_all_does_not_pass():
    assert not Whole((), (clip(0.98),), Pictures(True))


class Tracker:
    network = SimpleNamespace(step_limits=lambda precision: LIMITS)


class Trials:
    """Ten blocks, each of which costs as much; on the frames that are looked at by ``kinder`` less."""

    def __init__(self):
        self.blocks = {f"b{place}": Block(f"b{place}", (f"layer {place}",), 1) for place in range(10)}

    def measure(self, settings, left):
        return [Measured((1 - 0.005 * len(each.blocks),), (0.9,), 100 - len(each.blocks)) for each in settings]


def judge(monkeypatch, kinder):
    """A judge that judges whole with less than the frames that are looked at show."""
    made = Judge(Trials(), [None], Tracker(), None, {}, Stages())

    def whole(settings):
        for setting in settings:
            mean = 1 - 0.005 * len(setting.blocks) - kinder
            failure = "" if mean >= LIMITS.iou else "too low"
            on = (clip(mean, failure),)
            made.judged.settings[setting] = Whole(() if failure else on, on, Pictures(True))
            made.judged.models[setting] = SimpleNamespace(bytes=100 - len(setting.blocks))

    monkeypatch.setattr(made, "_whole", whole)
    return made


def test_the_aim_rises_by_as_much_as_fails(monkeypatch):
    made = judge(monkeypatch, kinder=0.012)
    made.run()
    assert {len(setting.blocks) for setting in made.judged.passed} == {3}
    judged = [len(setting.blocks) for setting in made.judged.settings]
    assert judged[0] == 6
    assert len(judged) <= 2 * judging.TOGETHER


def test_after_some_rounds_it_is_refused(monkeypatch):
    made = judge(monkeypatch, kinder=0.5)
    made.run()
    assert made.judged.passed == []
    assert len(made.judged.settings) <= ROUNDS * judging.TOGETHER


def test_of_those_that_pass_the_smallest_is_first(monkeypatch):
    made = judge(monkeypatch, kinder=0.0)
    made.run()
    first, *_ = made.judged.passed
    assert isinstance(first, Setting)
    assert all(made.judged.models[first].bytes <= made.judged.models[each].bytes for each in made.judged.passed)


def test_what_cannot_be_made_is_not_judged_and_the_next_is(monkeypatch):
    """A draft that passes proves nothing; the aim stays, for nothing was found out about boxes."""
    made = judge(monkeypatch, kinder=0.0)
    whole = made._whole

    def some(settings):
        gone = [] if made.judged.unwritten else settings[:2]
        made.judged.unwritten.update(dict.fromkeys(gone, "the toolkit says no"))
        whole([each for each in settings if each not in gone])

    monkeypatch.setattr(made, "_whole", some)
    made.run()
    assert len(made.judged.unwritten) == 2
    assert {len(setting.blocks) for setting in made.judged.passed} == {6}
    assert not made.judged.unwritten.keys() & made.judged.settings.keys()


class Refusing:
    """Quantisers of which nothing can be written."""

    of_clips, of_all, layers = (1, 2), 3, ("layer",)

    def __init__(self, drafts):
        self.format = SimpleNamespace(load_draft=drafts)

    def written(self, quantiser, layers, corrected):
        raise ConversionError("no")


def test_only_where_a_draft_was_tried_may_writing_fail(monkeypatch):
    made = judge(monkeypatch, kinder=0.0)
    setting = Setting(frozenset({"b1"}), True)
    made.trials.layers = lambda setting: ["layer"]
    made.trials.quantisers = Refusing(drafts=print)
    assert made._written(setting) == []
    assert made.judged.unwritten == {setting: "no"}
    made.trials.quantisers = Refusing(drafts=None)
    with pytest.raises(ConversionError, match="no"):
        made._written(setting)
