"""Files are written completely or not at all, and files of a group all or none."""

import ast
import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.core import files
from llmbatch.core.errors import ExitCode, StorageFailed, UsageError
from llmbatch.core.files import (
    append_private,
    check_database,
    create_beside,
    create_file,
    create_numbered,
    open_file,
    open_private,
    open_to_read,
    replacing,
    replacing_together,
    storing,
)
from llmbatch.runs.ledger.sent import SentLog
from tests.e2e.program import REPOSITORY


def test_a_failing_block_leaves_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"new" * (1 // 0))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "old")]


def test_a_long_lived_process_keeps_no_state_for_replaced_files(tmp_path: Path) -> None:
    before = set(files._being_written)  # by blocks that other tests left open
    for content in (b"new", b"newer"):
        with replacing(tmp_path / "a") as file:
            file.write(content)
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a") as file:
        file.write(b"newest" * (1 // 0))
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "missing" / "a"):
        pass
    log = SentLog(tmp_path / "sent.log")
    log.begin(0, "now")
    log.close(settled=True)
    assert not files._being_written - before


def test_files_of_a_group_are_replaced_all_or_none(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in "ab"}
    with replacing_together(paths) as opened:
        for name, file in opened.items():
            file.write(name.encode())
    (tmp_path / "b").unlink()
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="is a folder"), replacing_together(paths):
        pass
    assert (tmp_path / "a").read_text() == "a"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_written_files_are_private_to_their_user(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file:
        file.write(b"x")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_reported_as_such(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with pytest.raises(StorageFailed, match="No space left") as caught, storing(tmp_path), full.open("wb", 0) as file:
        file.write(b"x")
    assert caught.value.exit_code is ExitCode.STORAGE
    assert "make room" in (caught.value.hint or "")
    with pytest.raises(StorageFailed, match="Input/output") as caught, storing(tmp_path):
        raise OSError(errno.EIO, "Input/output error")
    assert "make room" not in (caught.value.hint or "")


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, _: Path) -> None:
    path.mkdir()


def device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


OPENINGS: list[Callable[[Path], object]] = [
    open_private,
    append_private,
    check_database,
    create_beside,
    lambda path: open_file(path, os.O_RDWR),
    lambda path: open_file(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC),
    lambda path: replacing(path).__enter__(),
    lambda path: replacing_together({"it": path}).__enter__(),
]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("plant", [link, hard_link, pipe, folder, device])
def test_a_path_that_is_not_the_users_own_file_is_refused_and_left_unchanged(
    tmp_path: Path, plant: Callable[[Path, Path], None], opening: Callable[[Path], object]
) -> None:
    victim, path = tmp_path / "victim", tmp_path / "run" / "name"
    path.parent.mkdir()
    victim.write_text("precious")
    plant(path, victim)
    with pytest.raises((UsageError, IsADirectoryError), match=r"run/name"):
        opening(path)
    assert victim.read_text() == "precious"
    assert list(path.parent.iterdir()) == [path]


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "name-1"
    path.symlink_to(tmp_path / "planted")
    with pytest.raises(UsageError, match="symbolic link"):
        append_private(path)
    with pytest.raises(FileExistsError):
        create_file(path)
    found, file = create_numbered(tmp_path, "name")
    file.close()
    assert found.name == "name-2"
    assert not (tmp_path / "planted").exists()


def test_another_user_s_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    path.write_text("theirs")
    try:
        os.chown(path, 12_345, -1)
    except PermissionError:
        pytest.skip("only root can give a file away")
    with pytest.raises(UsageError, match="another user"):
        open_private(path)
    assert path.read_text() == "theirs"


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_sqlite_side_files_are_checked_too(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"spend.sqlite3{suffix}").symlink_to(tmp_path / "victim")
    with pytest.raises(UsageError, match="symbolic link"):
        check_database(tmp_path / "spend.sqlite3")


def test_checking_a_database_releases_no_lock_of_its_user(tmp_path: Path) -> None:
    path = tmp_path / "spend.sqlite3"
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    check_database(path)
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0).execute('BEGIN IMMEDIATE')"
    refused = subprocess.run([sys.executable, "-c", other, path], capture_output=True, text=True, check=False)
    assert "database is locked" in refused.stderr
    writer.close()


@pytest.mark.parametrize("plant", [link, pipe, folder, device])
def test_reading_follows_no_link_and_does_not_block_on_a_pipe(
    tmp_path: Path, plant: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "victim").write_text("secret")
    plant(tmp_path / "name", tmp_path / "victim")
    with pytest.raises(UsageError, match="where a file is expected"):
        open_to_read(tmp_path / "name")


def test_temporary_files_of_killed_processes_are_removed_and_those_in_use_stay(tmp_path: Path) -> None:
    left_over = tmp_path / ".llmbatch-0123456789abcdef.new"
    left_over.write_text("half")
    similar = tmp_path / ".llmbatch-0123456789abcdef.new.txt"
    similar.write_text("a user's")
    beside, fd = create_beside(tmp_path / "a")
    with replacing(tmp_path / "b") as file:
        file.write(b"b")
    assert {path.name for path in tmp_path.iterdir()} == {"b", beside.name, similar.name}
    os.close(fd)


def test_the_users_own_files_keep_their_permissions(tmp_path: Path) -> None:
    path = tmp_path / "task.toml"
    path.write_text("old")
    path.chmod(0o640)
    with replacing(path, keep_mode=True) as file:
        file.write(b"new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)


def test_no_other_part_of_the_program_opens_files_for_writing() -> None:
    package = REPOSITORY / "llmbatch"
    found = {
        f"{path.relative_to(package)}:{call.lineno} {ast.unparse(call)}"
        for path in package.rglob("*.py")
        if path != package / "core" / "files.py"
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _opens_for_writing(ast.unparse(call.func), call)
    }
    assert {entry for entry in found if "os.devnull" not in entry and " formatter." not in entry} == set()


def _opens_for_writing(function: str, call: ast.Call) -> bool:
    if function == "os.open" or function.endswith((".write_text", ".write_bytes", ".touch", "NamedTemporaryFile")):
        return True
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    texts = [set(value.value) for value in given if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    is_opening = function.endswith("open") and not function.endswith("fdopen")
    return is_opening and any(text <= set("rwaxbt+") and text & set("wax+") for text in texts)
