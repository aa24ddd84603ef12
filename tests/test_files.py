"""Files are there whole or not at all, and those that belong together all or none."""

import errno
from pathlib import Path

import pytest

from llmbatch.errors import ExitCode, StorageFailed
from llmbatch.files import replacing, replacing_together, storing


def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as file:
        file.write(b"new" * (1 // 0))
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a", "old")]


def test_files_that_belong_together_are_replaced_all_or_none(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in "ab"}
    with replacing_together(paths) as files:
        for name, file in files.items():
            file.write(name.encode())
    (tmp_path / ".b.new").mkdir()
    with pytest.raises(IsADirectoryError), replacing_together(paths):
        pass
    assert {name: path.read_text() for name, path in paths.items()} == {"a": "a", "b": "b"}
    assert not (tmp_path / ".a.new").exists()


def test_what_is_written_is_private_to_its_user(tmp_path: Path) -> None:
    with replacing(tmp_path / "a") as file:
        file.write(b"x")
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_full_disk_is_told_as_one(tmp_path: Path) -> None:
    full = Path("/dev/full")
    with pytest.raises(StorageFailed, match="No space left") as caught, storing(tmp_path), full.open("wb", 0) as file:
        file.write(b"x")
    assert caught.value.exit_code is ExitCode.STORAGE
    assert "make room" in (caught.value.hint or "")
    with pytest.raises(StorageFailed, match="Input/output") as caught, storing(tmp_path):
        raise OSError(errno.EIO, "Input/output error")
    assert "make room" not in (caught.value.hint or "")
