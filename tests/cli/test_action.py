"""``action.yml``: its shell steps are carried out one after the other, as on GitHub."""

import json
import re
import site
import subprocess
import venv
from pathlib import Path

import pytest
import yaml
from github_action import ACTION, STEPS, run_action

from commands import ROOT
from conftest import TINY

MARKETPLACE = {"Python", "Cache of packages", "Artifact"}
SHELL = {"Name of the cache", "Install", "Export", "Verify", "Result"}
SMALL = f"--path-name\n{TINY}\n"


@pytest.fixture
def places(tmp_path):
    """A workspace, and a folder for the runner."""
    folders = tmp_path / "workspace", tmp_path / "runner"
    for folder in folders:
        folder.mkdir()
    return folders


def checkpoint_in(workspace, weights, name="weights.pth"):
    (workspace / name).symlink_to(weights)
    return name


@pytest.fixture(scope="module")
def passed(seeded, tmp_path_factory):
    """A run with nothing but the demo's checkpoint."""
    workspace, files = tmp_path_factory.mktemp("workspace"), tmp_path_factory.mktemp("runner")
    return run_action(workspace, files, checkpoint=checkpoint_in(workspace, seeded), install="false")


def test_every_step_is_run_or_left_out_by_name():
    assert {step["name"] for step in STEPS if "uses" in step} == MARKETPLACE
    assert {step["name"] for step in STEPS if "run" in step} == SHELL
    assert all(step.get("shell") == "bash" for step in STEPS if "run" in step)


def test_models_are_exported_verified_and_reported(passed):
    assert passed.outcomes == {
        **dict.fromkeys(("Python", "Name of the cache", "Cache of packages", "Install"), "skipped"),
        **dict.fromkeys(("Export", "Verify", "Result"), "success"),
        "Artifact": "left out",
    }, passed.logs
    folder = passed.workspace / "exports/model"
    assert json.loads((folder / "manifest.json").read_text())["verification"]["status"] == "passed"
    results = {path.name for path in (passed.workspace / "lighttrack-results").iterdir()}
    assert results == {"export.xml", "verify.xml", "verify.json", "report.html"}
    assert passed.summaries["Export"].startswith("\n## ✅ Verified: export of LightTrackM")
    assert passed.summaries["Verify"].startswith("\n## ✅ Verified: LightTrackM")
    assert "::error" not in "".join(passed.logs.values())


def test_outputs_are_the_verdict_and_the_largest_difference(passed):
    result = json.loads((passed.workspace / "lighttrack-results/verify.json").read_text())
    shares = [output["relative"] for check in result["verification"]["checks"] for output in check["outputs"]]
    assert passed.outputs() == {"verified": "true", "max_of_range": str(max(shares))}
    assert 0 < max(shares) < 1e-4


def test_the_artifact_has_the_results_and_verified_models_alone(passed):
    (path,) = [step["with"]["path"] for step in STEPS if step["name"] == "Artifact"]
    assert passed.value(path).split() == ["lighttrack-results", "exports/model"]
    passed.contexts["steps.result.outputs.verified"], before = "false", "true"
    assert passed.value(path).split() == ["lighttrack-results"]
    passed.contexts["steps.result.outputs.verified"] = before


def test_models_that_fail_give_no_verdict_of_true(places, tiny):
    options = {"export_options": SMALL, "verify_options": "--atol\n0\n--rtol\n1e-12"}
    run = run_action(*places, checkpoint=checkpoint_in(places[0], tiny), install="false", **options)
    assert [run.outcomes[name] for name in ("Export", "Verify", "Result")] == ["success", "failure", "success"]
    outputs = run.outputs()
    assert outputs["verified"] == "false"
    assert 1e-12 < float(outputs["max_of_range"]) < 1e-4
    assert "::error file=exports/model/manifest.json::verification failed in " in run.logs["Verify"]
    assert run.summaries["Verify"].startswith("\n## ❌ Not verified")
    assert "<failure " in (places[0] / "lighttrack-results/verify.xml").read_text()


def test_an_export_that_fails_leaves_nothing_to_verify(places):
    (places[0] / "lighttrack-results").mkdir()  # of an earlier run, on a machine that keeps its workspace
    (places[0] / "lighttrack-results/verify.json").write_text('{"verification": {"checks": []}}')
    run = run_action(*places, checkpoint="nowhere.pth", install="false")
    assert [run.outcomes[name] for name in ("Export", "Verify", "Result")] == ["failure", "skipped", "success"]
    assert run.outputs() == {"verified": "false", "max_of_range": "inf"}
    assert "::error file=nowhere.pth::checkpoint nowhere.pth: no such file" in run.logs["Export"]


def test_inputs_are_values_and_never_shell(places, tiny):
    """No step has an expression in its script; names that a shell would carry out are files."""
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []
    name = checkpoint_in(places[0], tiny, "-a $(touch pwned) `touch pwned`; touch pwned '\".pth")
    options = {"folder": "-x $(touch pwned); touch pwned", "export_options": f"{SMALL}--rtol\n1e-4"}
    run = run_action(*places, checkpoint=name, install="false", **options)
    assert [run.outcomes[step] for step in ("Export", "Verify")] == ["success", "success"], run.logs
    assert (places[0] / "-x $(touch pwned); touch pwned/manifest.json").is_file()
    assert not list(places[0].rglob("pwned"))


def test_an_option_cannot_run_a_command(places, tiny):
    options = {"export_options": "--seed\n$(touch pwned); touch pwned"}
    run = run_action(*places, checkpoint=checkpoint_in(places[0], tiny), install="false", **options)
    assert run.outcomes["Export"] == "failure"
    assert "lt-export: error: --seed $(touch pwned); touch pwned: expected a whole number" in run.logs["Export"]
    assert not list(places[0].rglob("pwned"))


def test_set_up_installs_the_commands_apart_from_the_jobs_python(places, monkeypatch):
    """Its packages, and what builds ours, are those of this environment, behind what the step has installed itself."""
    place = places[1] / "lighttrack-export-python"
    venv.create(place, symlinks=True)
    (packages,) = place.glob("lib/*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()))
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # the option takes this for yes
    run = run_action(*places, checkpoint="nowhere.pth")
    assert run.outcomes["Install"] == "success", run.logs["Install"]
    assert re.fullmatch(r"lighttrack-export-Linux-X64-[0-9a-f]{16}", run.contexts["steps.cache.outputs.key"])
    assert run.contexts["steps.install.outputs.bin"] == f"{place}/bin/"
    words = [place / "bin/python", "-I", "-c", "import converter; print(converter.__file__)"]
    installed = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    assert Path(installed).is_relative_to(packages)
    shown = subprocess.run([place / "bin/lt-verify", "--version"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("lt-verify ")


def test_the_workflow_in_the_documents_uses_the_action_as_it_is():
    page = (ROOT / "docs/ci.md").read_text(encoding="utf-8")
    workflow = next(
        read for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "jobs" in (read := yaml.safe_load(text))
    )
    (steps,) = [job["steps"] for job in workflow["jobs"].values()]
    (ours,) = [step for step in steps if "lighttrack-export@" in step.get("uses", "")]
    required = {name for name, entry in ACTION["inputs"].items() if entry.get("required")}
    assert required <= ours["with"].keys() <= ACTION["inputs"].keys()
    used = set(re.findall(rf"steps\.{ours['id']}\.outputs\.(\w+)", page))
    assert used == ACTION["outputs"].keys()
    assert all(f"`{name}`" in page for name in (*ACTION["inputs"], *ACTION["outputs"]))
    assert [step for step in steps if "${{" in step.get("run", "")] == []
