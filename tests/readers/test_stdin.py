import gzip
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest

from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, from_spool, read_rows, resolve_inputs, spooled
from tests.e2e.program import wait_until

READER = """
import sys
from pathlib import Path
from llmbatch.readers import ReaderOptions, read_rows, resolve_inputs, spooled
options = ReaderOptions(input_format=sys.argv[2] or None)
(item,) = resolve_inputs(["-"], options)
def announce(choice):
    print(choice.text_fields, flush=True)
for row in read_rows([spooled(item, Path(sys.argv[1]))], options, on_fields=announce):
    print(row.index, row.place, getattr(row, "text", None) or row.kind, flush=True)
"""


@contextmanager
def reader(spool: Path, input_format: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that prints the rows of its standard input as soon as they arrive."""
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(spool), input_format], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


@contextmanager
def given(content: bytes) -> Iterator[None]:
    """The content on a pipe as this process's standard input."""
    before = os.dup(0)
    end, start = os.pipe()
    os.dup2(end, 0)
    os.close(end)
    writer = Thread(target=lambda: write_all(start, content))
    writer.start()
    try:
        yield
    finally:
        os.dup2(before, 0)
        os.close(before)
        writer.join()


def write_all(file: int, content: bytes) -> None:
    with os.fdopen(file, "wb") as pipe:
        pipe.write(content)


def rows_read(content: bytes, spool: Path, input_format: str | None = None) -> list[str]:
    """The output of `READER` for the content."""
    options = ReaderOptions(input_format=input_format)
    lines: list[str] = []
    with given(content):
        (item,) = resolve_inputs(["-"], options)
        rows = read_rows([spooled(item, spool)], options, on_fields=lambda found: lines.append(str(found.text_fields)))
        lines.extend(map(_line, rows))
    return lines


def copied(spool: Path, input_format: str | None = None) -> list[str]:
    """The rows of the copy in the same form."""
    options = ReaderOptions(input_format=input_format)
    return list(map(_line, read_rows([from_spool(spool, options)], options)))


def _line(row: Row | Rejection) -> str:
    return f"{row.index} {row.place} {row.kind if isinstance(row, Rejection) else row.text}"


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (b'{"text": "a"}\n', ["a"]),
        (b'\n  {"text": "a"}', ["a"]),
        (b'\xef\xbb\xbf{"text": "a"}\n', ["a"]),
        (b"id,text\n1,a\n", ["a"]),
        (b"text\na\n", ["a"]),
        (b"id\ttext, too\ttext\n1\tb\ta\n", ["a"]),
        (gzip.compress(b'{"text": "a"}\n', mtime=0), ["a"]),
        (gzip.compress(b"id,text\n1,a\n", mtime=0), ["a"]),
        (b"[1]\n", ["not_an_object"]),
    ],
)
def test_the_first_bytes_determine_the_format_and_the_copy_gives_the_same_rows(
    tmp_path: Path, content: bytes, texts: list[str]
) -> None:
    spool = tmp_path / "stdin"
    rows = [line for line in rows_read(content, spool) if not line.startswith("(")]
    assert [row.split()[-1] for row in rows] == texts
    assert all("<stdin>:" in row for row in rows)
    assert copied(spool) == rows
    assert spool.read_bytes() == content


def test_a_requested_format_is_not_sniffed(tmp_path: Path) -> None:
    spool = tmp_path / "stdin"
    assert rows_read(b"{x},text\n1,a\n", spool, "csv") == ["('text',)", "0 <stdin>:2 a"]
    assert copied(spool, "csv") == ["0 <stdin>:2 a"]


def test_empty_input_has_no_rows(tmp_path: Path) -> None:
    assert rows_read(b"", tmp_path / "stdin") == []
    assert copied(tmp_path / "stdin") == []


def test_the_copy_is_private(tmp_path: Path) -> None:
    rows_read(b'{"text": "a"}\n', tmp_path / "stdin")
    assert stat.S_IMODE((tmp_path / "stdin").stat().st_mode) == 0o600


@pytest.mark.parametrize("start", [b"", b"id,text\n", b"id\ttext\n"])
def test_a_row_is_yielded_as_soon_as_it_is_written(tmp_path: Path, start: bytes) -> None:
    with reader(tmp_path / "stdin") as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(start)
        for number in range(3):
            line = b'{"text": "a"}\n' if not start else b"1" + start[2:3] + b"a\n"
            process.stdin.write(line)
            process.stdin.flush()
            if number == 0:
                assert process.stdout.readline() == b"('text',)\n"
            assert process.stdout.readline().startswith(b"%d " % number)


@pytest.mark.parametrize(
    ("content", "whole"),
    [
        (b'{"text": "a"}\n{"text": "b', ["0 <stdin>:1 a"]),
        (b'text\na\n"b\nc', ["0 <stdin>:2 a"]),
        (b"text\na\nb", ["0 <stdin>:2 a"]),
        (b"text\na\nb,c", ["0 <stdin>:2 a"]),
        (b"te", []),
        (gzip.compress(b"text\na\n", mtime=0)[:-3], ["0 <stdin>:2 a"]),
    ],
)
def test_the_complete_rows_of_an_unfinished_copy_are_read(tmp_path: Path, content: bytes, whole: list[str]) -> None:
    spool = tmp_path / "stdin"
    with reader(spool) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(content)
        process.stdin.flush()
        part = tmp_path / "stdin.part"
        wait_until(lambda: part.exists() and part.read_bytes() == content)
    assert not spool.exists(), "an unfinished copy is not taken for a complete one"
    assert copied(spool, "jsonl" if content.startswith(b"{") else "csv") == whole


def test_a_new_copy_replaces_an_old_one(tmp_path: Path) -> None:
    rows_read(b'{"text": "old"}\n{"text": "old"}\n', tmp_path / "stdin")
    rows_read(b'{"text": "new"}\n', tmp_path / "stdin")
    assert copied(tmp_path / "stdin") == ["0 <stdin>:1 new"]
    assert [path.name for path in tmp_path.iterdir()] == ["stdin"]


def test_without_a_copy_there_are_no_rows(tmp_path: Path) -> None:
    assert copied(tmp_path / "stdin") == []


def test_standard_input_is_counted_only_from_its_copy(tmp_path: Path) -> None:
    options = ReaderOptions()
    spool = tmp_path / "stdin"
    rows_read(b'{"text": "a"}\n{"text": "b"}\n', spool)
    assert count_rows([spooled(item, spool) for item in resolve_inputs(["-"], options)], options) is None
    assert count_rows([from_spool(spool, options)], options) == 2


def test_reading_stops_if_the_copy_cannot_be_written(tmp_path: Path) -> None:
    with reader(tmp_path / "gone" / "stdin") as process:
        process.communicate(b'{"text": "a"}\n')
        assert process.returncode == 1
