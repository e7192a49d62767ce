"""Settings tried on clips: who is calibrated on what, and what is kept of a measurement."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from converter.families.dimensions import dimensions_of
from converter.formats.format import format_of
from converter.formats.int8 import Int8Layer
from converter.quantize.journal import Journal
from converter.quantize.search import Measured, Setting
from converter.quantize.trials import Quantisers, Trials, quantisers
from converter.spec.config import network_for
from converter.spec.model import Model, TrackerModels
from converter.util.stages import Stages

CLIP = SimpleNamespace(looks=())


def tracker_of():
    network = network_for(None)[1]
    dimensions = dimensions_of(network)
    models = tuple(
        Model(graph, "ncnn", (f"{graph.name}.param", f"{graph.name}.bin"))
        for graph in network.graph_specs("two", dimensions)
    )
    return TrackerModels(network, dimensions, models)


class Noting:
    """A quantiser that knows what it was shown."""

    def __init__(self, fed, in_bytes):
        self.fed, self.in_bytes = fed, in_bytes
        self.layers = [Int8Layer("update a", "update", "one", 3), Int8Layer("update b", "update", "one", 4)]


def sample(value):
    return {name: np.full((1,), value, np.float32) for name in ("z", "x", "zf", "xf", "cls", "reg")}


def test_a_clip_judges_models_that_were_calibrated_on_the_others():
    form = replace(format_of("ncnn"), quantiser=Noting)
    samples = [[sample(1), sample(1)], [sample(2)], [sample(3)]]
    made = quantisers(form, tracker_of(), Path("folder"), samples)

    def seen(quantiser):
        assert [fed.graph.name for fed in quantiser.fed] == ["init", "update"]
        assert quantiser.in_bytes == {"init"}
        assert quantiser.fed[1].files == (Path("folder/update.param"), Path("folder/update.bin"))
        assert quantiser.fed[1].feeds[0].keys() == {"zf", "x"}
        return [float(feed["x"][0]) for feed in quantiser.fed[1].feeds]

    assert [seen(each) for each in made.of_clips] == [[2, 3], [1, 1, 3], [1, 1, 2]]
    assert seen(made.of_all) == [1, 1, 2, 3]
    (block,) = made.blocks
    assert (block.name, block.layers, block.multiply_adds) == ("one", ("update a", "update b"), 7)


def test_what_is_in_the_journal_is_not_measured_again(tmp_path):
    made = quantisers(replace(format_of("ncnn"), quantiser=Noting), tracker_of(), tmp_path, [[sample(1)], [sample(2)]])
    assert isinstance(made, Quantisers)
    told = []

    class Told:
        def begin(self, stage): ...
        def end(self, stage, seconds, note): ...
        def step(self, done, total, unit=""):
            told.append((done, total, unit))

    measured, setting = Measured((0.9, 0.8, 0.85), (0.7, 0.6, 0.65), 5), Setting(frozenset({"one"}), True)
    with closing_journal(tmp_path) as journal:
        blocks = {block.name: block for block in made.blocks}
        trials = Trials(made, blocks, [CLIP, CLIP], (), journal, 1e-5, Stages(Told()))
        journal.add(trials.layers(setting), True, measured)
        assert trials.measure([setting], 3) == [measured]
        assert (trials.done, trials.known) == (1, 1)
        assert told == [(1, 4, "settings, about 0 s left")]
        with pytest.raises(AttributeError):  # there is nothing that would measure it
            trials.measure([replace(setting, corrected=False)], 0)


def closing_journal(folder):
    return Journal(folder / "measured.jsonl", "search")
