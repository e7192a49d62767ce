"""Which chips the toolkit builds for, known without it; the list is ``configs/rknn/targets.yaml``."""

from converter.errors import UsageError, did_you_mean
from converter.spec.config import config_folder
from converter.spec.yaml_file import read_yaml


def targets() -> dict[str, list[str]]:
    """What the chips compute in, "half" or "int8", to their names."""
    return {key: list(names) for key, names in read_yaml(config_folder() / "rknn" / "targets.yaml").items()}


def check_target(name: str) -> None:
    """Raises:
    UsageError: for an unknown chip, and for one whose NPU has no half precision.
    """
    known = targets()
    if name in known["int8"]:
        raise UsageError(
            f"--target {name}: its NPU computes in int8 only, which lt-export does not make; chips that compute in "
            f"half are {', '.join(known['half'])}"
        )
    if name not in known["half"]:
        everything = sorted(target for names in known.values() for target in names)
        raise UsageError(f"--target {name}: expected one of {', '.join(everything)}{did_you_mean(name, everything)}")
