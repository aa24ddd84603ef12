"""A run folder names files: these are read if the folder is one's own, even if moved, not if it is a stranger's."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.checksum import FORMAT, seal
from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import Program, documents, read_rows, write_rows

SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----"
COMMANDS: list[tuple[str, ...]] = [
    ("export", "got"),
    ("retry", "got", "--offline"),
    ("evaluate", "got", "--gold", "gold.csv"),
    ("calibrate", "got", "--gold", "gold.csv"),
    ("report", "got"),
    ("show", "got"),
    ("show", "got", "--by", "field:text"),
    ("review", "export", "got"),
    ("review", "export", "got", "--decided"),
    ("review", "import", "got", "decided.csv"),
    ("review", "status", "got"),
    ("prompt", "add-examples", "task.toml", "got"),
]


@pytest.fixture
def run(llmbatch: Program) -> Program:
    """A finished run of two rows, `docs.offline.llmbatch`."""
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    assert llmbatch("classify", "docs.jsonl", "--offline").code == 0
    return llmbatch


def change(folder: Path, **fields: Any) -> None:
    """Write values into a run folder's record, as anyone could."""
    record = json.loads((folder / "run.json").read_bytes())
    changed = {"format": FORMAT, **{name: value for name, value in record.items() if name != "crc32"}, **fields}
    (folder / "run.json").write_bytes(seal(json.dumps(changed, separators=(",", ":")).encode()))


@pytest.fixture
def got(run: Program) -> Program:
    """A stranger's folder, whose record names a key as its input, and the key's neighbour as its task."""
    (run.folder / "id_ed25519").write_text(f"{SECRET}\nsecond line\n")
    (run.folder / "gold.csv").write_text("id,label\nd-0,technical\n")
    (run.folder / "decided.csv").write_text("row,id,decision\n0,d-0,legal\n")
    run("prompt", "init", "task.toml")
    shutil.copytree(run.folder / "docs.offline.llmbatch", run.folder / "got")
    reader = {"input_format": "jsonl"}
    change(run.folder / "got", inputs=[str(run.folder / "id_ed25519")], reader=reader, inputs_read={})
    return run


def test_no_command_reads_a_file_named_by_a_strangers_folder(got: Program) -> None:
    before = set((got.folder / "got").iterdir())
    for command in COMMANDS:
        done = got(*command)
        files = [path for path in got.folder.rglob("*") if path.is_file() and path.name != "id_ed25519"]
        for text in (done.out, done.err, *(path.read_text("utf-8", "replace") for path in files)):
            assert SECRET not in text, command
        assert "Traceback" not in done.err, done.err
        if command not in (("show", "got"), ("report", "got")):
            assert (done.code, "--trust" in done.err) == (2, True), (command, done.err)
    assert set((got.folder / "got").iterdir()) - before == {got.folder / "got" / "report.html"}


def test_task_paths_from_a_strangers_folder_are_not_written_to(run: Program, endpoint: StartEndpoint) -> None:
    llmbatch, url = run, endpoint().url
    for name in ("mine.toml", "canary.toml"):
        llmbatch("prompt", "init", name, "--label", "technical", "--label", "other", "--label", "legal")
    with (llmbatch.folder / "canary.toml").open("a") as file:
        file.write('[[examples]]\ntext = "A court."\nlabel = "legal"\n')
    canary = ("--prompt", "mine.toml", "--canary-prompt", "canary.toml", "--canary-share", "50%", "--out", "got")
    assert llmbatch("classify", "docs.jsonl", "--base-url", url, *canary).code == 0
    shutil.copytree(llmbatch.folder / "got", llmbatch.folder / "own copy")
    victim = llmbatch.folder / "victim.toml"
    victim.write_text("precious")
    change(llmbatch.folder / "got", task_source=str(victim))
    for to in ((), ("--to", "new.toml")):
        refused = llmbatch("canary", "promote", "got", *to)
        assert (refused.code, "--trust" in refused.err) == (2, True), refused.err
    again = llmbatch("classify", "docs.jsonl", "--base-url", url, "--prompt", "mine.toml", "--out", "got")
    assert again.code == 0, again.err
    refused = llmbatch("canary", "promote", "got")
    assert refused.code == 2, "resuming in a stranger's folder does not make its paths trusted"
    assert victim.read_text() == "precious"
    assert not (llmbatch.folder / "new.toml").exists()
    assert llmbatch("canary", "promote", "own copy").code == 0
    assert (llmbatch.folder / "mine.toml").read_bytes() == (llmbatch.folder / "canary.toml").read_bytes()


def move(folder: Path) -> Path:
    (folder / "docs.offline.llmbatch").rename(folder / "moved")
    return folder / "moved"


def copy(folder: Path) -> Path:
    shutil.copytree(folder / "docs.offline.llmbatch", folder / "copied")
    return folder / "copied"


