"""docs/python.md: every example is run as it stands there, on a network with seeded weights."""

import re
import shutil
import subprocess
import sys

import pytest
from clips import save_video

from commands import ROOT, environment
from conftest import MOBILE

BLOCKS = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/python.md").read_text(encoding="utf-8"), re.M | re.S)
CI_TEST = "test_exported_tracker.py"
TRAINING = f"""
import torch
from converter.families.family import family_of

EPOCHS = 2
network = family_of("lighttrack").build("{MOBILE}", 127, 288).to_empty(device="cpu")
network.load_state_dict(torch.load("LightTrackM.pth")["state_dict"])
network.train()
optimiser = torch.optim.SGD(network.parameters(), 1e-4)


def train_one_epoch(network, epoch):
    assert network.training
    network.template(torch.randn(2, 3, 127, 127))
    cls, reg = network.track(torch.randn(2, 3, 288, 288))
    optimiser.zero_grad()
    (cls.square().mean() + reg.mean()).backward()
    optimiser.step()
"""


@pytest.fixture(scope="module")
def project(seeded, tmp_path_factory):
    """A folder as the page's reader has one."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(seeded, folder / "LightTrackM.pth")
    (folder / "training.py").write_text(TRAINING)
    save_video(folder / "street.avi", 12)
    return folder


def block_with(text):
    (block,) = [block for block in BLOCKS if text in block]
    return block


def test_every_example_runs_and_prints_what_it_says(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(project)
    names: dict = {}
    for block in BLOCKS:
        if CI_TEST not in block:
            exec(compile(block, "docs/python.md", "exec"), names)
    sys.modules.pop("training", None)
    out = capsys.readouterr().out
    expected = re.findall(r"^\s*print\(\w+\) +# (.+)$", "".join(BLOCKS), re.M)
    assert len(expected) == 2
    assert "12 of 12 frames\n" in out
    for line in expected:
        assert f"{line}\n" in out
    assert names["result"]
    assert {path.name for path in project.iterdir()} >= {"exports", "report.html", "boxes.csv"}
    assert {path.name for path in (project / "exports").iterdir()} == {"tracker", "epoch00", "epoch01"}
    assert names["network"].training
    shares = [float(share) for share in re.findall(r"epoch \d: (\S+) of range", out)]
    assert len(shares) == 2
    assert all(0 < share < 1e-4 for share in shares)
    first, second = ((project / f"exports/epoch0{epoch}/lighttrack_update.bin").read_bytes() for epoch in (0, 1))
    assert first != second


def test_the_example_of_every_epoch_is_short():
    assert len(block_with("for epoch in").splitlines()) <= 15


def pytest_in(folder):
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", CI_TEST]
    return subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


def test_the_test_for_ci_passes_and_fails_with_the_models(project, exported, tmp_path):
    (tmp_path / CI_TEST).write_text(block_with(CI_TEST))
    shutil.copy(project / "LightTrackM.pth", tmp_path)
    tracker = shutil.copytree(exported[0], tmp_path / "exports/tracker")
    done = pytest_in(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
    weights = bytearray((tracker / "lighttrack_update.bin").read_bytes())
    weights[-4000:] = bytes(4000)
    (tracker / "lighttrack_update.bin").write_bytes(weights)
    done = pytest_in(tmp_path)
    assert done.returncode == 1
    assert re.search(
        r"VerificationError: lighttrack_update\.bin .*; verification failed in \d+ of \d+ checks", done.stdout
    )
