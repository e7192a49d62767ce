"""A calibration set of small arrays, as lt-calibrate writes one."""

from pathlib import Path

import numpy as np

from converter.calibrate.layouts import LAYOUTS
from converter.calibrate.listing import MARKER, CalibrationGraph, CalibrationListing, SampleEntry
from converter.folder.listing import CheckpointEntry, FileEntry, GeneratorEntry, preprocess_entry
from converter.proof.boxes import Box
from converter.spec.config import network_for
from converter.spec.tensors import TensorSpec
from converter.util.atomic import sha256

SHAPES = {"z": (1, 3, 8, 8), "x": (1, 3, 16, 16), "zf": (1, 4, 2, 2)}


def make_calibration(folder: Path, samples: int = 2, layouts: tuple[str, ...] = ("npy", "raw")) -> CalibrationListing:
    """Write it; the listing."""
    tensors = {name: TensorSpec(name=name, meaning=name, about=name, shape=shape) for name, shape in SHAPES.items()}
    graphs = (
        CalibrationGraph(name="init", inputs=(tensors["z"],)),
        CalibrationGraph(name="update", inputs=(tensors["zf"], tensors["x"])),
    )
    generator = np.random.default_rng(0)
    arrays = [
        {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
        for _ in range(samples)
    ]
    entries = []
    for layout in layouts:
        for name, data in LAYOUTS[layout](arrays, graphs):
            path = folder / layout / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            entries.append(FileEntry(name=f"{layout}/{name}", sha256=sha256(path), bytes=len(data)))
    arch, network = network_for(None)
    listing = CalibrationListing(
        schema_version=1,
        generator=GeneratorEntry(name="lighttrack-export", version="0"),
        arch=arch,
        path_name=network.path_name,
        checkpoint=CheckpointEntry(file="a.pth", sha256="0" * 64, epoch=1),
        preprocess=preprocess_entry(network.preprocess),
        template_size=network.template_size,
        search_size=network.search_size,
        seed=0,
        layouts=layouts,
        graphs=graphs,
        samples=tuple(SampleEntry.of_frame("a.avi", frame + 1, 0, Box(1, 2, 3, 4), 0.5) for frame in range(samples)),
        files=tuple(entries),
    )
    (folder / MARKER).write_text(listing.text())
    return listing
