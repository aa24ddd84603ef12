"""The terminal after a command: a first run, a resume, and an error of each kind."""

import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.e2e.conftest import StartEndpoint, endpoint, endpoints, llmbatch
from tests.e2e.program import Program, documents, write_rows
from tests.terminal.screens import on_a_terminal

__all__ = ["endpoint", "endpoints", "llmbatch"]

SIZES = [(80, 24), (100, 30)]
VARYING = {
    r"\d+(\.\d+)?s \(\d+\.\d/s\)": "TIMEs (RATE/s)",
    r"\d{4}-\d\d-\d\d": "DATE",
    r"in (\d+h)?\d+m(\d+s)?:": "in TIME:",
    r"about \d+ s": "about TIME s",
}
REFUSED = {
    "a wrong command": "classfy docs.jsonl",
    "a wrong option": "classify docs.jsonl --max-cots 5",
    "a bad value": "classify docs.jsonl --max-cost five",
    "no such file": "classify nothere.jsonl --offline",
    "no text": "classify fields.csv --offline",
    "a task that is not TOML": "classify docs.jsonl --task syntax.toml",
    "a task with a misspelt key": "classify docs.jsonl --task misspelt.toml",
    "no such task": "classify docs.jsonl --task tikets",
    "no key": "classify docs.jsonl",
    "a fault that is none": "classify docs.jsonl --offline --fault bad_gate=90%",
    "a misspelt profile": "classify docs.jsonl --profile nightli",
}
STOPPED = {
    "a wrong key": (("--fault", "auth@1+"), ()),
    "the budget is reached": ((), ("--max-cost", "0.0001")),
    "the daily budget is reached": ((), ("--daily-budget", "0.0001")),
    "the quota is used up": (("--fault", "quota@1+"), ()),
    "too many unusable answers": (("--fault", "invented=100%"), ("--reask", "0")),
    "the endpoint is down": (("--fault", "overloaded@1+"), ("--max-wait", "0")),
}
SHOWN_WIDE = {"a wrong key", "the endpoint is down"}


@pytest.fixture
def folder(llmbatch: Program) -> Path:
    write_rows(llmbatch.folder / "docs.jsonl", documents(30))
    (llmbatch.folder / "fields.csv").write_text("number,txt\n1,a\n")
    (llmbatch.folder / "syntax.toml").write_text('name = "x"\n[[labels]\n')
    (llmbatch.folder / "misspelt.toml").write_text('name = "x"\n[[labels]]\nname = "a"\ndescripton = "b"\n')
    (llmbatch.folder / "llmbatch.toml").write_text("[profile.nightly]\nquiet = true\n")
    return llmbatch.folder


def screen(program: Program, command: list[str], size: tuple[int, int], **env: str) -> list[str]:
    """The last screen of a terminal, without varying figures."""
    shown = "\n".join(on_a_terminal(program, *command, width=size[0], height=size[1], **env))
    assert max(map(len, shown.splitlines())) <= size[0]
    for pattern, name in VARYING.items():
        shown = re.sub(pattern, name, shown)
    return [line.rstrip() for line in shown.splitlines()[-size[1] + 1 :]]


@pytest.mark.parametrize("error", REFUSED)
@pytest.mark.usefixtures("folder")
def test_what_is_refused(llmbatch: Program, error: str, snapshot: SnapshotAssertion) -> None:
    assert screen(llmbatch, REFUSED[error].split(), SIZES[0]) == snapshot


@pytest.mark.parametrize("ending", STOPPED)
@pytest.mark.usefixtures("folder")
def test_what_stops_a_run(llmbatch: Program, endpoint: StartEndpoint, ending: str, snapshot: SnapshotAssertion) -> None:
    faults, options = STOPPED[ending]
    command = ["classify", "docs.jsonl", "--price", "1,1,1", "--concurrency", "1", *options]
    env = {"OPENAI_API_KEY": "sk-offline", "OPENAI_BASE_URL": endpoint(*faults).url, "LLMBATCH_SPEND_STORE": "spend"}
    for size in SIZES if ending in SHOWN_WIDE else SIZES[:1]:
        assert screen(llmbatch, command, size, **env) == snapshot


@pytest.mark.usefixtures("folder")
def test_a_first_run_and_one_after_it(llmbatch: Program, snapshot: SnapshotAssertion) -> None:
    for size in SIZES:
        for again in ("first", "again"):
            command = ["classify", "docs.jsonl", "--offline", "--out", f"run-{size[0]}"]
            assert screen(llmbatch, command, size) == snapshot(name=f"{again}-{size[0]}")


def test_findings_break_between_words(llmbatch: Program, snapshot: SnapshotAssertion) -> None:
    assert screen(llmbatch, ["prompt", "check", "default"], SIZES[0]) == snapshot
