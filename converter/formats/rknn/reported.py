"""Where the NPU is reported to answer otherwise than the simulator; the list is ``configs/rknn/reported.yaml``."""

from collections.abc import Collection

from converter.spec.config import config_folder
from converter.spec.tensors import Frozen
from converter.spec.yaml_file import FASTER, read_yaml


class Finding(Frozen):
    """What somebody found on a board.

    Attributes:
        operators: kinds, as in the toolkit's table of a compiled model.
        targets: the chips; none where the report names none.
        report: where it is told, as "owner/repository#number".
        finding: a phrase.
    """

    operators: list[str]
    targets: list[str]
    report: str
    finding: str


def findings() -> list[Finding]:
    """All of them."""
    entries = read_yaml(config_folder() / "rknn" / "reported.yaml", FASTER)["reported"]
    return [Finding.model_validate(entry) for entry in entries]


def reported(target: str, operators: Collection[str]) -> list[str]:
    """What is reported of a model's operators, a line each.

    Args:
        target: the chip.
        operators: kinds that the NPU computes.
    """
    lines = []
    for each in findings():
        kinds = [kind for kind in each.operators if kind in operators]
        if kinds and (not each.targets or target in each.targets):
            chip = f"on {target}" if each.targets else "on an NPU"
            lines.append(
                f"{', '.join(kinds)} is reported not to do {chip} what it does in the simulator: {each.finding}; "
                f"{each.report}"
            )
    return lines
