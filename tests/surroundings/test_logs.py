"""Files for other programs: rotated logs, permissions by the user's umask, folders inside repositories."""

import json
import stat
import subprocess

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, ledger_lines, wait_until, write_rows
from tests.surroundings.conftest import Shell


@pytest.mark.parametrize("name", ["run.log", "run.jsonl"])
@pytest.mark.parametrize("creates", [True, False])
def test_a_log_survives_its_rotation(llmbatch: Program, endpoint: StartEndpoint, name: str, creates: bool) -> None:  # noqa: FBT001
    """logrotate renames the file, and creates a new one or leaves that to the program."""
    write_rows(llmbatch.folder / "docs.jsonl", documents(40))
    url = endpoint("--latency", "0.05").url
    process = llmbatch.start("classify", "docs.jsonl", "--concurrency", "2", "--base-url", url, "--log-file", name)
    wait_until(lambda: ledger_lines(llmbatch.folder / "docs.llmbatch") >= 2, process)
    log, rotated = llmbatch.folder / name, llmbatch.folder / f"{name}.1"
    log.rename(rotated)
    if creates:
        log.touch()
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "rows to send" in rotated.read_text()
    lines = log.read_text().splitlines()
    assert "finished" in lines[-1]
    assert name != "run.jsonl" or [json.loads(line) for line in lines]


@pytest.mark.parametrize(("mask", "private", "public"), [("000", 0o600, 0o666), ("077", 0o600, 0o600)])
def test_a_umask_can_only_restrict_private_files(shell: Shell, mask: str, private: int, public: int) -> None:
    line = "$LLMBATCH prompt init task.toml && $LLMBATCH classify docs.jsonl --offline --out run"
    done = shell(f"umask {mask}; {line} --log-file run.log --metrics-file run.prom --spend-store spend.sqlite3")
    assert done.code == 0, done.err

    def mode(name: str) -> int:
        return stat.S_IMODE((shell.folder / name).stat().st_mode)

    assert mode("run") == 0o700
    assert {mode(f"run/{name.name}") for name in (shell.folder / "run").iterdir()} == {private}
    assert [mode(name) for name in ("run.log", "spend.sqlite3")] == [private] * 2
    assert [mode(name) for name in ("task.toml", "run.prom")] == [public] * 2


def test_a_run_folder_inside_a_repository_ignores_itself(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    subprocess.run(["git", "init", "--quiet"], cwd=llmbatch.folder, check=True)
    assert llmbatch("classify", "docs.jsonl", "--offline", "--out", "in/run").code == 0
    assert llmbatch("export", "in/run", "--out", "in/exported").code == 0
    listed = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=llmbatch.folder,
        check=True,
        capture_output=True,
        text=True,
    )
    shown = [line[3:] for line in listed.stdout.splitlines()]
    assert "docs.jsonl" in shown
    assert not [name for name in shown if name.startswith("in/run/")]
    assert "in/exported/results.jsonl" in shown


def test_a_run_folder_outside_of_repositories_has_no_gitignore(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(1))
    assert llmbatch("classify", "docs.jsonl", "--offline", "--out", "run").code == 0
    assert not (llmbatch.folder / "run" / ".gitignore").exists()
