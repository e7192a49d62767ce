"""Manifests as lt-export writes them."""

from comparisons import DIMENSIONS, NETWORK

from converter.folder.listing import preprocess_entry, tracker_entry
from converter.folder.manifest import Manifest

FORMATS = {"two": ("ncnn", (".param", ".bin")), "three": ("onnx", (".onnx",))}


def whole(*splits: str) -> Manifest:
    """Of models in these splits, each in its usual format."""
    graphs = []
    for split in splits:
        format, suffixes = FORMATS[split]
        for spec in NETWORK.graph_specs(split, DIMENSIONS):
            files = [{"name": f"{spec.name}{suffix}", "sha256": "0" * 64, "bytes": 8} for suffix in suffixes]
            size = {"template_size": 127, "search_size": 288, "score_size": 18}
            graphs.append(
                {
                    "name": spec.name,
                    "mode": spec.mode,
                    "format": format,
                    "files": files,
                    "inputs": spec.inputs,
                    "outputs": spec.outputs,
                    "sizes": [size],
                }
            )
    return Manifest.model_validate(
        {
            "schema_version": 1,
            "generator": {"name": "lighttrack-export", "version": "0.1.0"},
            "arch": "LightTrackM_Subnet",
            "path_name": NETWORK.path_name,
            "checkpoint": {"file": "a.pth", "sha256": "1" * 64, "epoch": 3},
            "multiply_adds": {"init": 5},
            "formats": {"ncnn": {"split": "two", "oldest_ncnn": "20220216"}},
            "precision": "fp32",
            "graphs": graphs,
            "golden": "golden",
            "preprocess": preprocess_entry(NETWORK.preprocess).model_dump(),
            "tracker": tracker_entry(NETWORK, DIMENSIONS).model_dump(),
            "tools": {"python": "3.11"},
            "verification": {"status": "passed", "seed": 3, "checks": [{"graph": "init"}]},
        }
    )
