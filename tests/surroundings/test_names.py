"""Any file name that the system allows works: in inputs, folders, tasks, logs, stores and reports."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.filenames import readable, restored, shell_command, stored
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, write_rows
from tests.surroundings.conftest import Shell
from tests.thorough import IS_TORTURE

NAMES = [b"-caf\xe9\xff\n\x1b[31m\\'\"$", "file:%41 Ü 文".encode()]
WORDS = st.binary(min_size=1).filter(lambda raw: b"\0" not in raw).map(os.fsdecode)


@given(WORDS)
def test_a_stored_name_is_text_and_round_trips(name: str) -> None:
    stored(name).encode()
    readable(name).encode()
    assert restored(stored(name)) == name


@given(st.lists(WORDS, max_size=3))
def test_a_command_line_is_text(words: list[str]) -> None:
    shell_command(words).encode()


@pytest.mark.parametrize("raw", NAMES, ids=ascii)
def test_every_file_may_have_any_name(llmbatch: Program, raw: bytes) -> None:
    """With every file and report of a run."""
    name = os.fsdecode(raw)
    folder = llmbatch.folder / name
    folder.mkdir()
    files = {end: folder / f"{name}.{end}" for end in ("toml", "log", "prom", "html", "csv", "sqlite3", "reuse", "run")}
    rows, gold, run = folder / f"{name}.jsonl", folder / f"{name}.gold.jsonl", files["run"]
    write_rows(rows, documents(2))
    write_rows(gold, [{"id": "d-0", "label": "technical"}, {"id": "d-1", "label": "business"}])
    program = Program(folder, {"LLMBATCH_SPEND_STORE": str(files["sqlite3"])})
    assert program("prompt", "init", "--label", "technical", "--label", "business", "--", files["toml"]).code == 0
    command = (
        *("classify", "--offline", "--json", "--out", run, "--prompt", files["toml"]),
        *("--reuse", "--reuse-store", files["reuse"]),
        *("--log-file", files["log"], "--metrics-file", files["prom"], "--log-format", "json", "--", rows.name),
    )
    done = program(*command)
    assert done.code == 0, done.err
    events = [json.loads(line)["event"] for line in done.err.splitlines()]
    assert "observer.failed" not in events
    again = program(*command)
    assert (again.code, again.json["session"]["skipped"]) == (0, 2), again.err
    for arguments in (
        ("show", "--json", "--", run),
        ("export", "--", run),
        ("evaluate", "--gold", gold.name, "--", run),
        ("report", "--out", files["html"], "--", run),
        ("spend", "--by", "run", "--offline"),
        ("spend", "--by", "label", "--offline", "--json"),
        ("review", "export", "--out", files["csv"], "--", run),
        ("retry", "--offline", "--", run),
    ):
        done = program(*arguments)
        assert done.code == 0, (arguments, done.err)
        assert "\x1b" not in done.err
    for file in (files["log"], files["prom"], run / "run.json"):
        assert "\x1b" not in file.read_bytes().decode()
    assert "llmbatch_run_info{" in files["prom"].read_text()


def test_export_prints_names_unescaped(shell: Shell) -> None:
    assert shell("$LLMBATCH classify docs.jsonl --offline --out $'r\\xff'").code == 0
    done = shell("$LLMBATCH export $'r\\xff' | xargs -d '\\n' ls | wc -l")
    assert (done.code, int(done.out) > 1) == (0, True), done.err


LOCALES = (
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "latin-1:strict"},
    {"LC_ALL": "C", "PYTHONUTF8": "0"},
    {"LC_ALL": "C"},
)
"""The worst first."""


@pytest.mark.parametrize("more", LOCALES if IS_TORTURE else LOCALES[:1], ids=str)
def test_a_locale_changes_neither_files_nor_messages(
    shell: Shell, endpoint: StartEndpoint, more: dict[str, str]
) -> None:
    write_rows(shell.folder / "grün.jsonl", [{**documents(1)[0], "größe": "ü"}])
    done = shell(f"$PROGRAM classify grün.jsonl --keep größe --json --out rün --base-url {endpoint().url}", more=more)
    assert done.code == 0, done.err
    assert json.loads(done.out)["files"]["results"] == "rün/results.jsonl"
    (row,) = read_rows(shell.folder / "rün" / "results.jsonl")
    assert row["größe"] == "ü"
    assert "grün.jsonl" in (shell.folder / "rün" / "run.json").read_text()
