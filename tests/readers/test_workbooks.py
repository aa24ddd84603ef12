"""Spreadsheets: the displayed values of the first sheet."""

import gzip
import io
import warnings
import zipfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.readers.formats import EXCEL, Content
from llmbatch.readers.options import ReaderOptions


def workbook(*sheets: tuple[str, Sequence[Sequence[Any]]], hidden: tuple[str, ...] = ()) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


TICKETS: list[list[Any]] = [
    ["id", "text", "opened", "amount", "done"],
    [1, "It is broken.", date(2024, 5, 1), 1.5, True],
]


@pytest.mark.parametrize("name", ["in.xlsx", "in.xlsm", "in.bin.xlsx.gz"])
def test_cells_have_the_types_that_are_displayed(read: Any, name: str) -> None:
    (row,) = read(workbook(("Tickets", TICKETS)), name)
    assert (row.id, row.text) == (1, "It is broken.")
    assert row.fields == {"id": 1, "text": "It is broken.", "opened": "2024-05-01", "amount": 1.5, "done": True}


def test_the_first_visible_sheet_is_read(read: Any) -> None:
    sheets: tuple[tuple[str, list[list[Any]]], ...] = (
        ("Lookup", [["text"], ["no"]]),
        ("Tickets", TICKETS),
        ("Notes", [["text"], ["no"]]),
    )
    (row,) = read(workbook(*sheets, hidden=("Lookup",)), "in.xlsx")
    assert row.text == "It is broken."


def test_library_warnings_are_suppressed_without_a_lasting_filter(read: Any) -> None:
    book = openpyxl.Workbook()
    book.active.append(["id", "text", "opened"])
    book.active.append([1, "It is broken.", 10**10])
    book.active["C2"].number_format = "yyyy-mm-dd"  # out of range for dates, so openpyxl warns
    file = io.BytesIO()
    book.save(file)
    before = list(warnings.filters)
    (row,) = read(file.getvalue(), "in.xlsx")
    assert row.text == "It is broken."
    assert list(warnings.filters) == before


def test_unread_sheets_are_named() -> None:
    content = workbook(("Tickets", TICKETS), ("Notes", []), ("Old", []))
    records = EXCEL.read(Content("in.xlsx", iter([content])), ReaderOptions())
    assert records.findings == ("sheet 'Tickets', not 'Notes', 'Old'",)


def test_rows_above_the_header_and_empty_rows(read: Any) -> None:
    rows: list[list[Any]] = [
        [],
        [None, None],
        ["id", " text ", "text", None],
        [7, "a", "b"],
        [],
        [8, "c", "d", 1],
        [None],
    ]
    found = read(workbook(("S", rows)), "in.xlsx", text_fields=("text",))
    assert [(row.id, row.text, row.place.line) for row in found] == [(7, "a", 4), (8, "c", 6)]
    assert found[0].fields == {"id": 7, "text": "a", "text_2": "b", "column_4": None}


def test_dates_times_and_errors() -> None:
    moment = datetime(2024, 5, 1, 12, 30, tzinfo=UTC).replace(tzinfo=None)
    content = workbook(("S", [["a", "b", "c", "d"], [moment, time(8, 15), "=1/0", 123456789012]]))
    (record,) = EXCEL.read(Content("in.xlsx", iter([content])), ReaderOptions()).items
    assert isinstance(record, tuple)
    assert record[2] == {"a": "2024-05-01T12:30:00", "b": "08:15:00", "c": None, "d": 123456789012}


def test_skipped_lines_and_no_header(read: Any) -> None:
    rows: list[list[Any]] = [["Report of May"], [1, "One thing."], [2, "Another thing."]]
    found = read(workbook(("S", rows)), "in.xlsx", has_header=False, skip_lines=1, text_fields=("column_2",))
    assert [row.text for row in found] == ["One thing.", "Another thing."]
    assert found[0].fields == {"column_1": 1, "column_2": "One thing."}


@pytest.mark.parametrize(
    ("name", "content"),
    [("in.xlsx", b"id,text\n1,a\n"), ("in.xls", b"<table></table>"), ("in.xlsx", b""), ("in.ods", b"PK")],
)
def test_a_file_that_is_not_a_workbook_is_refused(read: Any, name: str, content: bytes) -> None:
    with pytest.raises(UsageError, match=rf"{name}: cannot be read as a workbook"):
        read(content, name)


ODS_TYPE = "application/vnd.oasis.opendocument.spreadsheet"
ODS = """<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0">
<office:body><office:spreadsheet><table:table table:name="T">
<table:table-row><table:table-cell office:value-type="string"><text:p>id</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>text</text:p></table:table-cell></table:table-row>
<table:table-row><table:table-cell office:value-type="float" office:value="7"><text:p>7</text:p></table:table-cell>
<table:table-cell office:value-type="string"><text:p>It is broken.</text:p></table:table-cell></table:table-row>
</table:table></office:spreadsheet></office:body></office:document-content>""".replace("\n", "")
MANIFEST = f"""<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">
<manifest:file-entry manifest:full-path="/" manifest:media-type="{ODS_TYPE}"/></manifest:manifest>"""


@pytest.mark.parametrize("name", ["in.ods", "in.ods.gz"])
def test_a_libreoffice_sheet_is_read(read: Any, name: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("mimetype", ODS_TYPE)
        archive.writestr("META-INF/manifest.xml", MANIFEST)
        archive.writestr("content.xml", ODS)
    (row,) = read(gzip.compress(file.getvalue()) if name.endswith(".gz") else file.getvalue(), name)
    assert (row.id, row.text) == (7, "It is broken.")


def test_a_row_that_is_too_long_is_one_rejection(read: Any) -> None:
    found = read(workbook(("S", [["text"], ["x" * 500], ["ok"]])), "in.xlsx", max_row_bytes=200)
    assert [getattr(row, "kind", "row") for row in found] == ["too_large", "row"]


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**14), 10**14),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e100, max_value=1e100),
    st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Co", "Cn")), min_size=1, max_size=20).filter(
        lambda text: not text.startswith("=") and text.strip() != "" and "_x" not in text
    ),
)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
def test_written_workbooks_are_read_back(rows: list[tuple[Any, ...]]) -> None:
    content = workbook(("S", [["a", "b", "c"], *map(list, rows)]))
    records = EXCEL.read(Content("in.xlsx", iter([content])), ReaderOptions())
    found = [tuple(record[2].values()) for record in records.items if isinstance(record, tuple)]
    expected = [row for row in rows if any(cell is not None for cell in row)]
    assert found == [tuple(pytest.approx(c, rel=1e-14) if isinstance(c, float) else c for c in row) for row in expected]
