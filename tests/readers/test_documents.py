"""Folders whose files are one document each, and single text files."""

import gzip
import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Rejection, Row
from llmbatch.readers import ReaderOptions, count_rows, find_inputs, read_rows, resolve_inputs


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def put(files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def rows_of(*names: str, **options: Any) -> list[Row | Rejection]:
    reading = ReaderOptions(**options)
    inputs = resolve_inputs(names, reading)
    rows = list(read_rows(inputs, reading))
    assert count_rows(inputs, reading) == len(rows)
    return rows


def texts_of(*names: str, **options: Any) -> dict[Any, str]:
    return {row.id: row.text if isinstance(row, Row) else row.kind for row in rows_of(*names, **options)}  # type: ignore[union-attr]


def refusal(*names: str, **options: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        rows_of(*names, **options)
    return caught.value


def remarks_of(names: Sequence[str], **options: Any) -> tuple[str, ...]:
    found: list[str] = []
    reading = ReaderOptions(**options)
    list(read_rows(resolve_inputs(names, reading), reading, on_end=lambda _, remarks: found.extend(remarks)))
    return tuple(found)


def test_each_file_is_a_document_with_its_relative_path_as_id() -> None:
    put({"d/b.txt": "second\n", "d/a.md": "# first", "d/sub/c.html": "<p>third", "d/.hidden.txt": "no"})
    rows = rows_of("d")
    assert [(row.id, row.text, str(row.place)) for row in rows if isinstance(row, Row)] == [
        ("a.md", "# first", "d/a.md:1"),
        ("b.txt", "second\n", "d/b.txt:1"),
        ("sub/c.html", "third", "d/sub/c.html:1"),
    ]


@pytest.mark.parametrize("name", ["d", "d/", "./d", "d/../d"])
def test_ids_do_not_depend_on_how_the_folder_is_named(name: str) -> None:
    put({"d/a.txt": "x", "d/sub/b.txt": "y"})
    assert [row.id for row in rows_of(name) if isinstance(row, Row)] == ["a.txt", "sub/b.txt"]


def test_a_pattern_is_one_input_with_ids_from_its_fixed_part() -> None:
    put({"d/x/a.txt": "x", "d/y/b.txt": "y", "d/y/c.md": "z"})
    (item,) = resolve_inputs(["d/*/*.txt"], ReaderOptions())
    assert item.is_folder
    assert [row.id for row in rows_of("d/*/*.txt") if isinstance(row, Row)] == ["x/a.txt", "y/b.txt"]


def test_a_pattern_works_in_a_folder_whose_name_has_glob_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    put({"[1]/d/a.txt": "x"})
    monkeypatch.chdir("[1]")
    assert [row.id for row in rows_of("d/*.txt") if isinstance(row, Row)] == ["a.txt"]


def test_a_damaged_file_loses_only_itself() -> None:
    put({"d/a.txt": b"caf\xe9", "d/b.txt": "fine", "d/c.txt.gz": gzip.compress(b"x" * 5000)[:-9], "d/d.txt": " "})
    rows = rows_of("d")
    assert [row.kind if isinstance(row, Rejection) else row.text for row in rows] == [
        "bad_encoding",
        "fine",
        "bad_gzip",
        "empty_text",
    ]
    assert [row.fields for row in rows if isinstance(row, Rejection)][:2] == [{"id": "a.txt"}, {"id": "c.txt.gz"}]
    assert remarks_of(["d"]) == ("1 row is not UTF-8, most likely cp1252: --encoding cp1252",)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that opens and cannot be read")
def test_an_unreadable_file_is_one_rejection() -> None:
    put({"d/a.txt": "fine"})
    Path("d/b.txt").symlink_to("/proc/self/mem")
    first, second = rows_of("d")
    assert isinstance(first, Row)
    assert isinstance(second, Rejection)
    assert (second.kind, second.place.file) == ("unreadable", "d/b.txt")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_one_rejection() -> None:
    put({"d/a.txt": "fine", "d/b.txt": "closed"})
    Path("d/b.txt").chmod(0)
    assert [getattr(row, "kind", "row") for row in rows_of("d")] == ["row", "unreadable"]


def test_a_file_deleted_while_its_folder_is_read_is_one_rejection() -> None:
    put({"d/a.txt": "fine", "d/b.txt": "soon gone"})
    rows = read_rows(resolve_inputs(["d"], ReaderOptions()), ReaderOptions())
    first = next(rows)
    Path("d/b.txt").unlink()
    assert [first.index, *(row.kind for row in rows if isinstance(row, Rejection))] in ([0], [0, "unreadable"])


def test_a_document_over_the_limit_is_rejected() -> None:
    put({"d/a.txt": "x" * 101, "d/b.txt": "y" * 100})
    first, second = rows_of("d", max_row_bytes=100)
    assert isinstance(first, Rejection)
    assert first.kind == "too_large"
    assert isinstance(second, Row)


def test_the_encoding_is_detected_per_file() -> None:
    put({"d/a.txt": "grün".encode("utf-16"), "d/b.txt": "grün".encode("utf-8-sig"), "d/c.txt": "grün"})
    assert set(texts_of("d").values()) == {"grün"}
    assert remarks_of(["d"]) == ("1 document in utf-16",)
    put({"e/a.txt": "schön und grün, über allen Wipfeln ist Ruh".encode("cp1252"), "e/b.txt": "grün"})
    assert texts_of("e", encoding="auto")["a.txt"].startswith("schön")


def test_tables_take_precedence_over_documents_beside_them() -> None:
    put({"d/a.csv": "id,text\n1,x\n", "d/README.md": "about it", "d/notes.txt": "n"})
    found = find_inputs(["d"], ReaderOptions())
    assert [item.name for item in found.inputs] == ["d/a.csv"]
    assert dict(found.passed_over[0].counts) == {"file in .md": 1, "file in .txt": 1}


@pytest.mark.parametrize("name", ["d", "d/*"])
def test_a_table_among_many_documents_is_refused_with_the_option_to_use(name: str) -> None:
    put({"d/labels.csv": "id,label\n1,x\n", **{f"d/{n}.txt": "x" for n in range(11)}})
    error = refusal(name)
    assert "11 documents and 1 tables" in error.message
    assert "'d/**/*.txt' or 'd/**/*.csv'" in (error.hint or "")
    assert len(rows_of("d/**/*.txt")) == 11


@pytest.mark.parametrize("names", [("d", "d/a.txt"), ("d", "d/*.txt"), ("d/*.txt", "d/a*"), ("d", "d"), ("d", "d/sub")])
def test_a_duplicate_document_is_refused(names: tuple[str, ...]) -> None:
    put({"d/a.txt": "x", "d/sub/b.txt": "y"})
    assert "given twice" in refusal(*names).message


def test_a_link_to_a_document_of_the_same_folder_is_ignored() -> None:
    put({"d/a.txt": "x", "other.txt": "y"})
    Path("d/same.txt").symlink_to("a.txt")
    Path("d/other.txt").symlink_to("../other.txt")
    assert texts_of("d") == {"a.txt": "x", "other.txt": "y"}
    assert dict(find_inputs(["d"], ReaderOptions()).passed_over[0].counts) == {"link to a document already included": 1}


def test_run_folders_inside_it_are_skipped() -> None:
    put({"d/a.txt": "x", "d/a.llmbatch/page.html": "p", "d/o/run.json": "", "d/o/ledger.jsonl": "", "d/o/p.txt": "p"})
    assert texts_of("d") == {"a.txt": "x"}
    assert texts_of("d/**/*") == {"a.txt": "x"}


def test_a_text_file_by_itself_is_one_document() -> None:
    put({"a.txt": "first\nsecond\n", "b.txt": "one"})
    assert texts_of("a.txt", "b.txt") == {"a.txt": "first\nsecond\n", "b.txt": "one"}


def test_a_text_file_is_read_by_lines_on_request() -> None:
    put({"a.txt": "first\r\n\n  \nsecond\ncaf\xe9".encode("latin-1")})
    first, second, third = rows_of("a.txt", input_format="lines")
    assert [(row.id, row.text, row.place.line) for row in (first, second) if isinstance(row, Row)] == [
        (0, "first", 1),
        (1, "second", 4),
    ]
    assert isinstance(third, Rejection)


@pytest.mark.parametrize(
    ("content", "input_format_option"),
    [
        ("id\ttext\n1\tx\n2\ty\n3\tz\n", "tsv"),
        ("id,text,n\n1,x,1\n2,y,1\n3,z,1\n", "csv"),
        ("id|text|n\n1|x|1\n2|y|1\n3|z|1\n", "psv"),
        ('{"text": "x"}\n{"text": "y"}\n', "json"),
    ],
)
def test_a_text_file_that_looks_like_a_table_is_refused(content: str, input_format_option: str) -> None:
    put({"a.txt": content})
    error = refusal("a.txt")
    assert f"--input-format {input_format_option}" in (error.hint or "")
    assert len(rows_of("a.txt", input_format=input_format_option)) >= 2
    assert texts_of("a.txt", input_format="txt") == {"a.txt": content}


@pytest.mark.parametrize("content", ["x", "", "a, b\nc\n", "Dear all,\n\nyes, no.\n\nBest,\nI\n", "{not json}"])
def test_prose_is_not_taken_for_a_table(content: str) -> None:
    put({"a.txt": content})
    assert len(rows_of("a.txt")) == 1


def test_files_with_a_table_suffix_can_be_read_as_documents() -> None:
    put({"d/a.csv": "x,y", "d/b.json": "{}", "d/c.log": "no"})
    assert texts_of("d", input_format="txt") == {"a.csv": "x,y", "b.json": "{}"}
    assert texts_of("d/*", input_format="txt") == {"a.csv": "x,y", "b.json": "{}", "c.log": "no"}


def test_a_field_that_documents_lack_is_refused() -> None:
    put({"d/a.txt": "x"})
    assert refusal("d", text_fields=("body",)).message == "d: there is no column 'body'"


file_names = st.binary(min_size=1, max_size=60).filter(
    lambda name: not {0, 47} & set(name) and name[:1] != b"." and name != b"*"
)
"""A file that is called like the pattern is that pattern's only one."""


@given(st.lists(file_names, unique=True, min_size=1, max_size=4))
def test_any_file_name_is_accepted(tmp_path_factory: pytest.TempPathFactory, names: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("names")
    for name in names:
        (folder / os.fsdecode(name + b".txt")).write_text("x")
        (folder / os.fsdecode(name + b".jsonl")).write_text('{"text": "x"}')
    options = ReaderOptions()
    rows = list(read_rows(resolve_inputs([f"{folder}/{'*'}.txt"], options), options))
    assert len(rows) == len({row.id for row in rows if isinstance(row, Row)}) == len(names)
    for row in rows:
        str(row.place).encode()
        assert isinstance(row, Row)
        str(row.id).encode()
    for name in names:
        (one,) = read_rows(resolve_inputs([str(folder / os.fsdecode(name + b".jsonl"))], options), options)
        assert isinstance(one, Row)


def test_memory_does_not_grow_with_the_number_of_files() -> None:
    put({f"d/{n % 2}/{n}.txt": "word " * 20 for n in range(1000)})
    peaks = []
    for name in ("d/0", "d/0", "d"):
        inputs = resolve_inputs([name], ReaderOptions())
        tracemalloc.start()
        for _ in read_rows(inputs, ReaderOptions()):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < peaks[1] + 100_000
