"""bench() of :mod:`converter.api`: from arguments to :class:`BenchOptions`, and the measuring."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converter.bench import MEASURED
from converter.bench.exports import check_formats, check_same_network
from converter.bench.options import PRECISIONS, ROUNDS, RUNS, SECONDS, THREADS, BenchOptions
from converter.checks.vulkan.devices import chosen, devices
from converter.errors import UsageError
from converter.families.choice import check_official, official_root
from converter.folder.manifest import read_manifest
from converter.formats.format import checked_formats
from converter.report.text import now
from converter.spec.arguments import AnyPath, names_of, path_of, paths_of
from converter.spec.config import network_for
from converter.spec.options import VerifyOptions, VulkanOptions
from converter.util.stages import Listener

if TYPE_CHECKING:
    from converter.bench.result import BenchResult


def bench(
    folder: AnyPath | Sequence[AnyPath],
    checkpoint: AnyPath | None = None,
    *,
    formats: str | Sequence[str] = (),
    threads: int | Sequence[int] | None = None,
    precisions: str | Sequence[str] = (),
    official: AnyPath | None = None,
    config: AnyPath | None = None,
    allow_pickle: bool = False,
    rounds: int | None = None,
    runs: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    plot: AnyPath | None = None,
    reports: AnyPath | Sequence[AnyPath] = (),
    vulkan: VulkanOptions | None = None,
    progress: Listener | None = None,
    spent: float = 0.0,
    command_line: str = "",
) -> "BenchResult":
    """Measure how fast an export is on this machine, or several of one network side by side.

    Args:
        folder: of the export; or of several, each measured once.
        checkpoint: a file, to measure the network in torch as well.
        formats: to leave the others out.
        threads: how many; each number is measured (default: 1 and 2).
        precisions: "fp32", "half" (default: both).
        official, config, allow_pickle, progress: as for :func:`export`.
        rounds, runs: how often everybody has a turn (default: 20); what is timed in one (default: 3).
        seconds: how long it may take from the call on, loading included (default: 120); one round is measured.
        seed: of the order of the turns, and of the input.
        plot: a picture to draw, .png or .svg.
        reports, command_line: pages to write, .html or .md; and the call that they name, where a shell made it.
        vulkan: measure the ncnn models on a GPU too; of what :func:`vulkan_options` makes, only the device counts.
        spent: of the seconds before the call.

    Returns:
        true when all outputs were finite and all files those of the manifest; ``of("update")`` has the times.

    Raises:
        ConverterError: one of its kinds when it could not be measured.
    """
    began = time.monotonic() - spent
    from converter.bench.plot import check_plot, draw
    from converter.bench.run import bench as run

    formats, exports = checked_formats(formats), _each_once(paths_of(folder))
    check_official(path_of(official), checkpoint)

    def subject_in(export: Path) -> VerifyOptions:
        if os.path.isfile(export):
            raise UsageError(f"{export} is a file, and {MEASURED}")
        manifest = read_manifest(export, MEASURED)
        if len(exports) > 1:
            check_formats(export, manifest, formats)
        arch, network = network_for(manifest.arch, path_of(config), manifest.config())
        return VerifyOptions(
            arch=arch,
            network=network,
            checkpoint=path_of(checkpoint),
            official=official_root(path_of(official), network),
            allow_pickle=allow_pickle,
            folder=export,
            formats=formats,
        )

    subject, *others = subjects = list(map(subject_in, exports))
    check_same_network(subjects)
    threads = (threads,) if isinstance(threads, int) else threads
    options = BenchOptions(
        subject=subject,
        others=tuple(others),
        threads=tuple(dict.fromkeys(threads or THREADS)),
        precisions=names_of(precisions) or PRECISIONS,
        rounds=ROUNDS if rounds is None else rounds,
        runs=RUNS if runs is None else runs,
        seconds=SECONDS if seconds is None else seconds,
        seed=seed,
        plot=path_of(plot),
        device=chosen(vulkan.device, devices(vulkan.root)) if vulkan else None,
    )
    if options.plot:
        check_plot(options.plot)
    if pages := paths_of(reports):
        _check_reports(pages)
    result = run(options, progress, time.monotonic() - began)
    if options.plot:
        draw(options.plot, result)
    if pages:
        _write_reports(pages, result, command_line)
    return result


def _check_reports(paths: Sequence[Path]) -> None:
    """Before anything is measured."""
    from converter.report.writing import check_report_path

    for path in paths:
        check_report_path(path)


def _write_reports(paths: Sequence[Path], result: "BenchResult", command_line: str) -> None:
    from converter.bench.section import bench_report
    from converter.report.writing import write_report

    for path in paths:
        write_report(path, bench_report(result, now(), command_line))


def _each_once(folders: Sequence[Path]) -> list[Path]:
    """Raises UsageError for none."""
    if not folders:
        raise UsageError(f"no export: {MEASURED}")
    return list({os.path.realpath(folder): folder for folder in reversed(folders)}.values())[::-1]
