"""Symbolic links where the program writes: each path that real commands write is replaced by a link once."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.forked import CONSTANTS, WRITTEN
from tests.e2e.program import Done, Program, documents, write_rows
from tests.thorough import IS_TORTURE

ROWS = 24
CHECKPOINTED = {"llmbatch.session.session.WORTHWHILE_BYTES": 0}
"""A checkpoint at the end, as otherwise with a long ledger."""
FILES = ("--log-file", "run.log", "--metrics-file", "run.prom", "--reuse", "--reuse-store", "answers.sqlite")
COMMANDS: tuple[tuple[str, ...], ...] = (
    ("classify", "docs.jsonl", "--base-url", "URL", "--out", "new", "--sample", "2", *FILES),
    ("classify", "-", "--base-url", "URL", "--out", "piped", "--input-format", "jsonl"),
    ("classify", "docs.jsonl", "--base-url", "URL", "--out", "torn", "--model", "gpt-6-sol"),
    ("classify", "docs.jsonl", "--base-url", "URL", "--out", "damaged", "--salvage"),
    ("retry", "run", "--base-url", "URL", "--review"),
    ("export", "run", "--format", "csv", "--out", "csv"),
    ("review", "import", "torn", "decided.csv"),
    ("review", "export", "run", "--out", "todo.csv"),
    ("evaluate", "run", "--gold", "gold.csv", "--plot", "plot.png"),
    ("calibrate", "run", "--gold", "gold.csv", "--out", "calibration.json", "--method", "platt"),
    ("report", "run", "--out", "page.html"),
    ("prompt", "init", "new.toml"),
    ("prompt", "add-examples", "task.toml", "decided"),
    ("canary", "promote", "run", "--to", "old.toml"),
    ("compare", "docs.jsonl", "--base-url", "URL", "--model", "gpt-6-luna", "--model", "gpt-6-sol", "--out", "both"),
)


SEEN_AT_ONCE = {
    *("ledger.jsonl", "sent.log", "run.json", "results.jsonl", "sample.jsonl", ".lock", "reserve"),
    *("folders.key", "answers.sqlite-wal", "spend.sqlite3", "run.prom", "run.log"),
}
SEEN_LATER = {
    *("ledger.torn-1", "ledger.salvaged-1", "decisions.torn-1", "ledger.checkpoint", "stdin.part", "results.csv"),
    *("decisions.jsonl", "plot.png", "page.html", "new.toml", "task.toml", "old.toml", "compare.json", "todo.csv"),
}
LABELS = ("technical", "business", "legal", "other")


@pytest.fixture
def world(llmbatch: Program, endpoint: StartEndpoint) -> Program:
    """An input to classify; for the other commands, also runs in every state and users' own files."""
    write_rows(llmbatch.folder / "docs.jsonl", documents(ROWS))
    world = Program(llmbatch.folder, {"URL": endpoint().url})
    if IS_TORTURE:
        _add_runs(world)
    return world


def _add_runs(world: Program) -> None:
    folder = world.folder
    gold = [f"d-{n},{('technical', 'business', 'legal')[n % 3 if n % 4 else (n + 1) % 3]}" for n in range(ROWS)]
    (folder / "gold.csv").write_text("\n".join(["id,label", *gold]))
    (folder / "decided.csv").write_text("row,id,decision\n0,d-0,legal\n")
    for name in ("task.toml", "canary.toml", "old.toml"):
        world("prompt", "init", name, *(part for label in LABELS for part in ("--label", label)))
    with (folder / "canary.toml").open("a") as file:
        file.write('[[examples]]\ntext = "A court."\nlabel = "legal"\n')
    canary = ("--prompt", "task.toml", "--canary-prompt", "canary.toml", "--canary-share", "50%")
    run = ("classify", "docs.jsonl", "--base-url", world.env["URL"], "--out", "run", "--sample", "5", *canary)
    assert world(*run, LLMBATCH_SPEND_STORE="off").code == 0
    for name in ("decided", "torn", "damaged"):
        shutil.copytree(folder / "run", folder / name)
    assert world("review", "import", "decided", "decided.csv").code == 0
    shutil.copy(folder / "decided" / "decisions.jsonl", folder / "torn")
    for log in ("ledger.jsonl", "decisions.jsonl"):
        with (folder / "torn" / log).open("ab") as torn:
            torn.write(b'{"half')
    lines = (folder / "damaged" / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "damaged" / "ledger.jsonl").write_bytes(b"".join([b"garbage\n", *lines[1:]]))


class _Copies:
    """Runs each command in its own copy of the world."""

    def __init__(self, world: Program, base: Path) -> None:
        self._world = world
        self._base = base
        self._made = 0

    def fresh(self) -> Path:
        self._made += 1
        copy = self._base / f"copy-{self._made}"
        shutil.copytree(self._world.folder, copy)
        return copy

    def run(self, copy: Path, command: tuple[str, ...], **env: str) -> Done:
        arguments = [self._world.env["URL"] if part == "URL" else part for part in command]
        places = {f"XDG_{kind}_HOME": str(copy / kind.lower()) for kind in ("STATE", "CACHE")}
        places["MPLCONFIGDIR"] = str(self._base / "matplotlib")  # not under test: it is in the user's own folder
        if "torn" in arguments:
            env[CONSTANTS] = json.dumps(CHECKPOINTED)
        stdin = (copy / "docs.jsonl").read_bytes()
        return Program(copy)(*arguments, stdin=stdin, LLMBATCH_TRUST="1", **places, **env)

    def names_written(self, command: tuple[str, ...]) -> set[str]:
        copy = self.fresh()
        done = self.run(copy, command, **{WRITTEN: str(self._base / "names")})
        assert "Traceback" not in done.err, done.err
        names = {os.path.relpath(copy / name, copy) for name in (self._base / "names").read_text().splitlines()}
        (self._base / "names").unlink()
        return {name for name in names if not name.startswith("..") and ".llmbatch-" not in name}


@pytest.mark.timeout(900)
def test_no_link_is_followed_at_any_path_that_is_written(
    world: Program, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copies = _Copies(world, tmp_path_factory.mktemp("copies"))
    tried: set[str] = set()
    for command in COMMANDS if IS_TORTURE else COMMANDS[:1]:
        for name in sorted(copies.names_written(command)):
            if Path(name).name not in tried:
                tried.add(Path(name).name)
                _plant_and_run(copies, command, name)
    assert (SEEN_AT_ONCE | (SEEN_LATER if IS_TORTURE else set())) <= tried, "the trace missed some"


def _plant_and_run(copies: _Copies, command: tuple[str, ...], name: str) -> None:
    """Replace a path by a link to a user's file with the same content, if it had any, and run the command."""
    copy = copies.fresh()
    victim, place = copy / "victim", copy / name
    place.parent.mkdir(parents=True, exist_ok=True)
    content = place.read_bytes() if place.exists() else b"precious"
    victim.write_bytes(content)
    place.unlink(missing_ok=True)
    place.symlink_to(victim)
    done = copies.run(copy, command)
    where = f"{' '.join(command)} with a link for {name}: exit code {done.code}, {done.err}"
    assert victim.read_bytes() == content, where
    assert done.code not in (1, 8), where
    assert "Traceback" not in done.err, where
    shutil.rmtree(copy)
