import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.rows import Row
from llmbatch.readers import Input, ReaderOptions, find_inputs, read_rows, resolve_inputs
from llmbatch.readers.formats import format_named
from llmbatch.readers.formats.json_format import JSON


@pytest.fixture(autouse=True)
def _in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def made(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(b'{"text": "x"}\n')


def resolve(*names: str, input_format: str | None = None) -> tuple[Input, ...]:
    return resolve_inputs(names, ReaderOptions(input_format=input_format))


def names_of(inputs: Sequence[Input]) -> list[str]:
    return [item.name for item in inputs]


def refusal(*names: str, input_format: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        resolve(*names, input_format=input_format)
    return caught.value


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jsonl", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.csv", "csv"),
        ("a.tsv", "tsv"),
        ("a.jsonl.gz", "jsonl"),
        ("a.ndjson.gz", "jsonl"),
        ("a.csv.gz", "csv"),
        ("a.tsv.gz", "tsv"),
        ("A.CSV.GZ", "csv"),
    ],
)
def test_the_suffix_determines_the_format(name: str, expected: str) -> None:
    made(name)
    assert resolve(name) == (Input(name=name, path=Path(name), format=format_named(expected), size=14),)


def test_a_requested_format_overrides_the_suffix() -> None:
    made("a.txt", "a.csv")
    assert [item.format for item in resolve("a.txt", "a.csv", input_format="ndjson")] == [JSON, JSON]


def test_an_unknown_format_is_refused() -> None:
    made("a.txt")
    assert "--input-format 'xml' is unknown" in refusal("a.txt", input_format="xml").message


def test_inputs_keep_the_order_in_which_they_were_named() -> None:
    made("b.jsonl", "a.jsonl")
    assert names_of(resolve("b.jsonl", "a.jsonl")) == ["b.jsonl", "a.jsonl"]


def test_a_folder_expands_to_the_sorted_input_files_below_it() -> None:
    made("d/b.csv", "d/a.jsonl", "d/sub/c.tsv.gz", "d/readme.md", "d/.hidden.csv", "d/.git/x.csv")
    assert names_of(resolve("d")) == ["d/a.jsonl", "d/b.csv", "d/sub/c.tsv.gz"]


def test_run_outputs_are_not_taken_as_input() -> None:
    made("d/a.jsonl", "d/a.llmbatch/results.jsonl", "d/out/run.json", "d/out/ledger.jsonl", "d/out/results.jsonl")
    assert names_of(resolve("d")) == ["d/a.jsonl"]
    assert names_of(resolve("d/**/*.jsonl")) == ["d/a.jsonl"]


def test_a_file_in_a_run_folder_can_be_named_explicitly() -> None:
    made("a.llmbatch/failed.jsonl")
    assert names_of(resolve("a.llmbatch/failed.jsonl")) == ["a.llmbatch/failed.jsonl"]


def test_a_folder_without_input_files_is_refused() -> None:
    made("d/readme.pdf")
    assert refusal("d").message == "d: the folder contains no input files"


def test_a_glob_expands_to_the_sorted_matching_input_files() -> None:
    made("b.jsonl", "a.csv", "notes.md", "sub/c.csv")
    assert names_of(resolve("*")) == ["a.csv", "b.jsonl"]
    assert names_of(resolve("**/*.csv")) == ["a.csv", "sub/c.csv"]


def test_a_glob_takes_any_suffix_if_a_format_was_requested() -> None:
    made("a.txt", "b.txt")
    assert names_of(resolve("*.txt", input_format="jsonl")) == ["a.txt", "b.txt"]


def test_a_file_whose_name_looks_like_a_pattern_takes_precedence() -> None:
    made("a[1].jsonl", "a1.jsonl")
    assert names_of(resolve("a[1].jsonl")) == ["a[1].jsonl"]


@pytest.mark.parametrize("name", ["gone.jsonl", "", "gone/a.jsonl", "a.jsonl/b.jsonl"])
def test_a_missing_file_is_refused(name: str) -> None:
    made("a.jsonl")
    error = refusal(name)
    assert "no such file" in error.message
    assert error.hint


def test_a_glob_without_a_match_is_refused() -> None:
    assert refusal("*.jsonl").message == "*.jsonl: the pattern matches no input files"


def test_an_unknown_suffix_is_refused() -> None:
    made("a.log")
    assert refusal("a.log").hint == "specify its format: --input-format json, csv, tsv or lines"


