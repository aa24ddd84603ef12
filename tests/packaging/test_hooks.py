"""The repository's GitHub action and pre-commit hooks, run as GitHub and pre-commit run them."""

import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.e2e.program import Program, write_command, write_rows

REPOSITORY = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((REPOSITORY / "action.yml").read_text())
HOOKS: list[dict[str, Any]] = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
LABELS = "".join(
    f'[[labels]]\nname = "{name}"\ndescription = "{text}"\n'
    for name, text in {"tech": "servers, crashes", "law": "courts, contracts"}.items()
)


def step(name: str) -> dict[str, Any]:
    (found,) = [one for one in ACTION["runs"]["steps"] if one.get("name") == name]
    return dict(found)


def run_step(llmbatch: Program, name: str, **inputs: str) -> "subprocess.CompletedProcess[str]":
    """Run a step's script in bash, with the runner's environment and these inputs in place of its expressions."""
    given = {key: value["default"] for key, value in ACTION["inputs"].items() if "default" in value} | inputs
    outputs = llmbatch.folder / "outputs"
    known = dict(line.split("=", 1) for line in outputs.read_text().splitlines()) if outputs.exists() else {}

    def value(match: "re.Match[str]") -> str:
        kind, _, key = match[1].rpartition(".")
        return given[key] if kind == "inputs" else known[key]

    env = {key: re.sub(r"\$\{\{ ([\w.-]+) \}\}", value, text) for key, text in step(name)["env"].items()}
    runner = {"RUNNER_TEMP": str(llmbatch.folder), "GITHUB_OUTPUT": str(outputs)}
    runner["GITHUB_STEP_SUMMARY"] = str(llmbatch.folder / "summary.md")
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step(name)["run"]],
        cwd=llmbatch.folder,
        env={"PATH": f"{llmbatch.folder}:{os.environ['PATH']}", "HOME": str(llmbatch.folder), **runner, **env},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_input_is_part_of_a_script() -> None:
    assert not [one for one in ACTION["runs"]["steps"] if "${{" in one.get("run", "")]


def test_the_action_checks_labels_and_evaluates(llmbatch: Program) -> None:
    write_command(llmbatch.folder)
    (llmbatch.folder / "t.toml").write_text(f'name = "t"\n{LABELS}')
    texts = ("The server crashed.", "The court read the contract.")
    rows = [{"id": n, "text": f"{texts[n % 2]} Case {n}.", "label": ("tech", "law")[n % 2]} for n in range(40)]
    write_rows(llmbatch.folder / "gold.jsonl", rows)
    assert run_step(llmbatch, "Check the task", task="t.toml").returncode == 0
    given = {"task": "t.toml", "input": "gold.jsonl", "gold": "gold.jsonl"}
    hostile = "--offline\n--keep\n$(touch hacked)"
    labelled = run_step(llmbatch, "Label", **given, arguments="--offline\n")
    assert labelled.returncode == 0, labelled.stderr
    refused = run_step(llmbatch, "Label", **given, arguments=hostile)
    assert (refused.returncode, "no field '$(touch hacked)'" in refused.stderr) == (2, True)
    assert not (llmbatch.folder / "hacked").exists()
    good = run_step(llmbatch, "Measure", **given, **{"min-accuracy": "1%"})
    assert (good.returncode, "::notice title=llmbatch" in good.stderr) == (0, True)
    assert "passed" in (llmbatch.folder / "summary.md").read_text()
    bad = run_step(llmbatch, "Measure", **given, **{"min-accuracy": "100%"})
    assert (bad.returncode, "::error title=llmbatch" in bad.stderr) == (3, True)


def test_the_hook_refuses_a_task_with_an_error(llmbatch: Program) -> None:
    (hook,) = [one for one in HOOKS if one["id"] == "llmbatch-prompt-check"]
    program, *arguments = shlex.split(hook["entry"])
    assert program == "llmbatch"
    files = [f"prompts/{path.name}" for path in (REPOSITORY / "prompts").iterdir()]
    assert all(re.search(hook["files"], name) for name in files)
    assert not re.search(hook["files"], "pyproject.toml")
    assert llmbatch(*arguments, *(REPOSITORY / name for name in files)).code == 0
    (llmbatch.folder / "bad.toml").write_text("name = 1")
    assert llmbatch(*arguments, "bad.toml").code == 2


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook["id"]))
def test_each_hook_has_the_required_fields(hook: dict[str, Any]) -> None:
    assert hook["language"] == "python"
    assert {"id", "name", "description", "entry"} <= hook.keys()
