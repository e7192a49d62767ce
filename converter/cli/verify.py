"""``lt-verify``: parse, call converter.api.verify, print."""

import functools
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from converter.checks import vulkan as vulkan_check
from converter.checks.arm import RUNTIME
from converter.cli.command import Command, Session, log_to_stderr
from converter.cli.options import arm, checks, models, network, output, vulkan
from converter.cli.options.runtimes import runtimes_of
from converter.cli.progress import StageLines
from converter.cli.terminal import put_json, summary_console
from converter.errors import UsageError, VerificationError

if TYPE_CHECKING:
    from converter.verifying.result import VerifyResult

log = logging.getLogger(__name__)

ABOUT = (
    "Prove that converted models are the tracker that was trained.\n\n"
    "Takes an export folder of lt-export, or single .param and .onnx files that anybody converted, runs them beside "
    "the unpatched PyTorch network (--resume) or against golden vectors, and says where they differ."
)
EPILOG = (
    "Exit codes: 0 verified, 1 verification failed, 2 wrong usage, 3 checkpoint, 4 something could not "
    "be run or written, 5 missing or unusable dependency, 70 a bug of ours. LT_DEBUG=1 adds the traceback to an error."
)
WRITE_ADVICE = "--write-golden is a flag: --golden DIR names the folder to write to"
SETUP_ADVICE = "--setup-arm is a flag: --arm-root DIR names the folder to build"
ADVICE = {"--write-golden": WRITE_ADVICE, "--setup-arm": SETUP_ADVICE}

command = Command("lt-verify", ABOUT, EPILOG, ADVICE, "nothing was verified")


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
    vulkan_device: vulkan.Device = None,
    vulkan_mode: vulkan.Modes = None,
    vulkan_inputs: vulkan.Inputs = None,
    vulkan_rtol: vulkan.Rtol = None,
    vulkan_timeout: vulkan.Timeout = None,
    vulkan_root: vulkan.Root = None,
    arch: network.Arch = None,
    path_name: network.PathName = None,
    template_size: network.TemplateSize = None,
    search_size: network.SearchSize = None,
    sigmoid: models.Sigmoid = None,
    softmax: models.Softmax = None,
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
    min_iou: checks.MinIou = None,
    cpp: checks.Cpp = None,
    dumps: checks.Dumps = None,
    fp16_report: checks.Fp16Report = False,
    golden: output.Golden = None,
    write_golden: output.WriteGolden = False,
    golden_from: output.GoldenFrom = "torch",
    annotate: output.Annotate = None,
    tracks: output.Tracks = None,
    report: output.Reports = None,
    junit: output.Junit = None,
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
                f"--setup-arm builds what --runtime {RUNTIME} needs, and verifies nothing: leave {exports[0]} out; "
                f"{SETUP_ADVICE}"
            )
        from converter.cli.setup import set_up

        log.warning("lt-verify --setup-arm is called lt-setup arm now; the old name goes with the next release")
        set_up("arm", arm_root, context.obj, quiet)
        return
    if cpp:
        taken = ("exports", "clip", "box", "cpp", "search_size", "config", "as_json", "verbose", "quiet", "version")
        _refuse_beside_cpp(context, taken)
        _verify_cpp(exports, cpp, clip, box, search_size, config, context.obj, verbose, quiet)
        return
    from converter.api import verify
    from converter.formats.format import host_runtimes

    files = {"init": init, "update": update, "backbone": backbone, "neck_head": neck_head}
    loose = {name: path for name, path in files.items() if path is not None}
    context.obj.ci.file = Path(exports[0], "manifest.json") if exports else next(iter(loose.values()), None)
    folder = _folder(exports, loose, write_golden)
    network.check_checkpoint(resume)
    runtimes = runtimes_of(runtime, (*host_runtimes(), RUNTIME, vulkan_check.RUNTIME))
    arm_wanted = arm.ArmWanted(arm_mode, arm_cpu, arm_inputs, arm_blobs, arm_rtol, arm_timeout, arm_root)
    vulkan_wanted = vulkan.VulkanWanted(
        *(vulkan_device, vulkan_mode, vulkan_inputs, vulkan_rtol, vulkan_timeout, vulkan_root)
    )
    hosts = [format for name, format in host_runtimes().items() if name in runtimes]
    work = functools.partial(
        verify,
        folder,
        resume,
        models=loose,
        rename=rename or (),
        formats=[*(format or ()), *(hosts if folder else ())],
        partial=partial,
        arch=arch,
        path_name=path_name,
        template_size=template_size,
        search_size=search_size,
        sigmoid=sigmoid,
        softmax=softmax,
        masks=masks,
        official=official,
        config=config,
        allow_pickle=allow_pickle,
        images=image or (),
        seed=seed,
        atol=atol,
        rtol=rtol,
        layers=layers,
        clip=clip,
        box=box,
        min_iou=min_iou,
        annotate=annotate,
        tracks=tracks,
        dumps=dumps,
        fp16_report=fp16_report,
        arm=arm.arm_of(runtimes, arm_wanted),
        vulkan=vulkan.vulkan_of(runtimes, vulkan_wanted),
        golden=None if write_golden else golden,
        write_golden=_golden_target(folder, golden) if write_golden else None,
        golden_from=golden_from,
        reports=report or (),
        command_line=context.obj.command_line,
    )
    _run(work, resume is not None, context.obj, verbose, quiet)


