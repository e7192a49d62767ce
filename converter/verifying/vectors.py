"""Golden vectors, written on request."""

from collections.abc import Callable, Sequence
from pathlib import Path

from converter.checks.arm.section import ArmSection
from converter.checks.device.run import Answered
from converter.checks.vulkan.section import VulkanSection
from converter.folder.golden_index import GoldenHeader, GoldenIndex
from converter.folder.golden_writer import GoldenCase, golden_header, write_golden
from converter.folder.vectors import make_vectors, publish_vectors
from converter.util.atomic import scratch
from converter.verifying.run import Run


def write_vectors(run: Run, target: Path) -> None:
    """What the network computes for the inputs compared, as golden vectors of the models' graphs."""
    header = _header(run, run.reference.about)
    module, patterns = run.network.module, run.subject.tracker.network.intermediates
    _write(target, lambda folder: make_vectors(folder, header, module, run.comparisons, patterns))


def write_device_vectors(
    run: Run, target: Path, section: ArmSection | VulkanSection, answered: Sequence[Answered]
) -> None:
    """What another device computed, graphs chained; nothing from inside graphs.

    A device with the same kernels should give the same to the last bits.
    """
    (mode,) = section.modes
    words = f"{section.about}, {mode.mode.name} ({mode.mode.about}), graphs chained"
    header, graphs = _header(run, words), run.comparison.tracker.graphs("ncnn")
    cases = [GoldenCase(graphs, feed, tensors, {}) for feed, tensors in answered]
    _write(target, lambda folder: write_golden(folder, header, cases))


def _header(run: Run, reference: str) -> GoldenHeader:
    return golden_header(run.options.arch, run.comparison, run.network, reference, run.subject.precision)


def _write(target: Path, make: Callable[[Path], GoldenIndex]) -> None:
    with scratch("lt-verify-") as folder:
        publish_vectors(target, folder, make(folder))