@pytest.mark.parametrize("second", ["a.jsonl", "./a.jsonl", "*.jsonl"])
def test_the_same_file_twice_is_refused(second: str) -> None:
    made("a.jsonl")
    Path("link.jsonl").symlink_to("a.jsonl")
    Path("hard.jsonl").hardlink_to("a.jsonl")
    assert "given twice" in refusal("a.jsonl", second).message


@pytest.mark.parametrize("names", [("a.jsonl", "link.jsonl"), ("link.jsonl", "a.jsonl"), (".",), ("*.jsonl",)])
def test_a_link_to_an_existing_input_is_not_a_second_input(names: tuple[str, ...]) -> None:
    made("a.jsonl")
    Path("link.jsonl").symlink_to("a.jsonl")
    found = find_inputs(names, ReaderOptions())
    assert [item.name for item in found.inputs] == ["a.jsonl"]
    assert [dict(one.counts) for one in found.passed_over] in (
        [{"file, the same as a.jsonl": 1}],
        [{"file, the same as link.jsonl": 1}],
    )


def test_files_skipped_in_a_folder_are_named() -> None:
    made("d/a.jsonl", "d/b.txt", "d/c.txt", "d/README", "d/sub/x.csv", "d/.hidden.csv")
    Path("d/linked").symlink_to("sub")
    os.mkfifo("d/pipe.csv")
    found = find_inputs(("d",), ReaderOptions())
    assert [item.name for item in found.inputs] == ["d/a.jsonl", "d/sub/x.csv"]
    (passed,) = found.passed_over
    assert dict(passed.counts) == {
        "link to a folder": 1,
        "file in .txt": 2,
        "file without a suffix": 1,
        "file that is not regular": 1,
    }
    assert len(passed.examples) == 3


def test_standard_input_twice_is_refused() -> None:
    assert refusal("-", "-").message == "-: given twice"


def test_standard_input_is_not_opened_before_it_is_read() -> None:
    assert resolve("-") == (Input(name="-", path=None, format=None, size=None),)


def test_an_unreadable_file_is_refused() -> None:
    Path("loop.jsonl").symlink_to("loop.jsonl")
    assert "cannot be read" in refusal("loop.jsonl").message


def test_a_named_pipe_is_refused_because_it_can_be_read_only_once() -> None:
    os.mkfifo("pipe.jsonl")
    assert "-" in (refusal("pipe.jsonl").hint or "")


def test_the_index_counts_across_inputs_and_lines_restart_in_each() -> None:
    Path("a.jsonl").write_text('{"text": "1"}\nbad\n')
    Path("b.csv").write_text("text\n3\n")
    rows = list(read_rows(resolve("a.jsonl", "b.csv"), ReaderOptions()))
    assert [(row.index, str(row.place)) for row in rows] == [(0, "a.jsonl:1"), (1, "a.jsonl:2"), (2, "b.csv:2")]


def test_an_unusable_later_file_is_refused_before_the_first_row() -> None:
    made("a.jsonl")
    Path("b.csv").write_text("number,colour\n1,red\n")
    with pytest.raises(UsageError, match=r"b\.csv"):
        next(read_rows(resolve("a.jsonl", "b.csv"), ReaderOptions()))


def test_a_file_deleted_after_it_was_resolved_is_refused() -> None:
    made("a.jsonl")
    inputs = resolve("a.jsonl")
    Path("a.jsonl").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_rows(inputs, ReaderOptions()))


def test_a_name_that_is_not_unicode_is_escaped_in_messages() -> None:
    name = os.fsdecode(b"caf\xe9.jsonl")
    made(name)
    (row,) = read_rows(resolve(name), ReaderOptions())
    assert isinstance(row, Row)
    assert row.place.file == "caf\ufffd.jsonl"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("docs.tar", "unpack it"),
        ("docs.tar.gz", "unpack it"),
        ("docs.TGZ", "unpack it"),
        ("docs.7z", "unpack it"),
        ("letter.pdf", "pdftotext"),
        ("letter.docx.gz", "pandoc"),
        ("photo.jpeg", "--input-format"),
    ],
)
def test_an_unsupported_file_is_refused_with_a_suggestion(tmp_path: Path, name: str, hint: str) -> None:
    (tmp_path / name).write_bytes(b"...")
    with pytest.raises(UsageError, match=r" supported|unknown file type") as refused:
        resolve_inputs([str(tmp_path / name)], ReaderOptions())
    assert hint in (refused.value.hint or "")