def _refuse_beside_cpp(context: typer.Context, taken: tuple[str, ...]) -> None:
    """Raises UsageError for an option that asks for another check."""
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "")
        if parameter.name not in taken and given is not None and given.name == "COMMANDLINE":
            raise UsageError(
                f"--cpp beside {parameter.opts[0]}: a C++ tracker is compared with the procedure in Python and the "
                "export's ncnn models, and nothing else is checked; leave one of the two out"
            )


def _verify_cpp(
    exports: list[Path] | None,
    cpp: Path,
    clip: Path | None,
    box: str | None,
    search_size: int | None,
    config: Path | None,
    session: Session,
    verbose: bool,
    quiet: bool,
) -> None:
    from converter.api import verify_cpp
    from converter.checks.cpp.run import LAST_STAGE
    from converter.report.terminal import print_section

    if exports is None or len(exports) != 1 or clip is None or box is None:
        raise UsageError(
            "--cpp DIR: pass the export, and a clip: lt-verify EXPORT --cpp DIR --clip VIDEO --box x,y,w,h"
        )
    with StageLines(session.interruption, quiet, last=LAST_STAGE) as stages:
        report = verify_cpp(exports[0], cpp, clip, box, search_size=search_size, config=config, progress=stages)
    if not (quiet or (report and session.as_json)):
        print_section(summary_console(session.as_json), report.section(), verbose)
    if not report:
        raise VerificationError(report.failure(), result=report)
    if session.as_json:
        put_json(report.as_dict())


def _folder(exports: list[Path] | None, loose: dict[str, Path], write_golden: bool) -> Path | None:
    """The export folder, of which there may be one."""
    from converter.folder.mistaken import files_in_place_of_export

    if not exports:
        return None
    if write_golden and loose:
        raise UsageError(f"{exports[0]} beside single models; {WRITE_ADVICE}")
    if len(exports) > 1:
        files = [path for path in exports if os.path.isfile(path)]
        advice = f"; {WRITE_ADVICE}" if write_golden else f"; {files_in_place_of_export(files)}" if files else ""
        raise UsageError(f"{' '.join(map(str, exports))}: expected one export folder{advice}")
    return exports[0]


def _golden_target(export: Path | None, golden: Path | None) -> Path:
    """Where ``--write-golden`` writes to."""
    if golden is None and export is None:
        raise UsageError("--write-golden: pass --golden DIR, the folder to write to")
    return golden or Path(export or "", "golden")


def _run(
    work: "functools.partial[VerifyResult]", with_network: bool, session: Session, verbose: bool, quiet: bool
) -> None:
    from converter.cli.next_steps import reason_of_verify
    from converter.cli.show import show_result
    from converter.verifying.checkup import LAST_STAGE

    console = summary_console(session.as_json)
    with StageLines(session.interruption, quiet, last=LAST_STAGE) as stages:
        result = work(progress=stages)
    if not (quiet or (result and session.as_json)):
        show_result(console, result, reason_of_verify(result, with_network, session.arguments), verbose)
    result.raise_if_failed()
    session.ci.result = result
    if session.as_json:
        put_json(result.as_dict())


call, main = command.call, command.main

if __name__ == "__main__":
    main()