def move_with_input(folder: Path) -> Path:
    (folder / "elsewhere").mkdir()
    for name in ("docs.jsonl", "docs.offline.llmbatch"):
        (folder / name).rename(folder / "elsewhere" / name)
    return folder / "elsewhere" / "docs.offline.llmbatch"


@pytest.mark.parametrize("go", [move, copy, move_with_input])
def test_ones_own_folder_is_trusted_wherever_it_is_moved(run: Program, go: Callable[[Path], Path]) -> None:
    folder = go(run.folder)
    for command in ("export", "show", "retry"):
        done = run(command, folder, *(("--offline",) if command == "retry" else ()))
        assert done.code == 0, done.err
    assert len(read_rows(folder / "results.jsonl")) == 2
    assert run("show", folder, "--json").json["rows"]["ok"] == 2
    again = go(folder.parent) if go is copy and not folder.exists() else folder
    assert run("export", again).code == 0


def test_an_input_the_user_names_for_a_folder_is_remembered(got: Program) -> None:
    folder = got.folder / "got"
    (folder / "results.jsonl").unlink()
    assert got("export", "got", "--input", "docs.jsonl").code == 0
    assert len(read_rows(folder / "results.jsonl")) == 2
    assert got("export", "got").code == 0
    change(folder, inputs=[str(got.folder / "id_ed25519")])
    assert got("export", "got").code == 2, "trust covers only the paths it was given for"


def test_trusting_a_folder_is_remembered(run: Program) -> None:
    change(run.folder / "docs.offline.llmbatch", mark=None)
    run.env["LLMBATCH_SPEND_STORE"] = "off"
    refused = run("export", "docs.offline.llmbatch")
    assert (refused.code, "--input FILE" in refused.err) == (2, True)
    assert run("export", "docs.offline.llmbatch", "--trust").code == 0
    assert run("export", "docs.offline.llmbatch").code == 0


def test_without_a_state_folder_the_error_says_what_to_do(llmbatch: Program) -> None:
    write_rows(llmbatch.folder / "docs.jsonl", documents(2))
    (llmbatch.folder / "file").write_text("")
    llmbatch.env.update(XDG_STATE_HOME=str(llmbatch.folder / "file" / "no"), LLMBATCH_SPEND_STORE="off")
    assert llmbatch("classify", "docs.jsonl", "--offline").code == 0
    refused = llmbatch("export", "docs.offline.llmbatch")
    assert (refused.code, "folders.key" in refused.err, "--trust" in refused.err) == (2, True, True), refused.err
    assert llmbatch("show", "docs.offline.llmbatch").code == 0
    assert llmbatch("export", "docs.offline.llmbatch", "--input", "docs.jsonl").code == 0
    assert llmbatch("export", "docs.offline.llmbatch", "--trust").code == 0
    assert llmbatch("classify", "docs.jsonl", "--offline").code == 0


def test_another_user_s_folder_needs_trust(run: Program) -> None:
    folder = run.folder / "docs.offline.llmbatch"
    try:
        shutil.chown(folder, 12_345)
    except PermissionError:
        pytest.skip("only root can give a folder away")
    refused = run("export", folder)
    assert (refused.code, "another user" in refused.err) == (2, True), refused.err
    assert run("export", folder, "--trust").code == 0


def test_files_inside_the_folder_may_be_read_whoever_made_it(llmbatch: Program) -> None:
    rows = b"".join(json.dumps(row).encode() + b"\n" for row in documents(2))
    assert llmbatch("classify", "-", "--offline", "--out", "made", stdin=rows).code == 0
    shutil.copytree(llmbatch.folder / "made", llmbatch.folder / "got")
    change(llmbatch.folder / "got", mark="0" * 32)
    assert llmbatch("export", "got").code == 0
    (llmbatch.folder / "id_ed25519").write_text(SECRET)
    (llmbatch.folder / "got" / "stdin").unlink()
    (llmbatch.folder / "got" / "stdin").symlink_to(llmbatch.folder / "id_ed25519")
    refused = llmbatch("export", "got")
    assert (refused.code, "symbolic link" in refused.err) == (2, True)


def test_a_run_folder_that_is_a_symbolic_link_is_not_written_through(run: Program) -> None:
    (run.folder / "got").mkdir()
    (run.folder / "mine").mkdir()
    write_rows(run.folder / "got" / "docs.jsonl", documents(2))
    (run.folder / "got" / "docs.offline.llmbatch").symlink_to(run.folder / "mine")
    refused = run("classify", "got/docs.jsonl", "--offline")
    assert (refused.code, "symbolic link" in refused.err) == (2, True), refused.err
    assert list((run.folder / "mine").iterdir()) == []
    assert run("classify", "got/docs.jsonl", "--offline", "--out", "mine").code == 0
    assert run("classify", "got/docs.jsonl", "--offline").code == 0, "now the link leads to one's own run folder"
