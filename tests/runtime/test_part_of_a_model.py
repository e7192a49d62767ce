"""One ncnn model that is run as two: its template part needs no template features, its update part both inputs."""

import numpy as np
import pytest

from commands import lt_export
from conftest import TINY
from converter.errors import ConversionError
from converter.formats.ncnn.runner import NcnnRunner
from converter.formats.ncnn.weights import load_model, load_part
from converter.spec.tensors import GraphSpec, TensorSpec

SHAPES = {
    "z": (1, 3, 127, 127),
    "x": (1, 3, 288, 288),
    "zf": (1, 40, 16, 16),
    "cls": (1, 1, 36, 36),
    "reg": (1, 4, 36, 36),
}


@pytest.fixture(scope="module")
def files(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("one") / "out"
    options = ["--split", "one", "--rename", "xf=745", "--rename", "x=input", "--rename", "zf=temp"]
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", folder, "--no-verify", "-q", *options)
    assert done.code == 0, done.err
    return folder / "lighttrack_single.param", folder / "lighttrack_single.bin"


def graph(inputs, outputs):
    def tensors(names):
        return tuple(
            TensorSpec(name=name, meaning=meaning, about="", shape=SHAPES[meaning]) for name, meaning in names.items()
        )

    return GraphSpec(name="part", family="lighttrack", mode="m", inputs=tensors(inputs), outputs=tensors(outputs))


INIT = graph({"input": "z"}, {"745": "zf"})
UPDATE = graph({"temp": "zf", "input": "x"}, {"cls": "cls", "reg": "reg"})


def noise(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_template_part_runs_by_itself(files, tmp_path):
    z = noise(SHAPES["z"], 0)
    answer = NcnnRunner(*files, INIT).infer({"input": z})["745"]
    assert answer.shape == SHAPES["zf"]
    part, weights = load_part(*files, ["745"])
    written = tmp_path / "part.param", tmp_path / "part.bin"
    written[0].write_text(part.text())
    written[1].write_bytes(weights.data())
    assert part.input_blobs() == ["input"]
    assert len(weights.data()) < 0.7 * files[1].stat().st_size
    load_model(*written)
    assert np.array_equal(NcnnRunner(*written, INIT, any_outputs=True).infer({"input": z})["745"], answer)


def test_both_parts_are_the_two_models(files, tiny_export):
    z, x = noise(SHAPES["z"], 0), noise(SHAPES["x"], 1)
    zf = NcnnRunner(*files, INIT).infer({"input": z})["745"]
    found = NcnnRunner(*files, UPDATE).infer({"temp": zf, "input": x})

    def runner(name, graph):
        return NcnnRunner(tiny_export / f"lighttrack_{name}.param", tiny_export / f"lighttrack_{name}.bin", graph)

    init, update = graph({"z": "z"}, {"zf": "zf"}), graph({"zf": "zf", "x": "x"}, {"cls": "cls", "reg": "reg"})
    expected = runner("init", init).infer({"z": z})
    np.testing.assert_allclose(zf, expected["zf"], atol=1e-5 * np.ptp(zf))
    expected = runner("update", update).infer({"zf": zf, "x": x})
    for name in ("cls", "reg"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-5 * np.ptp(expected[name]))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (graph({"input": "x"}, {"cls": "cls"}), r"has inputs \['input', 'temp'\], expected \['input'\]"),
        (graph({"temp": "zf"}, {"745": "zf"}), r"has inputs \['input', 'temp'\], expected \['temp'\]"),
        (graph({"input": "z", "other": "zf"}, {"745": "zf"}), r"expected \['input', 'other'\]"),
        (graph({"input": "z"}, {"746": "zf"}), r"has inputs|has outputs"),
        (
            graph({"temp": "zf", "input": "x"}, {"746": "zf"}),
            r"has outputs \['745', 'cls', 'reg'\], expected \['746'\]",
        ),
    ],
)
def test_a_part_needs_its_own_inputs_and_outputs(files, wrong, words):
    with pytest.raises(ConversionError, match=rf"^lighttrack_single\.param .*{words}"):
        NcnnRunner(*files, wrong)
