"""The recipes of the documentation, each run by its real program."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.docs.examples import block_of
from tests.e2e.conftest import StartEndpoint, endpoint, endpoints
from tests.e2e.program import PROGRAM, REPOSITORY, accounted, read_rows, write_rows

__all__ = ["endpoint", "endpoints"]

RECIPES = os.environ.get("LLMBATCH_RECIPES")
"""The folder with a environment for each program."""
pytestmark = pytest.mark.skipif(not RECIPES, reason="make recipes runs it")
SCHEDULERS, SHARDS, CI = (REPOSITORY / "docs" / "how-to" / name for name in ("schedulers.md", "shards.md", "ci.md"))
DOWN_AT_FIRST = ("--fault", "overloaded@3-14")
ROWS = list(range(60))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that the recipes call /data/tickets."""
    folder = tmp_path / "tickets"
    folder.mkdir()
    shutil.copy(REPOSITORY / "sample_data" / "docs.jsonl", folder / "inbox.jsonl")
    shutil.copy(REPOSITORY / "sample_data" / "gold.jsonl", folder)
    shutil.copy(REPOSITORY / "prompts" / "default.toml", folder / "tickets.toml")
    (folder / "llmbatch.toml").write_text(block_of(SCHEDULERS, 1))
    return folder


@pytest.fixture
def around(tmp_path: Path) -> dict[str, str]:
    """The environment in which `llmbatch` is a command."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "llmbatch").write_text(f'#!/bin/sh\nexec {" ".join(PROGRAM)} "$@"\n')
    (commands / "llmbatch").chmod(0o755)
    return {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "HOME": str(tmp_path)}


def to(url: str) -> dict[str, str]:
    """An environment that uses this endpoint in place of OpenAI's and does not wait out outages."""
    return {
        "OPENAI_API_KEY": "sk-offline",
        "OPENAI_BASE_URL": url,
        "LLMBATCH_PRICE": "0.1,0.01,0.4",
        "LLMBATCH_MAX_WAIT": "0",
        "LLMBATCH_CONCURRENCY": "2",
    }


def recipe(page: Path, number: int, folder: Path) -> str:
    """A block with this folder in place of /data/tickets, short pauses, and a gate that simulated labels pass."""
    code = block_of(page, number).replace("/data/tickets", str(folder)).replace("90%", "10%")
    return re.sub(r"(poke_interval|retry_delay_seconds)=1200", r"\1=1", code)


def run(command: list[str | Path], folder: Path, around: Mapping[str, str]) -> str:
    """The output of a command, which must succeed."""
    done = subprocess.run(
        command, cwd=folder, env=dict(around), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def program(environment: str, name: str) -> Path:
    return Path(str(RECIPES)).resolve() / environment / "bin" / name


def test_cron(folder: Path, around: dict[str, str], endpoint: StartEndpoint) -> None:
    secrets = folder / "llmbatch.env"
    secrets.write_text("".join(f"export {name}='{value}'\n" for name, value in to(endpoint().url).items()))
    line = recipe(SCHEDULERS, 2, folder).splitlines()[1].replace("/etc/llmbatch.env", str(secrets))
    command = line.split(maxsplit=5)[5]
    assert run(["/bin/sh", "-c", command], Path("/"), around) == ""
    assert accounted(folder / "inbox.llmbatch") == ROWS


def test_systemd(folder: Path, around: dict[str, str], endpoint: StartEndpoint, tmp_path: Path) -> None:
    llmbatch = shutil.which("llmbatch", path=around["PATH"])
    units = [tmp_path / "llmbatch.service", tmp_path / "llmbatch.timer"]
    for number, unit in enumerate(units, 3):
        unit.write_text(recipe(SCHEDULERS, number, folder).replace("/usr/local/bin/llmbatch", str(llmbatch)))
    assert run(["systemd-analyze", "verify", "--man=no", *units], tmp_path, around) == ""
    (start,) = re.findall(r"^ExecStart=(.*)$", units[0].read_text(), re.MULTILINE)
    run(start.split(), folder, around | to(endpoint().url))
    assert accounted(folder / "inbox.llmbatch") == ROWS


def by_airflow(dag: str, code: str, home: Path, around: dict[str, str]) -> str:
    """The log of a DAG's run in a new Airflow, which must succeed."""
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "dag.py").write_text(code)
    env = around | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    run([program("airflow", "airflow"), "db", "migrate"], home, env)
    return run([program("airflow", "airflow"), "dags", "test", dag], home, env)


def test_airflow(folder: Path, around: dict[str, str], endpoint: StartEndpoint, tmp_path: Path) -> None:
    code = recipe(SCHEDULERS, 5, folder)
    log = by_airflow("tickets", code, tmp_path / "airflow", around | to(endpoint(*DOWN_AT_FIRST).url))
    assert "Bash command exited with code: 7" in log or "return code 7" in log, log
    assert "DagRun Finished" in log
    assert accounted(folder / "inbox.llmbatch") == ROWS


def sharded(number: int, folder: Path) -> str:
    (folder / "inbox.jsonl").rename(folder / "docs.jsonl")
    return recipe(SHARDS, number, folder).replace("/data", str(folder)).replace("SHARDS = 8", "SHARDS = 2")


def test_airflow_with_shards(folder: Path, around: dict[str, str], endpoint: StartEndpoint, tmp_path: Path) -> None:
    by_airflow("label", sharded(2, folder), tmp_path / "airflow", around | to(endpoint().url))
    assert accounted(folder / "docs.llmbatch") == ROWS


