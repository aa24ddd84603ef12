"""Sheets of Excel workbooks (`.xlsx`), read row by row with openpyxl."""

import math
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from itertools import islice
from threading import Lock
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.readers.faults import BAD_TABLE, first_line
from llmbatch.readers.formats.format import Unread
from llmbatch.readers.formats.sheet import CELL_ERROR, Sheet, SheetRows, duration, trimmed

_DIGITS = 15
"""Excel's precision in digits."""
_PADDED = re.compile("0{2,}")
"""The format of numbers with leading zeros, such as postcodes."""
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
"""Escape of a character that is not allowed in XML (ECMA-376, 22.9.2.19)."""
_OLD_MAGIC = b"\xd0\xcf\x11\xe0"
"""First bytes of files of Excel 97, and of the container of an encrypted workbook."""
_MOST_SHARED_BYTES = 256 * 1024 * 1024
"""Limit of what is held in memory while a sheet is read: the strings and formats that its cells share."""

_READ_AT_ONCE = 100
"""Rows: to hide warnings for each takes as long as to read a short one."""

_DAMAGE = (
    zipfile.BadZipFile, zlib.error, ParseError, OSError, EOFError, LookupError, ValueError, TypeError, AttributeError,
    NotImplementedError, OverflowError,
)  # fmt: skip
"""What openpyxl raises if bytes are invalid."""

_Row = tuple[Any, ...]

_changing_filters = Lock()


def open_xlsx(label: str, file: BinaryIO) -> Sheet:
    """The first visible sheet of the workbook in a file.

    Raises:
        UsageError: it cannot be read.
    """
    if file.read(len(_OLD_MAGIC)) == _OLD_MAGIC:
        raise UsageError(
            f"{label}: is password-protected, or in the format of Excel 97",
            hint="save it as .xlsx without a password",
        )
    with extra("excel", needed_by=f"reading {label}"):
        from openpyxl import load_workbook  # noqa: PLC0415 - comes with an extra
    try:
        _refuse_bomb(label, file)
        with _without_warnings():
            workbook = load_workbook(file, read_only=True, data_only=True, keep_links=False)
        shown = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"]
    except _DAMAGE as error:
        raise UsageError(
            f"{label}: cannot be read as a workbook ({first_line(error)})",
            hint="the file may be incomplete; if it is in another format, use --input-format",
        ) from None
    if not shown:
        raise UsageError(f"{label}: the workbook has no visible sheet")
    return Sheet(shown[0].title, tuple(sheet.title for sheet in shown[1:]), _rows(shown[0]))


def _refuse_bomb(label: str, file: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        shared = sum(
            one.file_size for one in archive.infolist() if one.filename.endswith(("sharedStrings.xml", "styles.xml"))
        )
    if shared > _MOST_SHARED_BYTES:
        raise UsageError(
            f"{label}: reading its strings takes {shared // 1024 // 1024:,} MiB of memory",
            hint="save it as CSV in UTF-8",
        )


def _rows(sheet: Any) -> SheetRows:
    sheet.reset_dimensions()  # some programs write them wrongly
    number = 0
    try:
        for number, row in enumerate(_read_quietly(sheet.iter_rows()), 1):
            yield number, trimmed([None if cell.value is None else _value(cell) for cell in row])
    except _DAMAGE as error:
        yield Unread(number + 1, b"", BAD_TABLE, f"damaged from here on: the rest cannot be read ({first_line(error)})")


def _read_quietly(rows: Iterator[_Row]) -> Iterator[_Row]:
    while True:
        read: list[_Row] = []
        damage: Exception | None = None
        with _without_warnings():
            try:
                for row in islice(rows, _READ_AT_ONCE):
                    read.append(row)  # noqa: PERF402 - rows before the damage are kept
            except _DAMAGE as error:
                damage = error
        yield from read
        if damage is not None:
            raise damage
        if len(read) < _READ_AT_ONCE:
            return


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Hide openpyxl's warnings about parts that it ignores, such as the rules of a form.

    `catch_warnings` changes the filters of all threads: the lock keeps two readers apart, and the filter is narrow.
    """
    with _changing_filters, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="openpyxl")
        yield


def _value(cell: Any) -> Any:
    """A cell's value as people see it, as a JSON value."""
    match cell.value:
        case str() as text:
            return CELL_ERROR if cell.data_type == "e" else _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)
        case bool() as value:
            return value
        case int() | float() as value:
            return _number(value, cell.number_format)
        case datetime() as moment:
            has_time = moment.time() != time() or "h" in cell.number_format.lower()
            return moment.isoformat() if has_time else moment.date().isoformat()
        case date() | time() as value:
            return value.isoformat()
        case timedelta() as span:
            return duration(span)
        case value:
            return str(value)


def _number(value: float, number_format: str) -> int | float | str:
    shown = float(f"{value:.{_DIGITS}g}")
    if not math.isfinite(shown):
        return str(shown)
    whole = int(shown) if abs(shown) < 10**_DIGITS and shown.is_integer() else None
    if whole is None:
        return shown
    return f"{whole:0{len(number_format)}}" if _PADDED.fullmatch(number_format) else whole
