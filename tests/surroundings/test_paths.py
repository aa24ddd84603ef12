"""Whatever a path option is given, a command ends cleanly: a refused path is one line, never a traceback."""

import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import app as program
from llmbatch.cli.commands import SUMMARIES, load
from tests.e2e.program import Program, documents, write_rows
from tests.thorough import IS_TORTURE

CLASSIFY = ["empty.jsonl", "--base-url", "http://127.0.0.1:9", "--max-wait", "0", "--out", "new"]
ARGUMENTS = {
    "classify": CLASSIFY,
    "estimate": ["docs.jsonl"],
    "input": ["docs.jsonl"],
    "watch": ["folder", "--offlin"],
    "retry": ["run"],
    "evaluate": ["run", "--gold", "gold.jsonl"],
    "calibrate": ["run", "--gold", "gold.jsonl"],
    "compare": [
        "empty.jsonl",
        "--model",
        "gpt-6-luna",
        "--model",
        "gpt-4o-mini",
        "--base-url",
        "http://127.0.0.1:9",
        "--max-wait",
        "0",
    ],
    "review walk": ["run"],
    "review export": ["run"],
    "review import": ["run", "gold.jsonl"],
    "review status": ["run"],
    "show": ["run"],
    "repair": ["run"],
    "report": ["run"],
    "spend": [],
    "export": ["run"],
    "prompt init": ["new.toml"],
    "prompt check": ["default"],
    "prompt add-examples": ["default.toml", "run"],
    "prompt render": ["default"],
    "canary report": ["run"],
    "canary promote": ["run"],
    "merge": ["run"],
    "runs list": [],
    "runs clean": [],
    "batch list": ["run"],
    "batch cancel": ["run", "--base-url", "http://127.0.0.1:9"],
    "batch adopt": ["run", "1", "batch-1"],
    "batch forget": ["run", "1"],
    "cache show": [],
    "cache clear": [],
    "config show": [],
    "config trust": [],
    "config schema": [],
    "simulate": ["--port", "0", "--until-stdin-closes"],
}
"""The arguments that each command needs besides the tested path."""
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


WORDS = frozenset(
    {
        "alert_at", "alert_command", "api_key", "api_version", "base_url", "batch", "batch_wait", "batch_window",
        "by", "canary_model", "canary_share",
        "concurrency", "deadline", "delimiter", "dialect", "encoding", "escalate_to", "escape", "fault", "faulty_model",
        "gold_id_field", "host", "id_field", "input_format", "jury", "keep", "label", "label_field", "max_failed",
        "method", "model", "name", "only", "precision", "price", "profile", "quote", "reasoning_effort", "refuse",
        "reviewer", "sample", "since", "stop_at_failures", "stop_at_invalid", "text_field", "until",
    }
)  # fmt: skip
"""Parameters with a text value that is not a path, by name, for all commands."""


def _takes_text(option: Any) -> bool:
    return option.type_descriptor.annotation in {str, list[str], Path, list[Path]}


def _commands() -> Iterator[tuple[str, Any]]:
    for name in SUMMARIES:
        command = load(name)
        below = getattr(command, "commands", None)
        yield from ((f"{name} {sub}", one) for sub, one in below.items()) if below else [(name, command)]


TEXTS = [(name, option) for name, command in _commands() for option in command.params if _takes_text(option)]
SWEEP = [(name, option) for name, option in TEXTS if option.name not in WORDS]
"""Every parameter whose value may be a path. A new one is included until it is listed in `WORDS`."""
WORDS_SWEEP = [(name, option) for name, option in TEXTS if option.name in WORDS]


def _ids(parameters: Sequence[tuple[str, Any]]) -> list[str]:
    return [f"{name} {option.name}" for name, option in parameters]


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


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """Restore signal handlers: ignored signals would stay ignored in the child processes of later tests."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_the_sweep_covers_every_command() -> None:
    assert {name for name, _ in _commands()} == set(ARGUMENTS)
    assert len(SWEEP) > 40
    assert {option.name for _, option in TEXTS} >= WORDS


@pytest.mark.parametrize(("name", "option"), SWEEP, ids=_ids(SWEEP))
def test_a_path_refused_by_the_system_is_one_line(
    folder: Path, name: str, option: Any, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-at-all")
    write_rows(folder / "docs.jsonl", documents(2))  # an earlier command may have overwritten it with its report
    for path in HOSTILE if IS_TORTURE else HOSTILE[SWEEP.index((name, option)) % 4 :: 4]:
        monkeypatch.setattr(sys, "argv", ["llmbatch", *name.split(), *_arguments(name, option, path)])
        _check_ends_cleanly(program._exit_code(), capfdbinary.readouterr().err)


@pytest.mark.parametrize(("name", "option"), WORDS_SWEEP, ids=_ids(WORDS_SWEEP))
def test_a_value_that_is_not_utf8_is_one_line(
    folder: Path, name: str, option: Any, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-at-all")
    monkeypatch.setattr(sys, "argv", ["llmbatch", *name.split(), *_arguments(name, option, os.fsdecode(b"\xff\n"))])
    _check_ends_cleanly(program._exit_code(), capfdbinary.readouterr().err)


def _check_ends_cleanly(code: int, err: bytes) -> None:
    shown = err.decode(errors="replace")
    assert code in {0, 2, 3, 5, 7, 8}, shown
    assert code in {0, 3, 7} or shown.lower().count("error: ") == 1, shown


def _arguments(name: str, option: Any, path: str) -> list[str]:
    given = list(ARGUMENTS[name])
    if option.param_type_name != "argument":
        return [*given, max(option.opts, key=len), path]
    _, command = next(one for one in _commands() if one[0] == name)
    place = [one.name for one in command.params if one.param_type_name == "argument"].index(option.name)
    given[place : place + 1] = [path]
    return given
