"""Half weights of the trained tracker, beside pnnx's own half file."""

import json
import subprocess

import numpy as np
from consumer import answers, extract, images, load

from commands import lt_export, lt_verify
from conftest import MOBILE
from converter.exporting.plan import plan_export
from converter.formats.ncnn.convert import pnnx_binary
from converter.network.load import load_network
from converter.network.trace import saved, trace
from converter.spec.options import ExportOptions
from converter.spec.presets import Wanted, choose


def pnnx_halves(checkpoint, folder, path_name=None):
    """The files of pnnx's own fp16=1, under the names of ours."""
    choice = choose(Wanted(path_name=path_name))
    options = ExportOptions(**dict(choice), checkpoint=checkpoint, output=folder)
    (tracker,) = plan_export(options).trackers
    network = load_network(options, tracker.dimensions.stride)
    for graph in tracker.graphs("ncnn"):
        place = folder / graph.name
        place.mkdir(parents=True)
        (place / "model.pt").write_bytes(saved(trace(network.module, graph).module))
        shapes = ",".join(f"[{','.join(map(str, tensor.shape))}]f32" for tensor in graph.inputs)
        subprocess.run(
            [pnnx_binary(), "model.pt", f"inputshape={shapes}", "fp16=1"], cwd=place, check=True, capture_output=True
        )
        for suffix in ("param", "bin"):
            (place / f"model.ncnn.{suffix}").rename(folder / f"{graph.name}.{suffix}")
    return folder


def errors(found, expected):
    return [float(np.abs(one - other).max() / np.ptp(other)) for one, other in zip(found, expected, strict=True)]


def test_the_trained_tracker_is_nearer_than_pnnx_own_halves_and_no_larger(shared, tmp_path):
    checkpoint = shared / "checkpoints/LightTrackM.pth"
    done = lt_export("--resume", checkpoint, "-o", tmp_path / "ours", "--half", "-q")
    assert done.code == 0, done.err
    theirs = pnnx_halves(checkpoint, tmp_path / "pnnx")
    z, x = images(127, 288)
    expected = answers(checkpoint, z, x, MOBILE)
    zf = extract(load(tmp_path / "ours", "lighttrack_init"), {"z": z}, ["zf"])
    ours = zf + extract(load(tmp_path / "ours", "lighttrack_update"), {"zf": expected[0], "x": x}, ["cls", "reg"])
    other = extract(load(theirs, "init"), {"in0": z}, ["out0"])
    other += extract(load(theirs, "update"), {"in0": expected[0], "in1": x}, ["out0", "out1"])
    for mine, yours in zip(errors(ours, expected), errors(other, expected), strict=True):
        assert mine <= yours
    assert errors(zf, expected[:1])[0] < 1e-5  # its backbone is made of halves, subnormal ones among them
    for name in ("init", "update"):
        size = (tmp_path / f"ours/lighttrack_{name}.bin").stat().st_size
        assert size <= (theirs / f"{name}.bin").stat().st_size


def test_flushed_subnormals_do_not_pass(shared, tmp_path):
    """pnnx's own half weights of the trained tracker, in the place of ours."""
    checkpoint = shared / "checkpoints/LightTrackM.pth"
    folder = tmp_path / "ours"
    assert lt_export("--resume", checkpoint, "-o", folder, "--half", "-q").code == 0
    theirs = pnnx_halves(checkpoint, tmp_path / "pnnx")
    (folder / "lighttrack_init.bin").write_bytes((theirs / "init.bin").read_bytes())
    done = lt_verify(folder, "--resume", checkpoint, "--json")
    assert done.code == 1
    failed = {
        (check["graph"], check["how"])
        for check in json.loads(done.out)["verification"]["checks"]
        if not check["passed"]
    }
    assert ("init", "alone") in failed
