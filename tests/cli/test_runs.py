"""`llmbatch runs`: the run folders here and below, and leftovers of earlier runs."""

import fcntl
import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.holder import send_to_holder
from tests.e2e.program import Program, documents, ledger_lines, wait_until, write_rows
from tests.terminal.screens import on_a_terminal

GOLD = ["technical", "business", "legal"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def program(llmbatch: Program, home: Path) -> Program:
    """The program with a separate home and temporary folder."""
    (home / "tmp").mkdir(parents=True)
    env = {"HOME": str(home), "TMPDIR": str(home / "tmp"), "XDG_STATE_HOME": "", "XDG_CACHE_HOME": ""}
    write_rows(llmbatch.folder / "docs.jsonl", documents(6))
    return Program(llmbatch.folder, {**llmbatch.env, **env})


def listed(program: Program, *arguments: str) -> dict[str, dict[str, Any]]:
    return {run["folder"]: run for run in program("runs", *arguments, "--json").json["runs"]}


def test_run_folders_are_found_below_with_their_figures(program: Program) -> None:
    program("classify", "docs.jsonl", "--offline", "--out", "a/b/first.llmbatch")
    program("classify", "docs.jsonl", "--offline", "--fault", "refusal@1", "--out", "second.llmbatch")
    for other in (".hidden", "node_modules/x", "elsewhere"):
        (program.folder / other).mkdir(parents=True)
        (program.folder / other / "run.json").write_text("{}")
    (program.folder / "link").symlink_to(program.folder / "a")
    runs = listed(program)
    assert list(runs) == ["a/b/first.llmbatch", "second.llmbatch"]
    first, second = runs.values()
    assert (first["state"], first["rows"], first["labelled"] + first["review"]) == ("finished", 6, 6)
    assert (second["state"], second["failed"], second["offline"]) == ("finished", 1, True)
    assert first["cost_usd"] > 0
    assert list(listed(program, "a")) == ["a/b/first.llmbatch"]
    assert program("runs", "a/b/c").code == 2
    shown = program("runs").out
    assert "a/b/first.llmbatch" in shown
    assert shown.splitlines()[-1].startswith("2 runs, $0 spent")


def test_accuracy_is_listed_after_an_evaluation_until_more_rows_are_labelled(program: Program) -> None:
    program("classify", "docs.jsonl", "--offline", "--out", "run")
    write_rows(program.folder / "gold.jsonl", [{"id": f"d-{n}", "label": GOLD[n % 3]} for n in range(6)])
    assert listed(program)["run"]["accuracy"] is None
    evaluated = program("evaluate", "run", "--gold", "gold.jsonl", "--json").json["accuracy"]
    known = listed(program)["run"]["accuracy"]
    assert (known["value"], known["low"], known["rows"]) == (evaluated["value"], evaluated["low"], 6)
    write_rows(program.folder / "docs.jsonl", documents(7))
    program("classify", "docs.jsonl", "--offline", "--out", "run")
    assert listed(program)["run"]["accuracy"] is None


def test_a_live_run_is_running_and_a_killed_one_is_not(program: Program, endpoint: StartEndpoint) -> None:
    url = endpoint("--latency", "0.2").url
    running = program.start(
        *("classify", "docs.jsonl", "--base-url", url, "--out", "run", "--concurrency", "1"), OPENAI_API_KEY="x"
    )
    wait_until(lambda: ledger_lines(program.folder / "run") > 0, running)
    send_to_holder(program.folder / "run", signal.SIGSTOP)
    assert listed(program)["run"]["state"] == "running"
    assert listed(program)["run"]["outcomes"] >= 1
    assert not any("classify" in command for command in program("show", "run", "--json").json["next_commands"])
    running.kill()
    running.communicate()
    assert listed(program)["run"]["state"] == "killed"
    resuming = program("show", "run", "--json").json["next_commands"][0]
    assert resuming == f"llmbatch classify docs.jsonl --base-url {url} --out run --concurrency 1"
    waste = program("runs", "clean", "--json").json["waste"]
    assert {one["kind"]: one["count"] for one in waste} == {"leftover file": 1, "dead session": 1}
    assert program("runs", "clean", "--yes").code == 0
    assert program("runs", "clean", "--json").json == {"waste": [], "bytes": 0, "removed": False}
    assert ledger_lines(program.folder / "run") > 0
    assert program("classify", "docs.jsonl", "--base-url", url, "--out", "run", OPENAI_API_KEY="x").code == 0


def test_an_unreadable_record_is_reported(program: Program) -> None:
    program("classify", "docs.jsonl", "--offline", "--out", "run")
    (program.folder / "run" / "run.json").write_text("[1m")
    assert listed(program)["run"]["state"] == "unreadable"
    assert "run: run/run.json: content: Invalid JSON" in program("runs").out


def test_leftovers_are_found_shown_and_removed_only_with_yes(program: Program, home: Path) -> None:
    program("classify", "docs.jsonl", "--offline", "--reuse", "--out", "run")
    results = (program.folder / "run" / "results.jsonl").read_bytes()
    for name in ("llmbatch-old", "llmbatch-new", "llmbatch-used", "other"):
        (home / "tmp" / name).mkdir()
        (home / "tmp" / name / "documents.jsonl").write_text("x" * 1000)
    (home / "tmp" / "llmbatch-link").symlink_to(program.folder)
    used = (home / "tmp" / "llmbatch-used" / ".lock").open("w")
    fcntl.flock(used, fcntl.LOCK_EX)
    for name in ("llmbatch-old", "llmbatch-used", "other"):
        os.utime(home / "tmp" / name, (0, 0))
    cache = home / ".cache" / "llmbatch"
    for file in (cache / "token-counts").iterdir():
        os.utime(file, (0, 0))
    found = program("runs", "clean", "--json").json
    assert [(one["kind"], Path(one["place"]).name) for one in found["waste"]] == [
        ("temporary folder", "llmbatch-old"),
        ("cached token count", "token-counts"),
    ]
    asked = program("runs", "clean")
    assert "nothing was removed" in asked.err
    assert (home / "tmp" / "llmbatch-old").is_dir()
    assert "1 cached answer" not in asked.out
    with sqlite3.connect(cache / "answers.sqlite") as database:
        answers = database.execute("SELECT count(*) FROM answers").fetchone()[0]
    assert f"{answers} cached answers" in program("runs", "clean", "--older-than", "0").out
    removed = program("runs", "clean", "--yes", "--json").json
    assert (removed["removed"], removed["bytes"]) == (True, found["bytes"])
    assert sorted(path.name for path in (home / "tmp").iterdir()) == [
        "llmbatch-link",
        "llmbatch-new",
        "llmbatch-used",
        "other",
    ]
    assert (program.folder / "run" / "results.jsonl").read_bytes() == results
    used.close()


def test_the_table_fits_a_terminal_and_names_stay_whole(program: Program) -> None:
    name = "a-folder-with-quite-a-long-name/and-another-one/with-a-run-of-last-night.llmbatch"
    program("classify", "docs.jsonl", "--offline", "--out", name)
    shutil.copytree(program.folder / name, program.folder / "short")
    assert name in program("runs").out
    for width in (80, 100):
        shown = on_a_terminal(program, "runs", width=width)
        assert max(len(line) for line in shown) <= width
        assert name in "".join(line.strip().split("  ")[0] for line in shown)
        assert "not shown at this width" in "\n".join(shown)


def test_watching_needs_a_terminal(program: Program) -> None:
    assert program("runs", "--watch").code == 2
    assert program("runs", "--watch", "--json").code == 2


def test_json_is_one_line(program: Program) -> None:
    assert json.loads(program("runs", "--json").out) == {"runs": [], "is_whole": True}
