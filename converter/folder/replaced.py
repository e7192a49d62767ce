"""What an export takes the place of: told before it is gone."""

from dataclasses import dataclass
from pathlib import Path

from converter.errors import ConverterError
from converter.folder.golden_index import GOLDEN_INDEX
from converter.folder.manifest import read_manifest


@dataclass(frozen=True)
class Replaced:
    """An earlier export in a target.

    Attributes:
        about: which, in a phrase.
        golden: its folders of golden vectors that the new export has none for.
    """

    about: str
    golden: tuple[str, ...]


def replaced_by(target: Path, kept: str | None) -> Replaced | None:
    """What lies in a target that can be replaced; None where nothing does.

    Args:
        kept: name of the folder that gets new golden vectors.
    """
    if not (target.is_dir() and any(target.iterdir())):
        return None
    golden = tuple(index.parent.name for index in sorted(target.glob(f"*/{GOLDEN_INDEX}")) if index.parent.name != kept)
    try:
        manifest = read_manifest(target)
    except ConverterError:  # damaged, and ours all the same
        return Replaced("an earlier export", golden)
    status = "" if manifest.verification.status == "passed" else f", {manifest.verification.status}"
    return Replaced(f"the export of {manifest.arch} from {manifest.checkpoint.called}{status}", golden)
