"""The search for blocks in int8, on functions that are not monotone: errors make up for each other."""

import random

import pytest

from converter.quantize.search import Aim, Block, Found, Measured, Setting, blocks_of, search

AIM = Aim(0.97, 0.8)


def blocks(*multiply_adds):
    return [Block(f"b{place:02}", (f"layer {place}",), number) for place, number in enumerate(multiply_adds)]


class Network:
    """Of blocks with signed errors: what is off is what is left of their sum; fewer bytes for every block in int8."""

    def __init__(self, errors, correction=0.0):
        self.errors, self.correction, self.asked = errors, correction, []

    def of(self, setting):
        off = abs(sum(self.errors[name] for name in sorted(setting.blocks)) + self.correction * setting.corrected)
        return Measured((1 - off, 1 - off / 2), (max(0.0, 1 - 3 * off), 1.0), 1000 - len(setting.blocks))

    def measure(self, settings, left):
        assert left >= 0
        self.asked += settings
        return [self.of(setting) for setting in settings]


def found_in(network, all_blocks, aim=AIM):
    found = search(all_blocks, network.measure, aim)
    assert len(network.asked) == len(set(network.asked)), "a setting was measured twice"
    return found


def test_where_everything_passes_nothing_is_left_out():
    network = Network(dict.fromkeys((f"b{place:02}" for place in range(4)), 0.001))
    found = found_in(network, blocks(1, 2, 3, 4))
    assert found.passing(AIM)[0].blocks == {"b00", "b01", "b02", "b03"}
    assert len(network.asked) == 2


def test_what_gains_most_for_its_multiply_adds_goes_first():
    """b00 and b01 hurt alike, and b00 is of a tenth of the multiply-adds."""
    network = Network({"b00": 0.025, "b01": 0.025, "b02": 0.0, "b03": 0.0})
    found_in(network, blocks(10, 100, 50, 50))
    went_on_with = [setting.blocks for setting in network.asked if setting.corrected]
    assert {"b01", "b02", "b03"} in went_on_with
    assert {"b00", "b02", "b03"} not in went_on_with


def test_errors_that_cancel_are_kept_together():
    """Alone each of two blocks breaks the network; together they do nothing to it, and the third one has to go."""
    network = Network({"b00": 0.3, "b01": -0.3, "b02": 0.05, "b03": 0.001})
    found = found_in(network, blocks(10, 10, 10, 10))
    assert found.passing(AIM)[0].blocks == {"b00", "b01", "b03"}


def test_a_first_failure_ends_nothing():
    """Leaving out any single block makes it worse; two have to go for it to be better."""

    class Pairs(Network):
        def of(self, setting):
            gone = len(self.errors) - len(setting.blocks)
            off = (0.04, 0.2, 0.01, 0.02, 0.02)[min(gone, 4)]
            return Measured((1 - off,), (1.0,), 1000 - len(setting.blocks))

    names = {f"b{place:02}": 0.0 for place in range(5)}
    found = found_in(Pairs(names), blocks(1, 1, 1, 1, 1))
    assert len(found.passing(AIM)[0].blocks) == 3


def test_what_was_left_out_comes_back_where_it_can():
    """b02 goes first, as it hurts most for its size; once b00 is gone too, b02 does no harm."""
    network = Network({"b00": 0.04, "b01": 0.0, "b02": 0.02, "b03": 0.0})
    found = found_in(network, blocks(1000, 10, 1, 10))
    assert {"b01", "b02", "b03"} in [setting.blocks for setting in found.passing(AIM)]


def test_correction_is_used_where_it_measures_better():
    network = Network({"b00": 0.05, "b01": 0.01}, correction=-0.05)
    assert found_in(network, blocks(1, 1)).passing(AIM)[0] == Setting(frozenset({"b00", "b01"}), True)
    network = Network({"b00": 0.02, "b01": 0.001}, correction=0.05)
    assert not found_in(network, blocks(1, 1)).passing(AIM)[0].corrected


