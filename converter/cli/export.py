"""``lt-export``: parse, call converter.api.export, print."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from converter.checks.arm import RUNTIME
from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import arm, checks, models, network
from converter.cli.options import output as outputs
from converter.cli.options.runtimes import runtimes_of
from converter.cli.progress import StageLines
from converter.cli.terminal import put_json, summary_console
from converter.errors import VerificationError
from converter.util import process

if TYPE_CHECKING:
    from converter.exporting.made import Exported

ABOUT = (
    "Convert a trained LightTrack, NanoTrack or STARK-Lightning checkpoint to verified ncnn, ONNX or RKNN models.\n\n"
    "Traces the tracker's graphs, converts them, runs the results in ncnn or onnxruntime against the unpatched PyTorch "
    "network, and publishes a folder with lighttrack_init, lighttrack_update (.param, .bin; .onnx) and manifest.json. "
    "When anything fails, an earlier export in that folder stays as it was."
)
EPILOG = (
    "Exit codes: 0 done and verified, 1 verification failed, 2 wrong usage, 3 checkpoint, "
    "4 conversion failed, 5 missing or unusable dependency, 70 a bug of ours. "
    "LT_DEBUG=1 adds the traceback to an error."
)

ADVICE = {"--fp16": "--half stores the weights as halves"}

command = Command("lt-export", ABOUT, EPILOG, ADVICE)


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
    softmax: models.Softmax = None,
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
    precision: models.Precision = None,
    half: models.Half = None,
    target: models.Target = None,
    normalise: models.Normalise = None,
    protect_fp16: models.ProtectFp16 = False,
    share_weights: models.ShareWeights = False,
    keep_torchscript: outputs.KeepTorchscript = False,
    golden: outputs.Golden = None,
    save_checkpoint: outputs.SaveCheckpoint = None,
    runtime: checks.Runtimes = None,
    arm_mode: arm.Modes = None,
    arm_cpu: arm.Cpu = None,
    arm_inputs: arm.Inputs = None,
    arm_blobs: arm.Blobs = False,
    arm_rtol: arm.Rtol = None,
    arm_timeout: arm.Timeout = None,
    arm_root: arm.Root = None,
    pnnx_timeout: models.PnnxTimeout = 120.0,
    junit: outputs.Junit = None,
    as_json: outputs.Json = False,
    verbose: outputs.Verbose = False,
    quiet: outputs.Quiet = False,
    version: outputs.Version = False,
) -> None:
    """Entry of the command; what it does is in ABOUT, what each option means beside it."""
    log_to_stderr(verbose, quiet)
    weights = context.obj.ci.file = network.checkpoint_of(checkpoint, resume)
    from converter.exporting.api import export

    arm_wanted = arm.ArmWanted(arm_mode, arm_cpu, arm_inputs, arm_blobs, arm_rtol, arm_timeout, arm_root)
    runtimes = runtimes_of(runtime, [RUNTIME], "; what runs a --format on this machine always runs")
    work = partial(
        export,
        weights,
        output,
        arch=arch,
        path_name=path_name,
        head_blocks=head_blocks,
        template_size=template_size,
        search_size=search_size or (),
        dynamic_search=dynamic_search,
        stride=stride,
        masks=masks,
        official=official,
        config=config,
        allow_pickle=allow_pickle,
        preset=preset,
        formats=format or (),
        split=split,
        opset=opset,
        simplify=not no_simplify,
        sigmoid=sigmoid,
        softmax=softmax,
        precision=models.precision_of(precision, half),
        target=target,
        normalise=models.normalise_of(normalise),
        oldest_ncnn=oldest_ncnn,
        rename=rename or (),
        protect_fp16=protect_fp16,
        share_weights=share_weights,
        verify=not no_verify,
        images=image or (),
        seed=seed or 0,
        atol=atol,
        rtol=rtol,
        golden=golden,
        save_checkpoint=save_checkpoint,
        keep_torchscript=keep_torchscript,
        arm=arm.arm_of(runtimes, arm_wanted),
        pnnx_timeout=pnnx_timeout,
    )
    _run(work, config, context.obj, verbose, quiet)


def _run(work: "partial[Exported]", config: Path | None, session: Session, verbose: bool, quiet: bool) -> None:
    from converter.cli.next_steps import reason_of_export, verify_words
    from converter.cli.show import show_export, show_refused

    console = summary_console(session.as_json)
    with StageLines(session.interruption, quiet, detailed=verbose) as stages:
        stages.end("start", process.age(), "Python, command line")
        try:
            exported = work(progress=stages)
        except VerificationError as error:
            stages.stop()
            if not quiet:
                show_refused(console, error, reason_of_export(error, config, session.arguments), verbose)
            raise
    session.ci.result = exported
    if session.as_json:
        put_json(exported.manifest.model_dump(mode="json"))
    elif not quiet:
        show_export(console, exported, verify_words(exported.options, exported.folder, config), verbose)
    stages.close(process.age())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
