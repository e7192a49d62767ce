"""``action.yml`` as GitHub's runner carries it out: shell steps run, those of the marketplace are left out by name."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from commands import ROOT, environment

ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = ACTION["runs"]["steps"]
_EXPRESSION = re.compile(r"\$\{\{ *(.*?) *\}\}")


@dataclass
class ActionRun:
    """One run of the action in a workspace.

    Attributes:
        outcomes: name of a step -> success, failure or skipped; "left out" for one of the marketplace.
        contexts: ``inputs.x``, ``steps.x.outputs.y``, ``steps.x.outcome``, ``runner.temp`` -> its value.
        logs: name of a step -> what it printed.
        summaries: name of a step -> what it wrote for the job summary.
    """

    workspace: Path
    files: Path
    contexts: dict[str, str]
    outcomes: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    summaries: dict[str, str] = field(default_factory=dict)

    def value(self, text: str) -> str:
        """A text with its expressions, which are all of one of two kinds, replaced."""
        return _EXPRESSION.sub(lambda match: self._expression(match[1]), text)

    def outputs(self) -> dict[str, str]:
        return {name: self.value(output["value"]) for name, output in ACTION["outputs"].items()}

    def _expression(self, text: str) -> str:
        if chosen := re.fullmatch(r"(\S+) == '(.*)' && (\S+) \|\| ''", text):
            return self._context(chosen[3]) if self._context(chosen[1]) == chosen[2] else ""
        return self._context(text)

    def _context(self, name: str) -> str:
        assert re.fullmatch(r"(inputs|steps|runner)(\.[\w-]+)+", name), name
        if name.startswith("inputs."):
            assert name in self.contexts, f"{name} is no input"
        return self.contexts.get(name, "")

    def wants(self, step: dict) -> bool:
        """What the step's ``if`` says; without one it wants all before it to have succeeded."""
        failed = "failure" in self.outcomes.values()
        parts = step.get("if", "success()").split(" && ")
        if not {"success()", "always()"} & set(parts):
            parts.append("success()")
        return all(self._holds(part, failed) for part in parts)

    def _holds(self, part: str, failed: bool) -> bool:
        if part in ("success()", "always()"):
            return part == "always()" or not failed
        name, operator, value = re.fullmatch(r"(\S+) (==|!=) '(.*)'", part).groups()
        return (self._context(name) == value) is (operator == "==")


def run_action(workspace: Path, files: Path, **inputs: str) -> ActionRun:
    """All steps in order.

    Args:
        workspace: of the job.
        files: an empty folder for the runner's own files.
        inputs: with underscores for hyphens; the others have their defaults.
    """
    given = {name.replace("_", "-"): value for name, value in inputs.items()}
    assert given.keys() <= ACTION["inputs"].keys()
    values = {name: given.get(name, entry.get("default")) for name, entry in ACTION["inputs"].items()}
    assert None not in values.values(), "an input that is required"
    contexts = {f"inputs.{name}": value for name, value in values.items()}
    # what the marketplace's steps would have set
    contexts |= {"runner.temp": str(files), "steps.python.outputs.python-path": sys.executable}
    run = ActionRun(workspace, files, contexts)
    for index, step in enumerate(STEPS):
        name = step["name"]
        if not run.wants(step):
            run.outcomes[name] = "skipped"
        elif "uses" in step:
            run.outcomes[name] = "left out"
        else:
            run.outcomes[name] = _run_step(run, step, files / f"step{index}")
        if "id" in step:
            contexts[f"steps.{step['id']}.outcome"] = run.outcomes[name]
    return run


def _run_step(run: ActionRun, step: dict, folder: Path) -> str:
    assert step["shell"] == "bash"
    folder.mkdir()
    script, output, summary, variables = (folder / name for name in ("run.sh", "output", "summary", "env"))
    for empty in (output, summary, variables):
        empty.touch()
    script.write_text(run.value(step["run"]))
    extra = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_WORKSPACE": str(run.workspace),
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_ENV": str(variables),
        "RUNNER_TEMP": str(run.files),
        "RUNNER_OS": "Linux",
        "RUNNER_ARCH": "X64",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        **{name: run.value(value) for name, value in step.get("env", {}).items()},
    }
    words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
    done = subprocess.run(
        words, cwd=run.workspace, env=environment(**extra), capture_output=True, text=True, timeout=600, check=False
    )
    run.logs[step["name"]], run.summaries[step["name"]] = done.stdout + done.stderr, summary.read_text()
    assert variables.read_text() == ""  # the steps of a user's own job see nothing of ours
    for line in output.read_text().splitlines():
        name, _, value = line.partition("=")
        run.contexts[f"steps.{step['id']}.outputs.{name}"] = value
    return "failure" if done.returncode else "success"
