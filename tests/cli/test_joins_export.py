"""How the parts of an export are joined: what one finds out is what the next one does, at every size."""

import hashlib
import json

import pytest
from default_inputs import NOISE, PICTURES

from commands import lt_export
from conftest import TINY

SIZES = (128, 144)


@pytest.fixture(scope="module")
def export(loud, loud_picture, tmp_path_factory):
    """Exports of a network whose sums overflow in halves, compared on little noise and on pictures."""
    folder = tmp_path_factory.mktemp("joins")
    (folder / "little.yaml").write_text("noise_feeds: 1\n")

    def run(name, *options, sizes=SIZES, images=(loud_picture,)):
        words = [word for size in sizes for word in ("--search-size", size)]
        words += [word for image in images for word in ("--image", image)]
        done = lt_export(
            *("--resume", loud, "--path-name", TINY, "-o", folder / name, "--config", folder / "little.yaml"),
            *(*words, *options, "--json"),
        )
        return folder / name, done

    return run


@pytest.fixture(scope="module")
def plain(export):
    folder, done = export("plain")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


@pytest.fixture(scope="module")
def protected(export):
    folder, done = export("protected", "--protect-fp16")
    assert done.code == 0, done.err
    return folder, json.loads(done.out)


def test_layers_that_could_overflow_are_protected_at_every_size(plain, protected):
    expected = {f"update_{size}": ["convrelu_0", "conv_37"] for size in SIZES}
    assert protected[1]["protected_from_half"] == expected
    assert plain[1]["protected_from_half"] is None
    for graph in ("init", "update_128", "update_144"):
        before, after = ((folder / f"lighttrack_{graph}.param").read_text() for folder, _ in (plain, protected))
        layers = expected.get(graph, ())
        head, lines = before.splitlines()[:2], before.splitlines()[2:]
        lines = [f"{line} 31=1" if line.split()[1] in layers else line for line in lines]
        assert after.splitlines() == head + lines
        assert [line.split()[1] for line in lines if "31=" in line] == list(layers)
        weights = [(folder / f"lighttrack_{graph}.bin").read_bytes() for folder, _ in (plain, protected)]
        assert weights[0] == weights[1]


def test_what_is_published_is_what_was_protected(protected):
    folder, manifest = protected
    listed = {file["name"]: file["sha256"] for graph in manifest["graphs"] for file in graph["files"]}
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("lighttrack_*")}
    assert listed == found
    assert len(found) == 6


def test_every_input_is_compared_at_every_size(plain):
    names = [f"{name} at 127/{size}" for size in SIZES for name in (NOISE[0], *PICTURES, "loud.png")]
    assert plain[1]["verification"]["feeds"] == names
    compared = {check["feed"] for check in plain[1]["verification"]["checks"] if check["how"] == "chained"}
    assert compared == set(names)


def test_the_proof_is_of_the_models_with_the_masks(export, monkeypatch):
    """Masks change nothing in float32; what stands in for them here, does."""
    from converter.checks.half import masks

    protect_files = masks.protect_files

    def and_damage(params, protect):
        text = params["update"].read_text()
        params["update"].write_text(text.replace("0=2 1=1 2=16.0", "0=2 1=1 2=15.0"))
        assert params["update"].read_text() != text
        return protect_files(params, protect)

    monkeypatch.setattr(masks, "protect_files", and_damage)
    folder, done = export("damaged", "--protect-fp16", sizes=[128], images=())
    assert done.code == 1, done.err
    assert "worst in ncnn update" in done.error_line
    assert "reg is off by" in done.error_line
    assert not folder.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--protect-fp16", "--no-verify"), "--protect-fp16 wants the proof's inputs and answers"),
        (("--golden", "vectors", "--no-verify"), "--golden wants the proof's inputs and answers"),
        (("--protect-fp16", "--format", "onnx"), "--protect-fp16 is about ncnn models; add --format ncnn"),
    ],
)
def test_options_that_need_each_other(tiny, tmp_path, options, words):
    done = lt_export("--resume", tiny, "--path-name", TINY, "-o", "out", *options, cwd=tmp_path)
    assert done.code == 2
    assert words in done.error_line
    assert list(tmp_path.iterdir()) == []
