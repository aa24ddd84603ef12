"""Spreadsheets: the first sheet that is not hidden, its first row with something in it being the header."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import chain
from typing import Any

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.readers.columns import distinct_names
from llmbatch.readers.faults import RAW_EXCERPT_BYTES, TORN, BrokenStream
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.seekable import seekable

_EXACT_DIGITS = 1e15
"""Below it each whole number is a float, which all numbers of a spreadsheet are."""


class _Workbook:
    name = "excel"
    suffixes = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
    is_text = False
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        try:
            sheet, others = _first_sheet(content)
        except BrokenStream as broken:
            whole = () if broken.kind == TORN else (Unread(1, b"", broken.kind, broken.message),)
            return Records(iter(whole), names=())
        rows: Iterator[tuple[int, list[Any]]] = enumerate(sheet.iter_rows(), 1)
        first = next(((at, row) for at, row in rows if at > options.skip_lines and _has_cells(row)), (0, []))
        names, remarks = _names(first[1], has_header=options.has_header)
        if not options.has_header:
            rows = chain((first,), rows)
        table = _Table(names, options)
        findings = (f"sheet {sheet.name!r}" + (f", not {', '.join(map(repr, others))}" if others else ""), *remarks)
        return Records(table.records(rows, content), names=names, findings=findings, at_end=table.put_right)

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for _ in self.read(content, options).items)


WORKBOOK = _Workbook()


class _Table:
    """The rows below a header."""

    def __init__(self, names: Sequence[str], options: ReaderOptions) -> None:
        self._names, self._limit = names, options.max_row_bytes
        self._empty = 0

    def put_right(self) -> tuple[str, ...]:
        """What was passed over so far."""
        return (f"{self._empty:,} empty {'row' if self._empty == 1 else 'rows'} passed over",) if self._empty else ()

    def records(self, rows: Iterator[tuple[int, list[Any]]], content: Content) -> Iterator[Parsed | Unread]:
        """The rows with something in them, by their numbers in the sheet."""
        for number, row in rows:
            if not _has_cells(row):
                self._empty += 1
                continue
            cells = (*map(_value, row), *[None] * (len(self._names) - len(row)))
            fields = dict(zip(self._names, cells, strict=True))
            raw = orjson.dumps(fields)
            if len(raw) > self._limit:
                yield Unread(number, raw[:RAW_EXCERPT_BYTES], "too_large", f"is longer than {self._limit:,} bytes")
            else:
                yield number, raw, fields, ()
        for _ in content.chunks:
            pass  # it was read elsewhere, in another order: by these bytes a change of it is known


def _first_sheet(content: Content) -> tuple[Any, list[str]]:
    """The first sheet that can be seen, and the names of the others.

    Raises:
        UsageError: it is no workbook that can be read, or has no sheet.
        BrokenStream: the input breaks off.
    """
    with extra("excel", needed_by=f"reading {content.file}"):
        import python_calamine as calamine  # noqa: PLC0415 - comes with an extra
    source = seekable(None, content.chunks) if content.path is None else str(content.path)
    try:
        workbook = calamine.load_workbook(source)
        sheets = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.typ == calamine.SheetTypeEnum.WorkSheet and sheet.visible == calamine.SheetVisibleEnum.Visible
        ]
        if not sheets:
            raise UsageError(f"{content.file}: the workbook has no sheet that can be seen")
        return workbook.get_sheet_by_name(sheets[0]), sheets[1:]
    except calamine.PasswordError:
        raise UsageError(
            f"{content.file}: is protected by a password", hint="save it without one, or its sheet as CSV"
        ) from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise UsageError(
            f"{content.file}: cannot be read as a workbook ({_first_line(error)})",
            hint="is it whole? --input-format says another format",
        ) from None


def _names(header: Sequence[Any], *, has_header: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not has_header:
        return tuple(f"column_{number}" for number in range(1, len(header) + 1)), ("no header",)
    cells = ("" if (value := _value(cell)) is None else str(value) for cell in header)
    return distinct_names(list(cells))


def _has_cells(row: Sequence[Any]) -> bool:
    return any(cell not in ("", None) and str(cell).strip() for cell in row)


def _value(cell: object) -> str | int | float | bool | None:
    """A cell as JSON has it: whole numbers without a fraction, dates in ISO 8601, empty ones and errors as null."""
    match cell:
        case "" | None:
            return None
        case bool() | str():
            return cell
        case float() if cell.is_integer() and abs(cell) < _EXACT_DIGITS:
            return int(cell)
        case int() | float():
            return cell
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case _:
            return str(cell)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
