"""NanoTrack from a checkout: the backbone and head of the version asked for, no neck, no trace of the import."""

import importlib
import sys

import pytest

from official_patches.checkout import CheckoutError
from official_patches.nanotrack import PATCHES
from official_patches.patching import BuildRequest

# what the official one has of what matters here; yacs need not be installed
FILES = {
    "core/config.py": """
from yacs.config import CfgNode as CN
cfg = CN()
for part in ("BACKBONE", "ADJUST", "BAN"):
    setattr(cfg, part, CN())
    getattr(cfg, part).KWARGS = CN(new_allowed=True)
cfg.BACKBONE.TYPE = "res50"
cfg.ADJUST.ADJUST = True
cfg.BAN.BAN = True
""",
    "models/head/__init__.py": "from nanotrack.models.head.ban_v3 import DepthwiseBAN\n",
    **{f"models/head/ban_v{number}.py": f"class DepthwiseBAN: version = 'v{number}'\n" for number in (1, 2, 3)},
    "models/model_builder.py": """
from nanotrack.core.config import cfg
from nanotrack.models.head import DepthwiseBAN
class ModelBuilder:
    def __init__(self):
        self.backbone = cfg.BACKBONE.TYPE, dict(**cfg.BACKBONE.KWARGS)
        self.neck = cfg.ADJUST.ADJUST
        self.ban_head = cfg.BAN.BAN and DepthwiseBAN()
""",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "NanoTrack/nanotrack" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "NanoTrack"


def built(root, version):
    return PATCHES.build(BuildRequest(root, f"NanoTrack{version.upper()}", version, 127, 255, 16))


@pytest.mark.parametrize(
    ("version", "backbone"),
    [("v1", "mobilenetv3_small"), ("v2", "mobilenetv3_small"), ("v3", "mobilenetv3_small_v3")],
)
def test_the_version_asked_for_is_built(root, version, backbone):
    network = built(root, version)
    assert network.backbone == (backbone, {})
    assert network.ban_head.version == version
    assert not network.neck


def test_nothing_is_left_of_the_import(root):
    before = set(sys.modules)
    built(root, "v2")
    assert not [name for name in set(sys.modules) - before if name.partition(".")[0] in ("nanotrack", "yacs")]


def test_another_package_of_that_name_is_put_aside(root, tmp_path, monkeypatch):
    (tmp_path / "path/nanotrack").mkdir(parents=True)
    (tmp_path / "path/nanotrack/__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "path")
    other = importlib.import_module("nanotrack")
    try:
        assert built(root, "v1").ban_head.version == "v1"
        assert sys.modules["nanotrack"] is other
    finally:
        del sys.modules["nanotrack"]


@pytest.mark.parametrize(
    ("file", "text", "reason"),
    [
        ("models/head/ban_v2.py", None, "cannot import nanotrack.models.head.ban_v2 from .*NanoTrack: No module"),
        ("models/head/ban_v2.py", "", "NanoTrack has no DepthwiseBAN in nanotrack.models.head.ban_v2"),
        ("core/config.py", "cfg = None", "building NanoTrack v2 failed: AttributeError: 'NoneType'"),
    ],
)
def test_a_checkout_that_lacks_something_is_refused(root, file, text, reason):
    path = root / "nanotrack" / file
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(CheckoutError, match=reason):
        built(root, "v2")