def test_where_nothing_passes_every_size_was_tried():
    network = Network({"b00": 0.5, "b01": 0.4, "b02": 0.3})
    found = found_in(network, blocks(1, 1, 1))
    assert found.passing(AIM) == []
    assert {len(setting.blocks) for setting in found.measured} == {1, 2, 3}


def test_a_search_that_goes_on_asks_for_nothing_again_and_aims_higher():
    errors = {f"b{place:02}": 0.004 for place in range(8)}
    network = Network(errors)
    found = found_in(network, blocks(*[1] * 8))
    first, before = found.passing(AIM)[0], len(network.asked)
    higher = Aim(0.99, 0.8)
    search(blocks(*[1] * 8), network.measure, higher, found)
    assert len(network.asked) == len(set(network.asked)) > before
    assert len(found.passing(higher)[0].blocks) < len(first.blocks)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_found_passes_and_the_same_call_finds_the_same(seed):
    generator = random.Random(seed)
    errors = {f"b{place:02}": generator.uniform(-0.06, 0.06) for place in range(14)}
    sizes = [generator.randint(1, 1000) for _ in errors]
    found, again = (search(blocks(*sizes), Network(errors).measure, AIM) for _ in range(2))
    assert list(found.measured.items()) == list(again.measured.items())
    passing = found.passing(AIM)
    assert passing, "fourteen errors of both signs can always be made small"
    assert all(Network(errors).of(setting).passes(AIM) for setting in passing)
    assert len(passing[0].blocks) >= 7
    assert len(found.measured) < 300


def test_a_smallest_overlap_counts_too():
    measured = Measured((0.99, 0.99), (0.79, 0.95), 1)
    assert not measured.passes(AIM)
    assert Measured((0.99, 0.99), (0.8, 0.95), 1).passes(AIM)
    assert measured.loss(AIM) > Measured((0.99, 0.99), (0.8, 0.95), 1).loss(AIM)


def test_passing_settings_are_by_bytes_and_none_is_empty():
    found = Found(
        {
            Setting(frozenset(), False): Measured((1.0,), (1.0,), 1),
            Setting(frozenset("a"), False): Measured((1.0,), (1.0,), 7),
            Setting(frozenset("ab"), False): Measured((1.0,), (1.0,), 7),
            Setting(frozenset("b"), True): Measured((0.98,), (0.9,), 5),
            Setting(frozenset("c"), True): Measured((0.9,), (0.9,), 2),
        }
    )
    assert [each.blocks for each in found.passing(AIM)] == [{"b"}, {"a", "b"}, {"a"}]


def test_layers_of_a_block_are_chosen_together():
    made = blocks_of([("update a", "x", 3), ("update b", "y", 4), ("update c", "x", 5)])
    assert made == [Block("x", ("update a", "update c"), 8), Block("y", ("update b",), 4)]


def test_correction_is_tried_where_nothing_passes_without_it():
    """With biases as they are nothing passes, whatever is in int8."""

    class Shifted(Network):
        def of(self, setting):
            off = 0.2 if not setting.corrected else 0.01 * len(setting.blocks)
            return Measured((1 - off,), (1.0,), 1000 - len(setting.blocks))

    found = found_in(Shifted({"b00": 0, "b01": 0, "b02": 0, "b03": 0}), blocks(1, 1, 1, 1))
    assert found.passing(AIM)[0].corrected
    assert len(found.passing(AIM)[0].blocks) == 3


def test_blocks_come_back_one_after_the_other():
    """Nothing passes before all but one are in float; from there on any two more may be in int8."""

    class Late(Network):
        def of(self, setting):
            inside = len(setting.blocks)
            off = 0.5 if self.asked and not self.low and inside > 1 else 0.0 if inside <= 3 else 0.5
            return Measured((1 - off,), (1.0,), 1000 - inside)

        def measure(self, settings, left):
            answers = super().measure(settings, left)
            self.low = self.low or min(len(each.blocks) for each in settings) == 1
            return answers

        low = False

    found = search(blocks(5, 4, 3, 2, 1), Late({}).measure, AIM)
    assert max(len(setting.blocks) for setting in found.passing(AIM)) == 3