def test_prefect_with_shards(folder: Path, around: dict[str, str], endpoint: StartEndpoint) -> None:
    (folder / "flow.py").write_text(f"{sharded(3, folder)}\nlabel()\n")
    env = around | to(endpoint().url) | {"PREFECT_HOME": str(folder / "prefect")}
    run([program("prefect", "python"), "flow.py"], folder, env)
    assert accounted(folder / "docs.llmbatch") == ROWS


def test_prefect(folder: Path, around: dict[str, str], endpoint: StartEndpoint) -> None:
    (folder / "flow.py").write_text(recipe(SCHEDULERS, 6, folder))
    env = around | to(endpoint(*DOWN_AT_FIRST).url) | {"PREFECT_HOME": str(folder / "prefect")}
    log = run([program("prefect", "python"), "flow.py"], folder, env)
    assert "exit code 7" in log, log
    assert accounted(folder / "inbox.llmbatch") == ROWS


def test_dbt_pays_for_a_text_once(folder: Path, around: dict[str, str], endpoint: StartEndpoint) -> None:
    (folder / "dbt_project.yml").write_text('name: tickets\nversion: "1.0"\nprofile: tickets\n')
    target = "tickets:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: tickets.duckdb}\n"
    (folder / "profiles.yml").write_text(target)
    (folder / "models").mkdir()
    (folder / "models" / "stg_tickets.sql").write_text("select id, text from read_json('inbox.jsonl')\n")
    (folder / "models" / "ticket_labels.py").write_text(recipe(SCHEDULERS, 7, folder))
    serving = endpoint()
    dbt = program("dbt", "dbt")
    env = around | {name: value for name, value in to(serving.url).items() if name.startswith("OPENAI")}
    assert "PASS=2" in run([dbt, "run"], folder, env)
    asked = serving.requests
    rows = read_rows(folder / "inbox.jsonl")
    write_rows(folder / "inbox.jsonl", [{"id": "new", "text": "A ticket of the next day."}, *rows])
    assert "PASS=2" in run([dbt, "run"], folder, env)
    assert serving.requests == asked + 1
    count = "select count(*) as n from {{ ref('ticket_labels') }} where status = 'ok' or status = 'review'"
    assert str(len(ROWS) + 1) in run([dbt, "show", "--inline", count], folder, env)


def test_gitlab(folder: Path, around: dict[str, str], endpoint: StartEndpoint) -> None:
    """Run by gitlab-ci-local in a shell instead of a container; pip finds the installed program."""
    for name in ("gold", "prompts"):
        (folder / name).mkdir()
    rows = [
        row | gold for row, gold in zip(*map(read_rows, (folder / "inbox.jsonl", folder / "gold.jsonl")), strict=True)
    ]
    write_rows(folder / "gold" / "tickets.jsonl", rows)
    (folder / "tickets.toml").rename(folder / "prompts" / "tickets.toml")
    (folder / ".gitlab-ci.yml").write_text(recipe(CI, 2, folder))
    run(["git", "init", "-q"], folder, around)
    run(["git", "remote", "add", "origin", "git@gitlab.example:we/tickets.git"], folder, around)
    run(["git", "add", "."], folder, around)
    run(["git", "-c", "user.name=we", "-c", "user.email=we@example.com", "commit", "-qm", "tickets"], folder, around)
    runner = Path(str(RECIPES)).resolve() / "gitlab" / "node_modules" / ".bin" / "gitlab-ci-local"
    variables = [word for name, value in to(endpoint().url).items() for word in ("--variable", f"{name}={value}")]
    env = around | {"PATH": f"{Path(PROGRAM[0]).parent}{os.pathsep}{around['PATH']}"}
    log = run([runner, "--force-shell-executor", "labels", *variables], folder, env)
    assert "PASS" in log
    assert 'failures="0"' in (folder / "gates.xml").read_text(), log


def test_pre_commit(folder: Path, around: dict[str, str], endpoint: StartEndpoint, tmp_path: Path) -> None:
    """Hooks from a clone of the repository, run on commit and on push."""
    copy, upstream = tmp_path / "llmbatch", tmp_path / "upstream.git"
    run(["git", "clone", "-q", REPOSITORY, copy], tmp_path, around)
    commit = run(["git", "rev-parse", "HEAD"], copy, around).strip()
    hooks = recipe(CI, 3, folder).replace("https://github.com/OWNER/llmbatch", str(copy)).replace("COMMIT", commit)
    (folder / ".pre-commit-config.yaml").write_text(hooks.replace("gold/tickets.jsonl", "gold.jsonl"))
    (folder / "prompts").mkdir()
    (folder / "tickets.toml").rename(folder / "prompts" / "tickets.toml")
    arguments = ["classify", "inbox.jsonl", "--task", "prompts/tickets.toml", "--out", "gold.llmbatch", "--quiet"]
    run([*PROGRAM, *arguments], folder, around | to(endpoint().url))
    git = ["git", "-c", "user.name=we", "-c", "user.email=we@example.com"]
    run([*git, "init", "-q", "-b", "main"], folder, around)
    run([*git, "init", "-q", "--bare", upstream], folder, around)
    pre_commit = program("pre-commit", "pre-commit")
    run([pre_commit, "install", "-t", "pre-commit", "-t", "pre-push"], folder, around)
    run([*git, "add", "prompts", "gold.jsonl", ".pre-commit-config.yaml"], folder, around)
    assert "Passed" in run([*git, "commit", "-m", "tickets"], folder, around)
    assert "llmbatch evaluate" in run([*git, "push", str(upstream), "main"], folder, around)
    (folder / "prompts" / "tickets.toml").write_text("name = 1\n")
    run([*git, "add", "prompts"], folder, around)
    with pytest.raises(AssertionError, match=r"tickets\.toml"):
        run([*git, "commit", "-m", "a bad task"], folder, around)
