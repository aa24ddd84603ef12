"""The program in a folder with a trap for every module that it imports: no command runs one."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import llmbatch
from llmbatch.cli.commands import SUMMARIES
from tests.e2e.program import (
    PROGRAM,
    Program,
    documents,
    environment,
    forked_command,
    ledger_lines,
    wait_until,
    write_rows,
)

SCRIPT = [str(Path(sys.executable).with_name("llmbatch"))]
TRAP = "import os, sys; os.write(2, b'SPRUNG ' + __name__.encode()); os._exit(99)"
KEY = "sk-0a1b2c3d4e5f6a7b8c9d0e1f"

WATCHED = """
import os, sys
def note(event, arguments):
    if event == "import":
        with open({log!r}, "a") as file:
            file.write(arguments[0] + chr(10))
sys.addaudithook(note)
"""
"""Python runs this first in each process, children included; it logs every name that is looked for."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "classify": (
        "docs.jsonl",
        "--offline",
        "--sample",
        "2",
        "--reuse",
        "--log-file",
        "log",
        "--metrics-file",
        "m.prom",
    ),
    "compare": ("docs.jsonl", "--offline", "--model", "gpt-6-luna"),
    "estimate": ("docs.jsonl",),
    "input": ("docs.jsonl",),
    "watch": ("files", "--settle", "0", "--offline", "--max-cost", "0.0000001"),
    "retry": ("run", "--offline"),
    "evaluate": ("run", "--gold", "gold.csv", "--plot", "plot.png"),
    "calibrate": ("run", "--gold", "gold.csv"),
    "review": ("status", "run"),
    "show": ("run", "--by", "label"),
    "repair": ("run",),
    "merge": ("run",),
    "runs": ("list",),
    "batch": ("list", "run"),
    "report": ("run",),
    "export": ("run", "--format", "csv"),
    "canary": ("report", "run"),
    "spend": (),
    "cache": ("show",),
    "prompt": ("check",),
    "config": ("show",),
    "simulate": ("--port", "0", "--until-stdin-closes"),
}


ALL = """
import json, sys
from llmbatch.cli import main
from llmbatch.core import own_program
commands, forked = map(json.loads, sys.argv[1:])
for arguments in commands:
    sys.argv[1:] = arguments
    try:
        main()
    except SystemExit as end:
        print("ENDED", arguments[0], end.code, file=sys.stderr)
    own_program._START = forked
"""
"""A script as pip makes it, that runs one command after another: later ones reuse the imports of the first, and
all start their offline endpoint in the same way."""


@dataclass(frozen=True)
class Lookups:
    """A folder with a finished run, and the top-level names that the run and all commands' modules look for."""

    folder: Path
    names: frozenset[str]


@pytest.fixture(scope="module")
def lookups(tmp_path_factory: pytest.TempPathFactory) -> Lookups:
    folder = tmp_path_factory.mktemp("looked")
    write_rows(folder / "docs.jsonl", documents(4))
    names = frozenset(_names_looked_for(folder))
    assert {"json", "random", "typer", "openai", "llmbatch", "aiohttp"} <= names
    return Lookups(folder, names)


def _names_looked_for(folder: Path) -> set[str]:
    """Names looked for by a run and its offline endpoint, found or not, and of all modules that may be loaded."""
    with_hook = folder / "hook"
    with_hook.mkdir()
    log = folder / "imports.log"
    (with_hook / "sitecustomize.py").write_text(WATCHED.format(log=str(log)))
    command = [*SCRIPT, "classify", "docs.jsonl", "--offline", "--out", "run"]
    done = _run(folder, command, PYTHONPATH=str(with_hook))
    assert done.returncode == 0, done.stderr
    for found in pkgutil.walk_packages(llmbatch.__path__, "llmbatch."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    names = {name.partition(".")[0] for name in (*log.read_text().split(), *sys.modules)}
    log.unlink()
    return {name for name in names if name.isidentifier()}


def _set_traps(folder: Path, names: Iterable[str], packages: Sequence[str]) -> None:
    for name in names:
        (folder / f"{name}.py").write_text(TRAP)
    for name in packages:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(TRAP)
        (folder / name / "__main__.py").write_text(TRAP)


def _run(folder: Path, command: list[str], **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(OPENAI_API_KEY=KEY, **more),
        timeout=100,
    )


def test_no_command_runs_a_module_from_the_folder(lookups: Lookups, tmp_path: Path) -> None:
    assert set(COMMANDS) == set(SUMMARIES), "a command is missing here"
    (lookups.folder / "files").mkdir()
    write_rows(lookups.folder / "files" / "docs.jsonl", documents(1))
    (lookups.folder / "gold.csv").write_text("id,label\nd-0,technical\nd-1,business\n")
    _set_traps(lookups.folder, lookups.names, ("llmbatch", "openai", "encodings"))
    (tmp_path / "llmbatch").write_text(ALL)
    lines = [[name, *arguments] for name, arguments in COMMANDS.items()]
    command = [sys.executable, str(tmp_path / "llmbatch"), json.dumps(lines), json.dumps(forked_command(2))]
    done = _run(lookups.folder, command)
    assert "SPRUNG" not in done.stderr, done.stderr
    ended = dict(re.findall(r"^ENDED (\S+) (\d+)$", done.stderr, re.MULTILINE))
    assert list(ended) == list(COMMANDS), done.stderr
    assert "1" not in ended.values(), done.stderr


def test_python_m_runs_no_module_from_the_folder_beyond_what_python_itself_needs(
    lookups: Lookups, tmp_path: Path
) -> None:
    """`python -m` looks in the current folder before our code runs; the modules it needs for that are not ours."""
    write_rows(tmp_path / "docs.jsonl", documents(4))
    _set_traps(tmp_path, lookups.names - _names_that_python_needs(tmp_path) - {"llmbatch"}, ("openai", "encodings"))
    done = _run(tmp_path, [*PROGRAM, "classify", "docs.jsonl", "--offline"])
    assert (done.returncode, "SPRUNG" in done.stderr) == (0, False), done.stderr


def _names_that_python_needs(folder: Path) -> set[str]:
    empty = folder / "empty"
    empty.mkdir()
    (empty / "nothing.py").write_text("import sys; print(*sys.modules)")
    return {name.partition(".")[0] for name in _run(empty, [sys.executable, "-m", "nothing"]).stdout.split()}


def test_the_offline_endpoint_gets_no_secret_and_no_import_folder(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(4))
    run = llmbatch.folder / "run"
    arguments = ("classify", "docs.jsonl", "--offline", "--fault", "timeout@3+", "--out", "run")
    process = llmbatch.start(
        *arguments, program=PROGRAM, OPENAI_API_KEY=KEY, GITHUB_TOKEN="ghp_secret", PYTHONPATH=":lib:"
    )
    wait_until(lambda: ledger_lines(run) >= 1, process)
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    given = dict(entry.split("=", 1) for entry in Path(f"/proc/{child}/environ").read_text().split("\0") if entry)
    options = Path(f"/proc/{child}/cmdline").read_text().split("\0")
    folder = Path(f"/proc/{child}/cwd").readlink()
    process.kill()
    process.communicate()
    assert not {"OPENAI_API_KEY", "GITHUB_TOKEN"} & given.keys()
    assert given["PYTHONPATH"] == str(llmbatch.folder / "lib")
    assert options[1] == "-P"
    assert folder == Path("/")
