"""``lt-export``: parse, build ExportOptions, call, print."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from converter.checks.arm.command import (
    RUNTIME,
    ArmBlobs,
    ArmCpu,
    ArmInputs,
    ArmMode,
    ArmRootFolder,
    ArmRtol,
    ArmTimeout,
    arm_options,
)
from converter.cli.command import (
    HELP_OPTIONS,
    checks_of,
    finite,
    format_names,
    invoke,
    log_to_stderr,
    new_app,
    official_root,
    option,
    path_name_of,
    run,
    summary_console,
    version_of,
)
from converter.cli.progress import StageLines
from converter.errors import UsageError, VerificationError
from converter.util import process

PROGRAM = "lt-export"
NETWORK, MODELS, CHECKS, OUTPUT = "Which network", "What to make of it", "How to prove it", "Output"

app = new_app()


def _list_presets(asked: bool) -> None:
    if asked:
        from converter.spec.presets import load_preset, preset_names

        for name in preset_names():
            print(f"{name:<16} {load_preset(name).line()}")
        raise typer.Exit


ABOUT = (
    "Convert a trained LightTrack or STARK-Lightning checkpoint to verified ncnn or ONNX models.\n\n"
    "Traces the tracker's graphs, converts them, runs the results in ncnn or onnxruntime against the unpatched PyTorch "
    "network, and publishes a folder with lighttrack_init, lighttrack_update (.param, .bin; .onnx) and manifest.json. "
    "When anything fails, an earlier export in that folder stays as it was."
)
EPILOG = (
    "Exit codes: 0 done and verified, 1 verification failed, 2 wrong usage, 3 checkpoint or architecture, "
    "4 conversion failed, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback to an error."
)


@app.command(help=ABOUT, epilog=EPILOG, context_settings=HELP_OPTIONS)
def export_command(
    resume: Annotated[
        Path,
        option("--resume", metavar="FILE", help="Checkpoint with the trained weights.", panel=NETWORK),
    ],
    arch: Annotated[
        str | None,
        option(
            metavar="NAME",
            help="LightTrackM_Subnet (default) or LightTrackM_Speed, the same network; STARK_Lightning.",
            panel=NETWORK,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        option("--output", "-o", metavar="DIR", help="Folder to publish (default: exports/<arch>).", panel=OUTPUT),
    ] = None,
    official: Annotated[
        Path | None,
        option(
            metavar="DIR",
            help="Build the network from this official checkout instead of our own definition "
            "(default: what LIGHTTRACK_ROOT or, for STARK-Lightning, STARK_ROOT names).",
            panel=NETWORK,
        ),
    ] = None,
    path_name: Annotated[
        str | None,
        option(
            "--path-name",
            "--path_name",
            metavar="NAME",
            help="The searched network (default: LightTrack-Mobile).",
            panel=NETWORK,
        ),
    ] = None,
    head_blocks: Annotated[
        int | None,
        option(
            metavar="N",
            help="Depthwise-separable blocks of STARK-Lightning's head, 2 to 6 (default: the checkpoint's).",
            panel=NETWORK,
        ),
    ] = None,
    masks: Annotated[
        bool,
        option("--masks", help="STARK-Lightning's padding masks as inputs (1 for a padded cell).", panel=MODELS),
    ] = False,
    template_size: Annotated[
        int | None,
        option(metavar="PIXELS", help="Template crop (default: the config's, 127 for LightTrack).", panel=NETWORK),
    ] = None,
    search_size: Annotated[
        list[int] | None,
        option(
            metavar="PIXELS",
            help="Search crop (default: the config's, 288 for LightTrack); repeatable: a model for each size, init for "
            "all.",
            panel=NETWORK,
        ),
    ] = None,
    dynamic_search: Annotated[
        bool,
        option(
            "--dynamic-search",
            help="One model for every search size from 192 to 320 in steps of 16.",
            panel=MODELS,
        ),
    ] = False,
    format: Annotated[
        list[str] | None,
        option(metavar="NAME", help="ncnn (default) or onnx; repeatable for both in one run.", panel=MODELS),
    ] = None,
    split: Annotated[
        str | None,
        option(
            metavar="NAME",
            help="two: init and update (default for ncnn); three: init, backbone and neck_head (default for onnx); "
            "one: a single ncnn model that the template goes through too.",
            panel=MODELS,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        option(
            metavar="NAME",
            help="The names, sizes, split and files of a known consumer; options beside it win. See --list-presets.",
            panel=MODELS,
        ),
    ] = None,
    list_presets: Annotated[
        bool,
        option(
            "--list-presets",
            callback=_list_presets,
            is_eager=True,
            help="List the presets and exit.",
            panel=MODELS,
        ),
    ] = False,
    oldest_ncnn: Annotated[
        str | None,
        option(
            metavar="DATE",
            help="Release of the oldest ncnn that is to read the models, for example 20210720 (default: the preset's, "
            "or any).",
            panel=MODELS,
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        option(
            metavar="OLD=NEW",
            help="Call an input or output otherwise, for example cls=score, or init:zf=feat for one graph; repeatable.",
            panel=MODELS,
        ),
    ] = None,
    sigmoid: Annotated[
        bool | None,
        option(
            "--sigmoid/--no-sigmoid",
            help="Give cls as a probability (default: as a logit).",
            show_default=False,
            panel=MODELS,
        ),
    ] = None,
    opset: Annotated[
        int | None, option(metavar="N", help="Of ONNX models, 11 to 17 (default: 11).", panel=MODELS)
    ] = None,
    no_simplify: Annotated[bool, option("--no-simplify", help="Leave onnxsim out.", panel=MODELS)] = False,
    stride: Annotated[
        int | None,
        option(metavar="PIXELS", help="Checked against the network (default: the network's).", panel=NETWORK),
    ] = None,
    config: Annotated[
        Path | None,
        option(metavar="FILE", help="YAML whose keys replace those of the arch's own config.", panel=NETWORK),
    ] = None,
    image: Annotated[
        list[Path] | None,
        option(metavar="FILE", help="Also compare on crops of this picture; repeatable.", panel=CHECKS),
    ] = None,
    seed: Annotated[int, option(metavar="N", min=0, help="Of the noise to compare on.", panel=CHECKS)] = 0,
    atol: Annotated[
        float | None,
        option(
            metavar="X",
            min=0,
            help="Absolute tolerance of every output, instead of the config's.",
            panel=CHECKS,
        ),
    ] = None,
    rtol: Annotated[
        float | None,
        option(
            metavar="X",
            min=0,
            help="Tolerance as a share of the output's range, instead of the config's 1e-4.",
            panel=CHECKS,
        ),
    ] = None,
    no_verify: Annotated[
        bool,
        option("--no-verify", help="Publish without proof; the manifest then says so.", panel=CHECKS),
    ] = False,
    allow_pickle: Annotated[
        bool,
        option("--allow-pickle", help="Read checkpoints that run code while they load.", panel=NETWORK),
    ] = False,
    half: Annotated[
        bool | None,
        option(
            "--half/--no-half",
            help="Store weights as halves (default: float32); inputs, outputs, biases and batch norms stay float32.",
            show_default=False,
            panel=MODELS,
        ),
    ] = None,
    protect_fp16: Annotated[
        bool,
        option(
            "--protect-fp16",
            help="Switch half arithmetic off (31=1) in ncnn layers whose sums could overflow in it.",
            panel=MODELS,
        ),
    ] = False,
    keep_torchscript: Annotated[
        bool, option("--keep-torchscript", help="Publish the traced .pt files too.", panel=OUTPUT)
    ] = False,
    golden: Annotated[
        Path | None,
        option(
            metavar="DIR",
            help="Write golden vectors there: inputs, outputs and inner tensors of every graph, for lt-verify and "
            "for tests on a device. Inside the output folder they belong to the export.",
            panel=OUTPUT,
        ),
    ] = None,
    runtime: Annotated[
        list[str] | None,
        option(
            metavar="NAME",
            help="ncnn-arm64: run the ncnn models on an emulated ARM cpu too, with its half kernels, before anything "
            "is published. What runs a format on this machine always runs.",
            panel=CHECKS,
        ),
    ] = None,
    arm_mode: ArmMode = None,
    arm_cpu: ArmCpu = None,
    arm_inputs: ArmInputs = None,
    arm_blobs: ArmBlobs = False,
    arm_rtol: ArmRtol = None,
    arm_timeout: ArmTimeout = None,
    arm_root: ArmRootFolder = None,
    pnnx_timeout: Annotated[
        float, option(metavar="SECONDS", min=1, help="What one pnnx run may take.", panel=MODELS)
    ] = 120.0,
    as_json: Annotated[
        bool, option("--json", help="Print the manifest to stdout and nothing else.", panel=OUTPUT)
    ] = False,
    verbose: Annotated[
        bool,
        option(
            "--verbose",
            "-v",
            help="Figures for every input, where the time went, debug messages.",
            panel=OUTPUT,
        ),
    ] = False,
    quiet: Annotated[bool, option("--quiet", "-q", help="Print errors and warnings only.", panel=OUTPUT)] = False,
    version: Annotated[
        bool,
        option(
            "--version",
            callback=version_of(PROGRAM),
            is_eager=True,
            help="Print the version and exit.",
            panel=OUTPUT,
        ),
    ] = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.spec.options import ExportOptions
    from converter.spec.presets import Wanted, choose

    wanted = Wanted(
        preset=preset,
        arch=arch,
        config=config,
        path_name=path_name_of(arch, config, path_name, head_blocks),
        template_size=template_size,
        search_sizes=tuple(search_size or ()),
        formats=format_names(format),
        split=split,
        opset=opset,
        sigmoid=sigmoid,
        half=half,
        oldest_ncnn=oldest_ncnn,
        masks=masks,
        renames=tuple(rename or ()),
    )
    chosen = choose(wanted)
    if "onnx" not in chosen.formats and (opset is not None or no_simplify):
        raise UsageError(f"{'--no-simplify' if opset is None else '--opset'} is about ONNX models; add --format onnx")
    options = ExportOptions(
        **dict(chosen),
        checkpoint=resume,
        output=output or Path("exports") / chosen.arch,
        official=official_root(official, chosen.network),
        dynamic_search=dynamic_search,
        simplify=not no_simplify,
        stride=stride,
        atol=finite("--atol", atol),
        rtol=finite("--rtol", rtol),
        seed=seed,
        images=tuple(image or ()),
        verify=not no_verify,
        allow_pickle=allow_pickle,
        keep_torchscript=keep_torchscript,
        golden=golden,
        protect_fp16=protect_fp16,
        arm=arm_options(
            _only_arm(runtime),
            mode=arm_mode,
            cpu=arm_cpu,
            inputs=arm_inputs,
            blobs=arm_blobs,
            rtol=arm_rtol,
            timeout=arm_timeout,
            root=arm_root,
        ),
        pnnx_timeout=pnnx_timeout,
    )
    _run(options, as_json, verbose, quiet)


def _run(options, as_json, verbose, quiet):
    from converter.checks.arm.table import print_arm
    from converter.cli.summary import print_checks, print_summary
    from converter.exporting.pipeline import export

    table = summary_console(as_json)
    with StageLines(quiet, detailed=verbose) as stages:
        stages("start", process.age(), "Python, command line")
        try:
            manifest = export(options, stages).model_dump(mode="json")
        except VerificationError as error:
            stages.stop()
            if checks := checks_of(error):
                print_checks(table, checks, verbose)
            if arm := (error.result or {}).get("arm"):
                print_arm(table, arm, verbose)
            raise
    if as_json:
        print(json.dumps(manifest, indent=2))
    elif not quiet:
        if manifest["arm"]:
            print_arm(table, manifest["arm"], verbose)
        print_summary(table, manifest, options.output, verbose)
    stages.close(process.age())


def _only_arm(runtimes):
    for name in runtimes or ():
        if name != RUNTIME:
            raise UsageError(f"--runtime {name}: expected {RUNTIME}; what runs a --format on this machine always runs")
    return runtimes


def call(arguments: Sequence[str]) -> int:
    """``lt-export`` with these words; its exit code."""
    return invoke(app, PROGRAM, arguments)


def main() -> None:
    """Entry point of ``lt-export``."""
    run(call)


if __name__ == "__main__":
    main()
