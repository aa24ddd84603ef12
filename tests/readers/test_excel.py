import datetime as dt
import io
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from llmbatch.core.errors import UsageError
from llmbatch.readers import ReaderOptions, read_rows, resolve_inputs
from llmbatch.readers.formats import EXCEL, Content
from tests.readers.test_packings import kinds
from tests.readers.test_zip import zipped

HEADER = ("id", "text", "value")


def workbook(rows: Sequence[Sequence[Any]], number_format: str | None = None) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    if number_format is not None:
        book.active["C2"].number_format = number_format
    return saved(book)


def saved(book: Any) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def with_part(data: bytes, name: str, before: bytes, after: bytes) -> bytes:
    """The workbook with a replacement in one of its files."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w") as new:
        for one in old.namelist():
            content = old.read(one)
            new.writestr(one, content.replace(before, after) if one == name else content)
    return file.getvalue()


VALUES = [
    (1, None, 1),
    (12_345_678_901_234, None, 12_345_678_901_234),
    (0.1 + 0.2, None, 0.3),
    (1.5, "0.00", 1.5),
    (0.5, "0%", 0.5),
    (7, "00000", "00007"),
    (True, None, True),
    (None, None, None),
    (dt.datetime.fromisoformat("2024-02-29T13:14:15"), None, "2024-02-29T13:14:15"),
    (dt.datetime.fromisoformat("2024-02-29"), None, "2024-02-29T00:00:00"),
    (dt.date(2024, 2, 29), None, "2024-02-29"),
    (dt.time(3, 4), None, "03:04:00"),
    (dt.timedelta(hours=30), None, "30:00:00"),
    ("two\nlines_x000D_ <&>", None, "two\nlines\r <&>"),
    ("#N/A", None, None),
]


@pytest.mark.parametrize(("value", "number_format", "expected"), VALUES)
def test_values_are_read_as_excel_displays_them(
    read: Any, value: Any, number_format: str | None, expected: Any
) -> None:
    (row,) = read(workbook([HEADER, (1, "a", value)], number_format), "in.xlsx")
    assert row.fields == {"id": 1, "text": "a", "value": expected}
    assert (row.id, row.place.line) == (1, 2)


def test_empty_rows_are_skipped_but_counted(read: Any) -> None:
    book = Workbook()
    for at, value in (("B3", "text"), ("B5", "a"), ("B900", " "), ("B1048576", "z")):
        book.active[at] = value
    rows = read(saved(book), "in.xlsx")
    assert [(row.text, row.place.line) for row in rows] == [("a", 5), ("z", 1_048_576)]


def test_a_merged_header_cell_names_its_first_column(read: Any) -> None:
    book = Workbook()
    for row in (["id", "text", None], [1, "a", 7]):
        book.active.append(row)
    book.active.merge_cells("B1:C1")
    (row,) = read(saved(book), "in.xlsx")
    assert row.fields == {"id": 1, "text": "a", "column_3": 7}


def test_a_cell_beyond_all_columns_rejects_its_row(read: Any) -> None:
    rows = [HEADER, *([n, "a", 0] for n in range(60)), [60, "a", 0, "here"], [61, "a", 0]]
    assert kinds(read(workbook(rows), "in.xlsx"))[60:] == ["bad_columns", "row"]


def test_a_title_above_the_header_is_refused_with_the_option_to_use(read: Any) -> None:
    data = workbook([["Tickets of May"], [], HEADER, (1, "a", 0), (2, "b", 0)])
    with pytest.raises(UsageError) as refused:
        read(data, "in.xlsx")
    assert refused.value.hint == "use --skip-lines 2 if the header is there"
    assert [row.text for row in read(data, "in.xlsx", skip_lines=2)] == ["a", "b"]


def test_a_sheet_without_a_header_is_refused_with_the_option_to_use(read: Any) -> None:
    data = workbook([(n, f"the text of row {n} is prose") for n in range(3)])
    with pytest.raises(UsageError, match="looks like a row"):
        read(data, "in.xlsx")
    assert len(read(data, "in.xlsx", has_header=False)) == 3


def test_a_formula_is_read_as_its_saved_value(read: Any) -> None:
    data = workbook([HEADER, (1, "a", "=6*7")])
    data = with_part(data, "xl/worksheets/sheet1.xml", b"<v />", b"<v>42</v>")
    (row,) = read(data, "in.xlsx")
    assert row.fields["value"] == 42


def test_wrong_stated_dimensions_hide_no_rows(read: Any) -> None:
    data = workbook([HEADER, (1, "a", 0), (2, "b", 0)])
    data = with_part(data, "xl/worksheets/sheet1.xml", b'<dimension ref="A1:C3"', b'<dimension ref="A1"')
    assert [row.text for row in read(data, "in.xlsx")] == ["a", "b"]


def test_a_damaged_sheet_ends_in_one_rejection(read: Any) -> None:
    data = with_part(workbook([HEADER, (1, "a", 0), (2, "b", 0)]), "xl/worksheets/sheet1.xml", b"</sheetData>", b"<")
    assert kinds(read(data, "in.xlsx")) == ["row", "row", "bad_table"]


@pytest.mark.parametrize("name", ["in.xlsx.zip", "in.zip", "in.xlsx.gz"])
def test_a_compressed_workbook_is_read(read: Any, name: str) -> None:
    data = workbook([HEADER, (1, "a", 0)])
    assert [row.text for row in read(zipped({"inner.xlsx": data}), name.replace(".gz", ".zip"))] == ["a"]


def test_a_workbook_with_the_wrong_suffix_is_recognized_in_the_error(read: Any) -> None:
    with pytest.raises(UsageError) as refused:
        read(workbook([HEADER, (1, "a", 0)]), "in.csv")
    assert refused.value.hint == "use --input-format excel"
    assert len(read(workbook([HEADER, (1, "a", 0)]), "in.bin", input_format="excel")) == 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password-protected, or in the format of Excel 97"),
        (zipped({"a.txt": b""}), "cannot be read as a workbook"),
    ],
)
def test_a_file_that_is_not_a_workbook_is_refused(read: Any, data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(data, "in.xlsx")


def test_office_lock_files_are_not_inputs(tmp_path: Path) -> None:
    (tmp_path / "in.xlsx").write_bytes(workbook([HEADER, (1, "a", 0)]))
    (tmp_path / "~$in.xlsx").write_bytes(b"\x05owner")
    assert len(list(read_rows(resolve_inputs([str(tmp_path)], ReaderOptions()), ReaderOptions()))) == 1


WHOLE = workbook([HEADER, *((n, "a", n / 2) for n in range(20))])


@given(at=st.integers(0, len(WHOLE) - 1), flip=st.integers(1, 255))
def test_no_flipped_byte_raises_an_unexpected_error(at: int, flip: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= flip
    with suppress(UsageError):
        list(EXCEL.read(Content("in.xlsx", iter([bytes(damaged)])), ReaderOptions()).items)
