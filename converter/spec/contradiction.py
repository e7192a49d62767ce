"""What a network's config says in one place and contradicts in another."""

from typing import TYPE_CHECKING

from converter.errors import did_you_mean
from converter.spec.scores import CHANNELS, IN_WORDS

if TYPE_CHECKING:
    from converter.spec.network import NetworkSpec


def contradiction(spec: "NetworkSpec") -> str | None:
    """The first one, in a phrase; None where there is none."""
    tensors = spec.tensors.keys()
    outputs = {name for graph in spec.graphs.values() for name in graph.outputs}
    used = [name for graph in spec.graphs.values() for name in (*graph.inputs, *graph.masks, *graph.outputs)]
    for where, names, among in (
        ("graphs", used, tensors),
        ("splits", [name for split in spec.splits.values() for name in split], spec.graphs.keys()),
        ("default_splits", spec.default_splits.values(), spec.splits.keys()),
        ("tolerances", [name for table in spec.tolerances.values() for name in table], tensors),
        ("decision", [spec.decision], outputs),
        ("logits", spec.logits, outputs),
        ("activations", spec.activations, spec.logits),
        ("read_from", spec.read_from, spec.splits.keys()),
        ("read_from", [entry.graph for entry in spec.read_from.values()], spec.graphs.keys()),
        ("read_from", [name for entry in spec.read_from.values() for name in entry.reads], spec.graphs.keys()),
        ("arm", [name for mode in spec.arm.values() for name in mode.tolerances], tensors),
        ("vulkan", [name for mode in spec.vulkan.values() for name in mode.tolerances], tensors),
    ):
        if unknown := [name for name in names if name not in among]:
            nearest = did_you_mean(unknown[0], among)
            return f"{where} names {unknown[0]!r}, known are {', '.join(among) or 'none'}{nearest}"
    for split in spec.splits:
        if problem := _no_tracker(spec, split):
            return f"splits.{split} {problem}"
    if others := [name for name, activation in spec.activations.items() if activation != spec.activation]:
        found = f"{others[0]} is {spec.activations[others[0]]!r}"
        return f"activations.{found}, expected {spec.activation!r}, the network's activation"
    for name in spec.logits:
        if spec.tensors[name].shape[1:2] != [CHANNELS[spec.activation]]:
            return f"activation is {spec.activation!r}, {IN_WORDS[spec.activation]}, which {name} has not"
    for split, entry in spec.read_from.items():
        if problem := entry.misread(spec.graphs):
            return f"read_from.{split} {problem}"
    if "fp32" not in spec.tolerances:
        return "tolerances has no 'fp32', which an export needs"
    for precision, table in spec.tolerances.items():
        if missing := sorted(outputs - table.keys()):
            return f"tolerances.{precision} has none for output {missing[0]!r}"
    return None


def _no_tracker(spec: "NetworkSpec", split: str) -> str | None:
    """Why the graphs of a split are none, in a phrase: from both images to the scores, each of them once."""
    names = spec.splits[split]
    if twice := [name for name in names if names.count(name) > 1]:
        return f"names {twice[0]!r} twice"
    graphs = [spec.graphs[name] for name in names]
    given = {name for graph in graphs for name in graph.outputs}
    taken = {name for graph in graphs for name in graph.inputs}
    computed = {name for graph in spec.graphs.values() for name in graph.outputs}
    images = {name for graph in spec.graphs.values() for name in graph.inputs} - computed
    if unused := sorted(images - taken):
        return f"has no graph that takes {unused[0]!r}"
    if lacking := sorted(((taken & computed) | {spec.decision}) - given):
        return f"has no graph that gives {lacking[0]!r}"
    return None
