"""A changed input is noticed: while it is read, between sessions, compressed or piped."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.observe.events import InputChanged
from llmbatch.readers import ReaderOptions
from llmbatch.runs.folder import RunFolder
from llmbatch.runs.input import RunInput
from tests.e2e.program import documents, write_rows

MANY = documents(20_000)
"""More than is read from a file at once."""

Change = Callable[[Path], None]


def opened(path: Path) -> RunInput:
    return RunInput.first_read((str(path),), ReaderOptions(), RunFolder(path.with_suffix(".llmbatch")))


def read_while(source: RunInput, change: Callable[[], None]) -> list[tuple[str, bool]]:
    """The changes noticed if `change` happens after a run has read the first rows."""
    rows = source.rows(lambda _: None)
    next(rows, None)
    change()
    for again in (rows, source.read_again(lambda _: None)):
        for _ in again:
            pass
    return [(one.change, one.is_failure) for one in source.changes()]


def shrink(path: Path) -> None:
    os.truncate(path, path.stat().st_size * 3 // 4)


def shrink_at_a_row(path: Path) -> None:
    os.truncate(path, path.read_bytes().rindex(b"\n", 0, path.stat().st_size * 3 // 4) + 1)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def rewrite_in_place(path: Path) -> None:
    status = path.stat()
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.write(content[: content.index(b"in case")].replace(b"server", b"SERVER"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace_by_another(path: Path) -> None:
    write_rows(path.with_name("new"), documents(5)[1:]).replace(path)


def replace_by_its_like(path: Path) -> None:
    path.with_name("new").write_bytes(path.read_bytes())
    path.with_name("new").replace(path)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"id": "new", "text": "A new row."}\n')


def touch(path: Path) -> None:
    os.utime(path)


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (shrink, ("shrank", True)),
        (shrink_at_a_row, ("shrank", True)),
        (empty, ("shrank", True)),
        (rewrite_in_place, ("changed", True)),
        (replace_by_another, ("changed", True)),
        (replace_by_its_like, None),
        (grow, None),
        (touch, None),
    ],
)
def test_a_change_while_the_input_is_read_is_noticed(
    tmp_path: Path, change: Change, noticed: tuple[str, bool] | None
) -> None:
    path = write_rows(tmp_path / "docs.jsonl", MANY)
    assert read_while(opened(path), lambda: change(path)) == ([] if noticed is None else [noticed])


def test_rows_added_after_reading_are_reported_and_are_not_a_failure(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "docs.jsonl", documents(5))
    source = opened(path)
    list(source.rows(lambda _: None))
    grow(path)
    list(source.read_again(lambda _: None))
    assert source.changes() == (InputChanged(path.name, "grew", is_while_read=True),)


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (shrink, ("shrank", True)),
        (shrink_at_a_row, ("shrank", True)),
        (empty, ("shrank", True)),
        (rewrite_in_place, ("changed", False)),
        (replace_by_another, ("changed", False)),
        (replace_by_its_like, None),
        (grow, None),
        (touch, None),
    ],
)
def test_a_change_between_sessions_is_noticed(tmp_path: Path, change: Change, noticed: tuple[str, bool] | None) -> None:
    path = write_rows(tmp_path / "docs.jsonl", documents(50))
    first = opened(path)
    assert read_while(first, lambda: None) == []
    change(path)
    again = opened(path)
    again.compare_with(first.identities())
    assert read_while(again, lambda: None) == ([] if noticed is None else [noticed])
    settled = opened(path)
    settled.compare_with(again.identities())
    assert read_while(settled, lambda: None) == [], "it is reported once"


def test_a_compressed_input_may_grow_by_members_and_truncation_is_noticed(tmp_path: Path) -> None:
    plain = write_rows(tmp_path / "docs.jsonl", documents(500)).read_bytes()
    path = tmp_path / "packed.jsonl.gz"
    half, rest = gzip.compress(plain[: len(plain) // 2]), gzip.compress(plain[len(plain) // 2 :])
    whole = half + rest
    path.write_bytes(whole)
    first = opened(path)
    assert read_while(first, lambda: None) == []
    for content, noticed in (
        (whole + gzip.compress(b'{"id": "new", "text": "More."}\n'), []),
        (half, [("shrank", True)]),
    ):
        path.write_bytes(content)
        again = opened(path)
        again.compare_with(first.identities())
        assert read_while(again, lambda: None) == noticed


def test_a_file_deleted_from_a_folder_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        write_rows(folder / name, documents(2))
    first = opened(folder)
    assert read_while(first, lambda: None) == []
    (folder / "a.jsonl").unlink()
    again = opened(folder)
    again.compare_with(first.identities())
    assert read_while(again, lambda: None) == [("gone", True)]
