"""Whatever a path option is given, a command ends in order: what the system refuses is a line, never a traceback."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import app as program
from llmbatch.cli.commands import SUMMARIES, load
from tests.e2e.program import Program, documents, write_rows

CLASSIFY = ["empty.jsonl", "--base-url", "http://127.0.0.1:9", "--max-wait", "0", "--out", "new"]
ARGUMENTS = {
    "classify": CLASSIFY,
    "estimate": ["docs.jsonl"],
    "input": ["docs.jsonl"],
    "retry": ["run"],
    "evaluate": ["run", "--gold", "gold.jsonl"],
    "calibrate": ["run", "--gold", "gold.jsonl"],
    "compare": ["empty.jsonl", "--model", "gpt-6-luna", "--model", "gpt-4o-mini", "--base-url", "http://127.0.0.1:9"],
    "review walk": ["run"],
    "review export": ["run"],
    "review import": ["run", "gold.jsonl"],
    "review status": ["run"],
    "show": ["run"],
    "report": ["run"],
    "spend": [],
    "export": ["run"],
    "prompt init": ["new.toml"],
    "prompt check": ["default"],
    "prompt add-examples": ["default.toml", "run"],
    "prompt render": ["default"],
    "canary report": ["run"],
    "canary promote": ["run"],
    "cache show": [],
    "cache clear": [],
    "simulate": [],
}
"""What each command needs besides the path that is tried."""
HOSTILE = [
    "n" * 300,
    "/".join(["p" * 99] * 50),
    "",
    ".",
    "docs.jsonl/below",
    "missing/file",
    "loop",
    "dangling",
    "pipe",
    "socket",
    "/dev/full",
    "folder",
    "docs.jsonl",
    "~nobody-of-that-name/file",
    os.fsdecode(b"\xff\n"),
]


def _commands() -> Iterator[tuple[str, Any]]:
    for name in SUMMARIES:
        command = load(name)
        below = getattr(command, "commands", None)
        yield from ((f"{name} {sub}", one) for sub, one in below.items()) if below else [(name, command)]


def _takes_path(option: Any) -> bool:
    is_path = "Path" in str(option.type_descriptor.annotation) or "FILE" in str(option.metavar)
    return is_path or option.param_type_name == "argument" or option.name in {"prompt", "task", "tasks"}


SWEEP = [(name, option) for name, command in _commands() for option in command.params if _takes_path(option)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("paths")
    write_rows(folder / "docs.jsonl", documents(2))
    write_rows(folder / "empty.jsonl", [])
    write_rows(folder / "gold.jsonl", [{"id": "d-0", "label": "technical"}])
    assert Program(folder)("classify", "docs.jsonl", "--offline", "--out", "run").code == 0
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)  # the name of a socket is at most 107 bytes long
        listening.bind("socket")
        os.chdir(here)
    return folder


def test_the_sweep_knows_every_command() -> None:
    assert {name for name, _ in _commands()} == set(ARGUMENTS)
    assert len(SWEEP) > 40


@pytest.mark.parametrize(("name", "option"), SWEEP, ids=[f"{name} {option.name}" for name, option in SWEEP])
def test_a_path_that_the_system_refuses_is_a_line(
    folder: Path, name: str, option: Any, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-at-all")
    for path in HOSTILE:
        monkeypatch.setattr(sys, "argv", ["llmbatch", *name.split(), *_arguments(name, option, path)])
        code = program._exit_code()
        err = capfdbinary.readouterr().err.decode(errors="replace")
        assert code in {0, 2, 3, 5, 7, 8}, (path, err)
        assert code in {0, 3, 7} or err.lower().count("error: ") == 1, (path, err)


def _arguments(name: str, option: Any, path: str) -> list[str]:
    given = list(ARGUMENTS[name])
    if option.param_type_name != "argument":
        return [*given, max(option.opts, key=len), path]
    _, command = next(one for one in _commands() if one[0] == name)
    place = [one.name for one in command.params if one.param_type_name == "argument"].index(option.name)
    given[place : place + 1] = [path]
    return given
