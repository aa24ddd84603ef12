"""Help: one screen per command, all options on demand, and suggestions for unknown names."""

from collections.abc import Iterator
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from llmbatch.cli.commands import SUMMARIES, load
from tests.e2e.program import Program

USED_MOST = [
    "--concurrency",
    "--daily-budget",
    "--deadline",
    "--help-all",
    "--id-field",
    "--json",
    "--max-cost",
    "--model",
    "--offline",
    "--out",
    "--profile",
    "--quiet",
    "--reuse",
    "--review-below",
    "--sample",
    "--task",
    "--text-field",
    "--yes",
]


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    for name in SUMMARIES:
        command = load(name)
        yield (name,), command
        for below, subcommand in getattr(command, "commands", {}).items():
            yield (name, below), subcommand


@pytest.mark.parametrize("names", [(), *(names for names, _ in commands())], ids=" ".join)
def test_the_help_of_each_command_fits_on_a_screen(llmbatch: Program, names: tuple[str, ...]) -> None:
    shown = llmbatch(*names, "--help", COLUMNS="80", LINES="24").out.splitlines()
    assert len(shown) <= 23
    assert max(map(len, shown)) <= 80


def test_the_help_of_classify(llmbatch: Program, snapshot: SnapshotAssertion) -> None:
    shown = llmbatch("classify", "--help", COLUMNS="80", LINES="24").out
    assert shown == snapshot
    assert sorted(word for word in shown.split() if word.startswith("--")) == USED_MOST


def test_the_help_of_the_program(llmbatch: Program, snapshot: SnapshotAssertion) -> None:
    shown = llmbatch("--help", COLUMNS="80", LINES="24").out
    assert shown == snapshot
    assert all(name in shown for name in SUMMARIES)


@pytest.mark.parametrize(("names", "command"), [one for one in commands() if not hasattr(one[1], "commands")])
def test_all_options_are_shown_on_demand(llmbatch: Program, names: tuple[str, ...], command: Any) -> None:
    done = llmbatch(*names, "--help-all", COLUMNS="80", LINES="24")
    flags = [parameter.opts[0] for parameter in command.params if parameter.opts[0].startswith("-")]
    hidden = {parameter.opts[0] for parameter in command.params if getattr(parameter, "hidden", False)}
    missing = [flag for flag in flags if flag not in done.out and flag not in hidden]
    if hasattr(command, "declared"):
        assert (done.code, missing) == (0, [])


def test_brackets_in_a_text_are_not_markup(llmbatch: Program) -> None:
    assert "[profile.NAME]" in llmbatch("classify", "--help-all").out


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("clasify", "llmbatch classify?"),
        ("status", "llmbatch show?"),
        ("lint", "llmbatch prompt check?"),
        ("docs.jsonl", "llmbatch classify docs.jsonl?"),
        ("a b", "llmbatch classify 'a b'?"),
        ("run", "llmbatch classify?"),
        ("zzz", "llmbatch --help lists them"),
        ("prompt chek", "Did you mean 'check'?"),
        ("review exprot", "llmbatch review export?"),
        ("review exprot", "there is no command 'exprot' and no run folder of that name"),
        ("classify x --modle m", "--model?"),
        ("classify x --cost 3", "--max-cost?"),
        ("classify x --budget 3", "--daily-budget?"),
        ("classify x --qqqq", "llmbatch classify --help-all lists the options"),
        ("--model m classify x", "llmbatch COMMAND --model"),
        ("classify", "usage: llmbatch classify [OPTIONS] INPUT..."),
        ("classify x --truncate tail", "'tail' is not one of 'head', 'head-tail'"),
    ],
)
def test_a_likely_name_is_suggested(llmbatch: Program, given: str, meant: str) -> None:
    (llmbatch.folder / "docs.jsonl").write_text("")
    (llmbatch.folder / "a b").write_text("")
    arguments = [given] if given == "a b" else given.split()
    done = llmbatch(*arguments)
    assert (done.code, done.out) == (2, "")
    assert meant in done.err
    assert done.err.startswith("error: ")
    assert done.err.count("\n") <= 2


def test_a_run_folder_given_as_a_command_suggests_show(llmbatch: Program) -> None:
    (llmbatch.folder / "x.llmbatch").mkdir()
    (llmbatch.folder / "x.llmbatch" / "run.json").write_text("{}")
    assert "did you mean llmbatch show x.llmbatch?" in llmbatch("x.llmbatch").err
