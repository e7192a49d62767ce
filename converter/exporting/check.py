"""What an export can be refused for before torch is imported."""

from converter.checks.arm import ARM
from converter.checks.arm.root import arm_root
from converter.checks.device.modes import check_tolerances
from converter.errors import UsageError
from converter.exporting.plan import Plan, plan_export
from converter.folder.vectors import place_for
from converter.folder.workspace import check_target
from converter.formats.format import check_dependencies, judged_as
from converter.network.saved import check_place
from converter.spec.options import ExportOptions


def checked_plan(options: ExportOptions) -> Plan:
    """What is to be made.

    Raises:
        ConverterError: one of its kinds, for whatever can be refused already.
    """
    plan = _planned(options)
    for picture in options.images:
        if not picture.exists():
            raise UsageError(f"--image {picture}: no such file")
    check_target(options.output)
    if options.golden:
        place_for(options.golden, options.output)
    if options.save_checkpoint:
        check_place(options.save_checkpoint, options.output)
    for option, asked in (
        *(("--golden", options.golden), ("--protect-fp16", options.protect_fp16)),
        ("--runtime ncnn-arm64", options.arm),
    ):
        if asked and not options.verify:
            raise UsageError(f"{option} wants the proof's inputs and answers; leave --no-verify out")
    for option, asked in (("--protect-fp16", options.protect_fp16), ("--runtime ncnn-arm64", options.arm)):
        if asked and "ncnn" not in options.formats:
            raise UsageError(f"{option} is about ncnn models; add --format ncnn")
    if options.arm:
        arm_root(options.arm.root)
        check_tolerances(options.network, ARM, options.arm.modes)
    if options.verify:
        options.tolerances(judged_as(options.formats, options.precision))
    check_dependencies(options)
    options.check_checkpoint()
    return plan


def _planned(options: ExportOptions) -> Plan:
    """The plan; a size that cannot be may be one that nobody typed."""
    try:
        return plan_export(options)
    except UsageError as error:
        sized = str(error).startswith(("--template-size", "--search-size"))
        if options.preset is None or not sized:
            raise
        raise UsageError(f"{error}; --preset {options.preset} sets the sizes, and an option beside it wins") from None
