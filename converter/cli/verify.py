"""``lt-verify``: parse, build VerifyOptions, call, print."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from converter.cli.command import Command, Session, finite, format_names, log_to_stderr, official_root, summary_console
from converter.cli.options import arm, checks, models, network, output
from converter.cli.progress import StageLines
from converter.cli.weights import settled
from converter.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint
    from converter.spec.network import NetworkSpec
    from converter.spec.options import VerifyOptions


ABOUT = (
    "Prove that converted models are the tracker that was trained.\n\n"
    "Takes an export folder of lt-export, or single .param and .onnx files that anybody converted, runs them beside "
    "the unpatched PyTorch network (--resume) or against golden vectors, and says where they differ."
)
EPILOG = (
    "Exit codes: 0 verified, 1 verification failed, 2 wrong usage, 3 checkpoint, 4 something could not "
    "be run or written, 5 missing or unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to an error."
)
COMMON_SEARCH_SIZES = (288, 256)
SETUP_STAGE = "setup"  # none is called so: all of it can be interrupted
WRITE_ADVICE = "--write-golden is a flag: --golden DIR names the folder to write to"
SETUP_ADVICE = "--setup-arm is a flag: --arm-root DIR names the folder to build"
ADVICE = {"--write-golden": WRITE_ADVICE, "--setup-arm": SETUP_ADVICE}

command = Command("lt-verify", ABOUT, EPILOG, ADVICE)


@command.entry
def verify_command(
    context: typer.Context,
    exports: models.Exports = None,
    resume: network.Resume = None,
    init: models.Init = None,
    update: models.Update = None,
    backbone: models.Backbone = None,
    neck_head: models.NeckHead = None,
    rename: models.BlobNames = None,
    format: models.Formats = None,
    runtime: checks.Runtimes = None,
    arm_mode: arm.Modes = None,
    arm_cpu: arm.Cpu = None,
    arm_inputs: arm.Inputs = None,
    arm_blobs: arm.Blobs = False,
    arm_rtol: arm.Rtol = None,
    arm_timeout: arm.Timeout = None,
    arm_root: arm.Root = None,
    setup_arm: arm.Setup = False,
    arch: network.Arch = None,
    path_name: network.PathName = None,
    template_size: network.TemplateSize = None,
    search_size: network.SearchSize = None,
    sigmoid: models.Sigmoid = None,
    masks: models.Masks = False,
    partial: models.Partial = False,
    official: network.Official = None,
    config: network.Config = None,
    allow_pickle: network.AllowPickle = False,
    image: checks.Images = None,
    seed: checks.Seed = None,
    atol: checks.Atol = None,
    rtol: checks.Rtol = None,
    layers: checks.Layers = False,
    clip: checks.Clip = None,
    box: checks.Box = None,
    min_iou: checks.MinIou = 0.9,
    dumps: checks.Dumps = None,
    fp16_report: checks.Fp16Report = False,
    golden: output.Golden = None,
    write_golden: output.WriteGolden = False,
    golden_from: output.GoldenFrom = "torch",
    annotate: output.Annotate = None,
    tracks: output.Tracks = None,
    report: output.Reports = None,
    as_json: output.Json = False,
    verbose: output.Verbose = False,
    quiet: output.Quiet = False,
    version: output.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    if setup_arm:
        if exports:
            raise UsageError(
                f"--setup-arm builds what --runtime {arm.RUNTIME} needs, and verifies nothing: leave {exports[0]} out; "
                f"{SETUP_ADVICE}"
            )
        _set_up_arm(arm_root, context.obj, quiet)
        return
    from converter.formats.format import host_runtimes
    from converter.spec.options import VerifyOptions
    from converter.verifying.checkup import LAST_STAGE

    files = {"init": init, "update": update, "backbone": backbone, "neck_head": neck_head}
    loose = {name: path for name, path in files.items() if path is not None}
    export = _export(exports, loose, write_golden)
    runtimes = arm.runtimes_of(runtime, (*host_runtimes(), arm.RUNTIME))
    arm_wanted = arm.ArmWanted(arm_mode, arm_cpu, arm_inputs, arm_blobs, arm_rtol, arm_timeout, arm_root)
    arm_options = arm.arm_options(runtimes, arm_wanted)
    hosts = [format for name, format in host_runtimes().items() if name in runtimes]
    formats = format_names([*(format or ()), *(hosts if export else ())])
    _check_models(export, loose, rename, formats)
    flags = {"path_name": path_name, "template_size": template_size, "search_size": search_size}
    stages = StageLines(context.obj.interruption, quiet, last=LAST_STAGE)
    read = None
    if export is None:
        arch, read = settled(arch, config, resume, allow_pickle, stages)
    arch, spec = _network(export, arch, config, flags)
    options = VerifyOptions(
        arch=arch,
        network=_with_inputs_and_outputs(spec, export, sigmoid, masks),
        checkpoint=resume,
        official=official_root(official, spec),
        allow_pickle=allow_pickle,
        arm=arm_options,
        folder=export,
        loose=loose,
        search_sizes=_search_sizes(export, spec.search_size, template_size, search_size),
        rename=tuple(rename or ()),
        formats=formats,
        partial=partial,
        golden=None if write_golden else golden,
        write_golden=_golden_target(export, golden) if write_golden else None,
        golden_from=arm.golden_source(golden_from, write_golden, arm_options),
        dumps=dumps,
        layers=layers,
        clip=clip,
        box=box,
        min_iou=min_iou,
        annotate=annotate,
        tracks=tracks,
        fp16=fp16_report,
        reports=tuple(report or ()),
        images=tuple(image or ()),
        seed=seed,
        atol=finite("--atol", atol),
        rtol=finite("--rtol", rtol),
    )
    _run(options, read, stages, context.obj, verbose, quiet)


def _set_up_arm(folder: Path | None, session: Session, quiet: bool) -> None:
    """What ``--runtime ncnn-arm64`` needs is there afterwards.

    Args:
        folder: None for the default one.
    """
    from rich.text import Text

    from converter.checks.arm.root import default_folder
    from converter.checks.arm.setup import setup_arm
    from converter.util.stages import Stages

    with StageLines(session.interruption, quiet, last=SETUP_STAGE) as progress:
        root, built = setup_arm(folder or default_folder(), Stages(progress))
    assert root.record is not None  # as in every root that is set up
    if session.as_json:
        about = root.record.model_dump(include={"python", "packages", "wheels", "hello"})
        print(json.dumps({"folder": str(root.folder), "built": built, "qemu": str(root.qemu), **about}, indent=2))
    elif not quiet:
        console = summary_console(False)
        state = Text("ready" if built else "is there already", "bold green")
        console.print(state, Text(str(root.folder)), soft_wrap=True)
        versions = ", ".join(f"{name} {version}" for name, version in root.record.wheels.items())
        about_it = f"aarch64 Python {root.record.hello['python']}, {versions}, {root.qemu}"
        console.print(about_it, style="dim", highlight=False)


def _export(exports: list[Path] | None, loose: dict[str, Path], write_golden: bool) -> Path | None:
    """The export folder, of which there may be one."""
    from converter.folder.mistaken import files_in_place_of_export

    if not exports:
        return None
    advice = f"; {WRITE_ADVICE}" if write_golden else ""
    if len(exports) > 1:
        files = [path for path in exports if path.is_file()]
        advice = advice or (f"; {files_in_place_of_export(files)}" if files else "")
        raise UsageError(f"{' '.join(map(str, exports))}: expected one export folder{advice}")
    if loose:
        name = next(iter(loose)).replace("_", "-")
        raise UsageError(f"--{name} beside an export folder: pass the folder or single models, not both{advice}")
    if exports[0].is_file():
        raise UsageError(files_in_place_of_export(exports))
    return exports[0]


def _golden_target(export: Path | None, golden: Path | None) -> Path:
    """Where ``--write-golden`` writes to."""
    if golden is None and export is None:
        raise UsageError("--write-golden: pass --golden DIR, the folder to write to")
    return golden or Path(export or "", "golden")


def _check_models(
    export: Path | None, loose: dict[str, Path], rename: list[str] | None, formats: tuple[str, ...]
) -> None:
    if not export and not loose:
        raise UsageError("nothing to verify: pass an export folder, or --init and --update")
    if export and rename:
        raise UsageError("--rename is for models without a manifest; an export's own says what its blobs are")
    if loose and formats:
        raise UsageError("--format is for an export folder; the format of single models follows from their names")


def _network(
    export: Path | None, arch: str | None, config: Path | None, flags: dict[str, str | int | None]
) -> "tuple[str, NetworkSpec]":
    """The config, with what the export says of its network put in; a flag that contradicts it is refused."""
    from converter.spec.config import network_for

    if export is None:
        return network_for(arch, config, flags)
    from converter.folder.manifest import read_manifest
    from converter.folder.mistaken import without_manifest

    manifest = read_manifest(export, without_manifest(export))
    recorded = {"arch": manifest.arch, **manifest.config()}
    for template_size, search_size in reversed(manifest.sizes()):
        sizes = {"template_size": template_size, "search_size": search_size}
        if all(flags[name] in (None, size) for name, size in sizes.items()):
            recorded |= sizes
    for name, value in {"arch": arch, **flags}.items():
        if value not in (None, recorded[name]):
            expected = recorded[name]
            if name in sizes:
                expected = " or ".join(f"{template}/{search}" for template, search in manifest.sizes())
            raise UsageError(
                f"--{name.replace('_', '-')} {value}: the export's manifest says {expected}; leave the option out"
            )
    return network_for(recorded.pop("arch"), config, recorded)


def _with_inputs_and_outputs(
    network: "NetworkSpec", export: Path | None, sigmoid: bool | None, masks: bool
) -> "NetworkSpec":
    """The network as ``--sigmoid`` and ``--masks`` say; an export says so itself."""
    if export and sigmoid is not None:
        raise UsageError("--sigmoid is for models without a manifest; an export's own says what its outputs are")
    if export and masks:
        raise UsageError("--masks is for models without a manifest; an export's own says what its inputs are")
    if sigmoid:
        network = network.with_probabilities()
    return network.with_masks() if masks else network


def _search_sizes(
    export: Path | None, size: int, template_size: int | None, search_size: int | None
) -> tuple[int, ...]:
    """Of loose models those to try; of an export the one that was asked for, () for all that it has."""
    if export:
        return (size,) if template_size or search_size else ()
    return (size,) if search_size else (size, *COMMON_SEARCH_SIZES)


def _run(
    options: "VerifyOptions",
    checkpoint: "Checkpoint | None",
    stages: StageLines,
    session: Session,
    verbose: bool,
    quiet: bool,
) -> None:
    from converter.cli.next_steps import reason_of_verify
    from converter.cli.show import show_result
    from converter.report.terminal import print_section
    from converter.verifying.checkup import check

    console = summary_console(session.as_json)
    with stages:
        try:
            result = check(options, stages, checkpoint)
        except VerificationError as error:
            stages.stop()
            if error.result is not None:
                show_result(console, error.result, verbose)
                if reason := reason_of_verify(error.result, options.checkpoint is not None, session.arguments):
                    print_section(console, reason)
            raise
    if session.as_json:
        print(json.dumps(result.as_dict(), indent=2))
    elif not quiet:
        show_result(console, result, verbose)


call, main = command.call, command.main

if __name__ == "__main__":
    main()
