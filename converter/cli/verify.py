"""``lt-verify``: parse, build VerifyOptions, call, print."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from converter.checks.arm.command import (
    HOST_RUNTIMES,
    PANEL,
    RUNTIME,
    ArmBlobs,
    ArmCpu,
    ArmInputs,
    ArmMode,
    ArmRootFolder,
    ArmRtol,
    ArmTimeout,
    arm_options,
    golden_source,
    run_setup,
)
from converter.cli.command import (
    HELP_OPTIONS,
    finite,
    format_names,
    invoke,
    log_to_stderr,
    new_app,
    official_root,
    option,
    run,
    summary_console,
    version_of,
)
from converter.cli.progress import StageLines
from converter.errors import UsageError, VerificationError

PROGRAM = "lt-verify"

app = new_app()

ABOUT = (
    "Prove that converted models are the tracker that was trained.\n\n"
    "Takes an export folder of lt-export, or single .param and .onnx files that anybody converted, runs them beside "
    "the unpatched PyTorch network (--resume) or against golden vectors, and says where they differ."
)
EPILOG = (
    "Exit codes: 0 verified, 1 verification failed, 2 wrong usage, 3 checkpoint or architecture, 4 something could not "
    "be run or written, 5 missing or unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to an error."
)
COMMON_SEARCH_SIZES = (288, 256)
_BARE = "\N{FULL BLOCK}"  # no folder is called so
MODELS, NETWORK, CHECKS, OUTPUT = "Which models", "Which network", "What to check", "Output"


@app.command(help=ABOUT, epilog=EPILOG, context_settings=HELP_OPTIONS)
def verify_command(
    export: Annotated[
        Path | None, typer.Argument(metavar="[EXPORT]", help="Folder that lt-export wrote.", show_default=False)
    ] = None,
    resume: Annotated[
        Path | None,
        option(
            *("--resume", "-r"),
            panel=NETWORK,
            metavar="FILE",
            help="Checkpoint with the trained weights; without it, golden vectors are the reference.",
        ),
    ] = None,
    init: Annotated[
        Path | None, option(panel=MODELS, metavar="FILE", help=".param or .onnx of the template's graph.")
    ] = None,
    update: Annotated[
        Path | None, option(panel=MODELS, metavar="FILE", help="The graph of every frame; or these two:")
    ] = None,
    backbone: Annotated[Path | None, option(panel=MODELS, metavar="FILE", help="Its first half.")] = None,
    neck_head: Annotated[Path | None, option(panel=MODELS, metavar="FILE", help="Its second half.")] = None,
    rename: Annotated[
        list[str] | None,
        option(
            panel=MODELS,
            metavar="BLOB=MEANING",
            help="What a blob of a model without a manifest is, for example output.1=cls, or update:input1=zf where "
            "two graphs use one name; repeatable. Found out otherwise.",
        ),
    ] = None,
    format: Annotated[
        list[str] | None, option(panel=MODELS, metavar="NAME", help="Only ncnn, or only onnx, of an export with both.")
    ] = None,
    runtime: Annotated[
        list[str] | None,
        option(
            panel=CHECKS,
            metavar="NAME",
            help="ncnn-arm64: run ncnn models on an emulated ARM cpu too, with its half kernels. ncnn or onnxruntime: "
            "of an export with both, only this one's models. Repeatable.",
        ),
    ] = None,
    arm_mode: ArmMode = None,
    arm_cpu: ArmCpu = None,
    arm_inputs: ArmInputs = None,
    arm_blobs: ArmBlobs = False,
    arm_rtol: ArmRtol = None,
    arm_timeout: ArmTimeout = None,
    arm_root: ArmRootFolder = None,
    setup_arm: Annotated[
        Path | None,
        option(
            panel=PANEL,
            metavar="[DIR]",
            help="Build what --runtime ncnn-arm64 needs, once: arm64 packages of this Debian or Ubuntu, qemu and two "
            "wheels, unpacked into a folder (default: LT_ARM_ROOT, or one in your cache). Then exit.",
        ),
    ] = None,
    arch: Annotated[
        str | None, option(panel=NETWORK, metavar="NAME", help="As for lt-export; an export says it itself.")
    ] = None,
    path_name: Annotated[
        str | None,
        option("--path-name", "--path_name", panel=NETWORK, metavar="NAME", help="The searched network, likewise."),
    ] = None,
    template_size: Annotated[int | None, option(panel=NETWORK, metavar="PIXELS", help="Likewise.")] = None,
    search_size: Annotated[
        int | None,
        option(
            panel=NETWORK, metavar="PIXELS", help="Likewise; of an export with several sizes, only look at this one."
        ),
    ] = None,
    sigmoid: Annotated[
        bool,
        option("--sigmoid", panel=MODELS, help="A model without a manifest gives cls as a probability."),
    ] = False,
    masks: Annotated[bool, option("--masks", panel=MODELS, help="A model without a manifest takes masks.")] = False,
    partial: Annotated[
        bool,
        option(
            "--partial",
            panel=MODELS,
            help="Pass although graphs of the tracker are missing; the verdict then names those that are there.",
        ),
    ] = False,
    official: Annotated[
        Path | None,
        option(
            panel=NETWORK,
            metavar="DIR",
            help="Build the network from this official checkout instead of our own definition "
            "(default: what LIGHTTRACK_ROOT or, for STARK-Lightning, STARK_ROOT names).",
        ),
    ] = None,
    config: Annotated[Path | None, option(panel=NETWORK, metavar="FILE", help="As for lt-export.")] = None,
    allow_pickle: Annotated[
        bool, option("--allow-pickle", panel=NETWORK, help="Read checkpoints that run code while they load.")
    ] = False,
    image: Annotated[
        list[Path] | None,
        option(panel=CHECKS, metavar="FILE", help="Compare on crops of this picture too; repeatable."),
    ] = None,
    seed: Annotated[
        int | None, option(panel=CHECKS, metavar="N", min=0, help="Of the noise (default: the export's).")
    ] = None,
    atol: Annotated[
        float | None, option(panel=CHECKS, metavar="X", min=0, help="As for lt-export (default: the export's).")
    ] = None,
    rtol: Annotated[float | None, option(panel=CHECKS, metavar="X", min=0, help="Likewise.")] = None,
    layers: Annotated[
        bool, option("--layers", panel=CHECKS, help="Find the first wrong layer, and list every layer's error.")
    ] = False,
    clip: Annotated[
        Path | None,
        option(panel=CHECKS, metavar="FILE", help="Track a video or a folder of pictures with each model."),
    ] = None,
    box: Annotated[
        str | None, option(panel=CHECKS, metavar="X,Y,W,H", help="The target in the clip's first frame, in pixels.")
    ] = None,
    min_iou: Annotated[
        float,
        option(panel=CHECKS, metavar="X", min=0, max=1, help="The mean overlap of the boxes that passes."),
    ] = 0.9,
    dumps: Annotated[
        Path | None,
        option(
            panel=CHECKS,
            metavar="DIR",
            help="Compare what a device wrote (.npy, raw .bin, .txt; NCHW or NHWC) with the golden vectors, and say "
            "why it differs.",
        ),
    ] = None,
    fp16_report: Annotated[
        bool,
        option(
            "--fp16-report",
            panel=CHECKS,
            help="Ranges of every ncnn layer in half precision, and the errors to expect.",
        ),
    ] = False,
    golden: Annotated[
        Path | None,
        option(
            panel=CHECKS,
            metavar="DIR",
            help="Golden vectors to compare with where no checkpoint is given (default: those of the export).",
        ),
    ] = None,
    write_golden: Annotated[
        Path | None,
        option(
            panel=OUTPUT, metavar="[DIR]", help="Write golden vectors (default: into the folder golden of the export)."
        ),
    ] = None,
    golden_from: Annotated[
        str,
        option(
            panel=OUTPUT,
            metavar="NAME",
            help="Who computes what --write-golden writes: torch, or ncnn-arm64 in the one --arm-mode, for a device "
            "with the same kernels.",
        ),
    ] = "torch",
    annotate: Annotated[
        Path | None,
        option(panel=OUTPUT, metavar="OUT", help="The clip with both boxes drawn: .mp4, .avi or a folder."),
    ] = None,
    tracks: Annotated[
        Path | None, option(panel=OUTPUT, metavar="FILE", help="The boxes and scores of every frame, as .csv.")
    ] = None,
    report: Annotated[
        list[Path] | None,
        option(panel=OUTPUT, metavar="FILE", help="A page to sign off, .html, or .md for a pull request; repeatable."),
    ] = None,
    as_json: Annotated[
        bool, option("--json", panel=OUTPUT, help="Print the result to stdout as JSON and nothing else.")
    ] = False,
    verbose: Annotated[
        bool, option("--verbose", "-v", panel=OUTPUT, help="Figures for every input and layer, and debug messages.")
    ] = False,
    quiet: Annotated[bool, option("--quiet", "-q", panel=OUTPUT, help="Print errors and warnings only.")] = False,
    version: Annotated[
        bool,
        option(
            "--version", panel=OUTPUT, callback=version_of(PROGRAM), is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    if setup_arm is not None:
        if export is not None:
            raise UsageError(
                f"--setup-arm builds what --runtime {RUNTIME} needs, and verifies nothing: leave {export} out"
            )
        run_setup(None if str(setup_arm) == _BARE else setup_arm, as_json, quiet)
        return
    from converter.spec.options import VerifyOptions

    loose = {"init": init, "update": update, "backbone": backbone, "neck_head": neck_head}
    loose = {name: path for name, path in loose.items() if path is not None}
    arm = arm_options(
        runtime,
        mode=arm_mode,
        cpu=arm_cpu,
        inputs=arm_inputs,
        blobs=arm_blobs,
        rtol=arm_rtol,
        timeout=arm_timeout,
        root=arm_root,
    )
    export, write_golden = _golden_target(export, write_golden)
    hosts = [HOST_RUNTIMES[name] for name in runtime or () if name in HOST_RUNTIMES]
    formats = format_names([*(format or ()), *(hosts if export else ())])
    _check_models(export, loose, rename, formats)
    flags = {"path_name": path_name, "template_size": template_size, "search_size": search_size}
    arch, network = _network(export, arch, config, flags)
    if sigmoid:
        if export:
            raise UsageError("--sigmoid is for models without a manifest; an export's own says what its outputs are")
        network = network.with_probabilities()
    if masks:
        if export:
            raise UsageError("--masks is for models without a manifest; an export's own says what its inputs are")
        network = network.with_masks()
    options = VerifyOptions(
        arch=arch,
        network=network,
        checkpoint=resume,
        official=official_root(official, network),
        allow_pickle=allow_pickle,
        arm=arm,
        folder=export,
        loose=loose,
        search_sizes=_search_sizes(export, network, template_size, search_size),
        rename=tuple(rename or ()),
        formats=formats,
        partial=partial,
        golden=golden,
        write_golden=write_golden,
        golden_from=golden_source(golden_from, write_golden, arm),
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
    _run(options, as_json, verbose, quiet)


def _golden_target(export, write_golden):
    """Where ``--write-golden`` writes to; given bare, or with the export behind it, into the export."""
    if write_golden is None:
        return export, None
    bare = str(write_golden) == _BARE
    if export is None and not bare and (write_golden / "manifest.json").is_file():
        export, bare = write_golden, True
    if bare and export is None:
        raise UsageError("--write-golden: expected a folder to write to")
    return export, export / "golden" if bare else write_golden


def _check_models(export, loose, rename, formats):
    if export and loose:
        name = next(iter(loose)).replace("_", "-")
        raise UsageError(f"--{name} beside an export folder: pass the folder or single models, not both")
    if not export and not loose:
        raise UsageError("nothing to verify: pass an export folder, or --init and --update")
    if export and rename:
        raise UsageError("--rename is for models without a manifest; an export's own says what its blobs are")
    if loose and formats:
        raise UsageError("--format is for an export folder; the format of single models follows from their names")


def _network(export, arch, config, flags):
    """The config, with what the export says of its network put in; a flag that contradicts it is refused."""
    from converter.spec.config import network_for

    if export is None:
        return network_for(arch, config, flags)
    from converter.folder.manifest import read_manifest

    manifest = read_manifest(export)
    recorded = {"arch": manifest.arch, **manifest.config()}
    for template_size, search_size in reversed(manifest.sizes()):
        sizes = {"template_size": template_size, "search_size": search_size}
        if all(flags[name] in (None, size) for name, size in sizes.items()):
            recorded |= sizes
    for name, value in {"arch": arch, **flags}.items():
        if value not in (None, recorded[name]):
            known = recorded[name]
            if name in sizes:
                known = " or ".join(f"{template}/{search}" for template, search in manifest.sizes())
            raise UsageError(
                f"--{name.replace('_', '-')} {value}: the export's manifest says {known}; leave the option out"
            )
    return network_for(recorded.pop("arch"), config, recorded)


def _search_sizes(export, network, template_size, search_size) -> tuple[int, ...]:
    """Of loose models those to try; of an export the one that was asked for, () for all that it has."""
    if export:
        return (network.search_size,) if template_size or search_size else ()
    return (network.search_size,) if search_size else (network.search_size, *COMMON_SEARCH_SIZES)


def _run(options, as_json, verbose, quiet):
    from converter.cli.show import show_result
    from converter.verifying.checkup import LAST_STAGE, check

    console = summary_console(as_json)
    with StageLines(quiet, last=LAST_STAGE) as stages:
        try:
            result = check(options, stages)
        except VerificationError as error:
            stages.stop()
            if error.result is not None:
                show_result(console, error.result, verbose)
            raise
    if as_json:
        print(json.dumps(result.as_dict(), indent=2))
    elif not quiet:
        show_result(console, result, verbose)


def call(arguments: Sequence[str]) -> int:
    """``lt-verify`` with these words; its exit code."""
    words = list(arguments)
    for index, word in enumerate(words):
        bare = index + 1 == len(words) or words[index + 1].startswith("-")
        if word in ("--write-golden", "--setup-arm") and bare:
            words[index] = f"{word}={_BARE}"
    return invoke(app, PROGRAM, words)


def main() -> None:
    """Entry point of ``lt-verify``."""
    run(call)


if __name__ == "__main__":
    main()
