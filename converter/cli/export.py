"""``lt-export``: parse, build ExportOptions, call, print."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from converter.cli.command import (
    Command,
    Session,
    finite,
    format_names,
    log_to_stderr,
    official_root,
    path_name_of,
    summary_console,
)
from converter.cli.options import arm, checks, models, network
from converter.cli.options import output as outputs
from converter.cli.progress import StageLines
from converter.cli.weights import settled
from converter.errors import UsageError, VerificationError
from converter.util import process

if TYPE_CHECKING:
    from converter.network.checkpoint import Checkpoint
    from converter.spec.options import ExportOptions


ABOUT = (
    "Convert a trained LightTrack or STARK-Lightning checkpoint to verified ncnn or ONNX models.\n\n"
    "Traces the tracker's graphs, converts them, runs the results in ncnn or onnxruntime against the unpatched PyTorch "
    "network, and publishes a folder with lighttrack_init, lighttrack_update (.param, .bin; .onnx) and manifest.json. "
    "When anything fails, an earlier export in that folder stays as it was."
)
EPILOG = (
    "Exit codes: 0 done and verified, 1 verification failed, 2 wrong usage, 3 checkpoint, "
    "4 conversion failed, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback to an error."
)

command = Command("lt-export", ABOUT, EPILOG)


@command.entry
def export_command(
    context: typer.Context,
    checkpoint: network.CheckpointFile = None,
    resume: network.Resume = None,
    arch: network.Arch = None,
    output: outputs.Output = None,
    official: network.Official = None,
    path_name: network.PathName = None,
    head_blocks: network.HeadBlocks = None,
    masks: models.Masks = False,
    template_size: network.TemplateSize = None,
    search_size: network.SearchSizes = None,
    dynamic_search: models.DynamicSearch = False,
    format: models.Formats = None,
    split: models.Split = None,
    preset: models.PresetName = None,
    list_presets: models.ListPresets = False,
    oldest_ncnn: models.OldestNcnn = None,
    rename: models.NewNames = None,
    sigmoid: models.Sigmoid = None,
    opset: models.Opset = None,
    no_simplify: models.NoSimplify = False,
    stride: network.Stride = None,
    config: network.Config = None,
    image: checks.Images = None,
    seed: checks.Seed = None,
    atol: checks.Atol = None,
    rtol: checks.Rtol = None,
    no_verify: checks.NoVerify = False,
    allow_pickle: network.AllowPickle = False,
    half: models.Half = None,
    protect_fp16: models.ProtectFp16 = False,
    keep_torchscript: outputs.KeepTorchscript = False,
    golden: outputs.Golden = None,
    runtime: checks.Runtimes = None,
    arm_mode: arm.Modes = None,
    arm_cpu: arm.Cpu = None,
    arm_inputs: arm.Inputs = None,
    arm_blobs: arm.Blobs = False,
    arm_rtol: arm.Rtol = None,
    arm_timeout: arm.Timeout = None,
    arm_root: arm.Root = None,
    pnnx_timeout: models.PnnxTimeout = 120.0,
    as_json: outputs.Json = False,
    verbose: outputs.Verbose = False,
    quiet: outputs.Quiet = False,
    version: outputs.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    from converter.formats.format import default_splits
    from converter.spec.options import ExportOptions
    from converter.spec.presets import Wanted, choose, default_folder, load_preset

    weights = network.checkpoint_of(checkpoint, resume)
    formats = format_names(format)
    if preset is not None:
        load_preset(preset)
    stages = StageLines(context.obj.interruption, quiet, detailed=verbose)
    stages.end("start", process.age(), "Python, command line")
    arch, read = settled(arch, config, weights, allow_pickle, stages)
    wanted = Wanted(
        preset=preset,
        arch=arch,
        config=config,
        path_name=path_name_of(arch, config, path_name, head_blocks),
        template_size=template_size,
        search_sizes=tuple(search_size or ()),
        formats=formats,
        split=split,
        opset=opset,
        sigmoid=sigmoid,
        half=half,
        oldest_ncnn=oldest_ncnn,
        masks=masks,
        renames=tuple(rename or ()),
        default_splits=default_splits(),
    )
    chosen = choose(wanted)
    if "onnx" not in chosen.formats and (opset is not None or no_simplify):
        raise UsageError(f"{'--no-simplify' if opset is None else '--opset'} is about ONNX models; add --format onnx")
    options = ExportOptions(
        **dict(chosen),
        checkpoint=weights,
        output=output or default_folder(wanted, chosen, dynamic_search),
        official=official_root(official, chosen.network),
        dynamic_search=dynamic_search,
        simplify=not no_simplify,
        stride=stride,
        atol=finite("--atol", atol),
        rtol=finite("--rtol", rtol),
        seed=seed or 0,
        images=tuple(image or ()),
        verify=not no_verify,
        allow_pickle=allow_pickle,
        keep_torchscript=keep_torchscript,
        golden=golden,
        protect_fp16=protect_fp16,
        arm=arm.arm_options(
            arm.runtimes_of(runtime, [arm.RUNTIME], "; what runs a --format on this machine always runs"),
            arm.ArmWanted(arm_mode, arm_cpu, arm_inputs, arm_blobs, arm_rtol, arm_timeout, arm_root),
        ),
        pnnx_timeout=pnnx_timeout,
    )
    _run(options, config, read, stages, context.obj, verbose, quiet)


def _run(
    options: "ExportOptions",
    config: Path | None,
    checkpoint: "Checkpoint | None",
    stages: StageLines,
    session: Session,
    verbose: bool,
    quiet: bool,
) -> None:
    from converter.cli.next_steps import reason_of_export, verify_words
    from converter.cli.show import show_export
    from converter.exporting.pipeline import export
    from converter.proof.section import proof_section
    from converter.report.terminal import print_section

    console = summary_console(session.as_json)
    with stages:
        try:
            exported = export(options, stages, checkpoint)
        except VerificationError as error:
            stages.stop()
            if error.report is not None:
                print_section(console, proof_section(error.report.checks), verbose)
                if reason := reason_of_export(options, config, error.report, session.arguments):
                    print_section(console, reason)
            if error.result is not None:
                print_section(console, error.result.arm.section(), verbose)
            raise
    if session.as_json:
        print(exported.manifest.text(), end="")
    elif not quiet:
        show_export(console, exported, options.output, verify_words(options, options.output, config), verbose)
    stages.close(process.age())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
