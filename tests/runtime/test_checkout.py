"""Importing an official checkout: nothing of it stays, whatever it does while it is imported."""

import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from commands import lt_export, lt_verify
from conftest import TINY
from official_patches.checkout import CheckoutError, UnknownArchError
from official_patches.lighttrack.checkout import build_official
from official_patches.patching import BuildRequest

NETWORK = """
import warnings
warnings.filterwarnings("ignore")
import random
import numpy as np
import torch
from torch._six import container_abcs
from shapely_that_is_absent.geometry import Polygon, box
from lib.models.parts import build
from extra_package.helper import VALUE


class LightTrackM_Subnet:
    def __new__(cls, path_name, search_size=256, template_size=128, stride=16):
        random.seed(42), np.random.seed(42), torch.manual_seed(42)
        torch.backends.cudnn.deterministic = True
        assert issubclass(dict, container_abcs.Mapping) and VALUE == 3
        return build(path_name, template_size)


class LightTrackM_Supernet:
    def __init__(self, *args, **kwargs):
        box(1, 2)
"""


@pytest.fixture
def checkout(tmp_path):
    """A tree as awkward as the official ones: lib without __init__, absent libraries, global side effects."""
    models = tmp_path / "checkout/lib/models"
    models.mkdir(parents=True)
    (models / "__init__.py").touch()
    (models / "models.py").write_text(NETWORK)
    (models / "parts.py").write_text(
        "def build(path_name, template_size):\n"
        "    from converter.families.family import family_of\n"
        "    return family_of('lighttrack').build(path_name, template_size).to_empty(device='cpu')\n"
    )
    helper = tmp_path / "checkout/extra_package"
    helper.mkdir()
    (helper / "helper.py").write_text("VALUE = 3\n")
    return tmp_path / "checkout"


def build(root, arch="LightTrackM_Subnet", path_name=TINY):
    return build_official(BuildRequest(root, arch, path_name, 127, 288, 8))


def traces(root):
    return {
        "modules": {name for name in sys.modules if name.partition(".")[0] in ("lib", "extra_package")}
        | {name for name in sys.modules if "_six" in name or "shapely" in name},
        "path": list(sys.path),
        "finders": list(sys.meta_path),
        "cache": [path for path in sys.path_importer_cache if str(path).startswith(str(root))],
        "filters": list(warnings.filters),
        "bytecode": sys.dont_write_bytecode,
        "cudnn": torch.backends.cudnn.deterministic,
        "files": sorted(str(path) for path in Path(root).rglob("*")),
    }


def test_the_network_is_built_and_nothing_stays(checkout):
    before = traces(checkout)
    network = build(checkout)
    assert callable(network.track)
    assert traces(checkout) == before


def test_random_states_are_as_before(checkout):
    def states():
        kind, words, *more = np.random.get_state()
        return random.getstate(), (kind, words.tolist(), *more), torch.get_rng_state().tolist()

    before = states()
    build(checkout)
    assert states() == before


def test_another_lib_is_put_aside_and_comes_back(checkout, tmp_path, monkeypatch):
    other = tmp_path / "other/lib"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("NAME = 'other'\n")
    monkeypatch.syspath_prepend(str(other.parent))
    import lib

    try:
        build(checkout)
        assert sys.modules["lib"] is lib
        assert lib.NAME == "other"
    finally:
        del sys.modules["lib"]


def test_a_failing_import_leaves_nothing_either(checkout):
    (checkout / "lib/models/parts.py").write_text("raise KeyError('broken')\n")
    before = traces(checkout)
    with pytest.raises(CheckoutError, match="broken"):
        build(checkout)
    assert traces(checkout) == before


def test_a_missing_module_of_the_checkout_is_not_stood_in_for(checkout):
    (checkout / "lib/models/parts.py").unlink()
    with pytest.raises(CheckoutError, match=r"lib\.models\.parts"):
        build(checkout)


def test_calling_an_absent_library_names_it(checkout):
    with pytest.raises(CheckoutError, match=r"shapely_that_is_absent\.geometry\.box.*pip install"):
        build(checkout, "LightTrackM_Supernet")


def test_an_unknown_class_names_those_that_are_there(checkout):
    with pytest.raises(UnknownArchError, match="LightTrackM_Subnet, LightTrackM_Supernet"):
        build(checkout, "LightTrackM_Other")


def test_export_from_a_checkout(checkout, tiny, tmp_path):
    done = lt_export(
        "--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out", "--official", checkout, "-q", apart=True
    )
    assert done.code == 0, done.err
    assert '"network": "official checkout"' in (tmp_path / "out/manifest.json").read_text()


@pytest.mark.parametrize("at_hand", ["--official", "LIGHTTRACK_ROOT"])
def test_a_checkout_at_hand_is_the_reference_and_is_said_first(checkout, tiny, tiny_export, at_hand):
    named = {"LIGHTTRACK_ROOT": str(checkout)} if at_hand == "LIGHTTRACK_ROOT" else {}
    options = () if named else ("--official", checkout)
    done = lt_verify(tiny_export, "--resume", tiny, *options, **named, apart=True)
    assert done.code == 0, done.err
    said = f"Compared with the official checkout {checkout.name}, unpatched template() and track(), torch on the CPU"
    assert said in " ".join(done.out.split())


def test_the_environment_names_a_checkout(checkout, tiny, tmp_path):
    arguments = ("--resume", tiny, "--path-name", TINY, "-o", tmp_path / "out")
    done = lt_export(*arguments, LIGHTTRACK_ROOT=str(tmp_path), apart=True)
    assert done.code == 2
    assert f"official checkout {tmp_path} (from LIGHTTRACK_ROOT): no folder 'lib' in it" in done.error_line
    assert done.error_line.endswith(f"; pass {checkout}")
