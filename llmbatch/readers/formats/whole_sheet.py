"""Sheets of LibreOffice (`.ods`), of Excel before 2007 (`.xls`) and in its binary format (`.xlsb`), held in memory."""

from datetime import date, datetime, time, timedelta
from typing import BinaryIO

from llmbatch.core.errors import UsageError
from llmbatch.core.extras import extra
from llmbatch.readers.faults import first_line
from llmbatch.readers.formats.sheet import Sheet, duration, trimmed

_EXACT_DIGITS = 1e15
"""Floats are exact for whole numbers below it; all numbers of a spreadsheet are floats."""


def open_whole_sheet(label: str, file: BinaryIO) -> Sheet:
    """The first visible sheet of the workbook in a file.

    Raises:
        UsageError: it cannot be read.
    """
    with extra("excel", needed_by=f"reading {label}"):
        import python_calamine as calamine  # noqa: PLC0415 - comes with an extra
    try:
        workbook = calamine.load_workbook(file)
        titles = [
            sheet.name
            for sheet in workbook.sheets_metadata
            if sheet.typ == calamine.SheetTypeEnum.WorkSheet and sheet.visible == calamine.SheetVisibleEnum.Visible
        ]
        if not titles:
            raise UsageError(f"{label}: the workbook has no visible sheet")
        sheet = workbook.get_sheet_by_name(titles[0])
    except calamine.PasswordError:
        raise UsageError(
            f"{label}: is password-protected", hint="save it without a password, or save its sheet as CSV"
        ) from None
    except (calamine.CalamineError, OSError, ValueError) as error:
        raise UsageError(
            f"{label}: cannot be read as a workbook ({first_line(error)})",
            hint="the file may be incomplete; if it is in another format, use --input-format",
        ) from None
    rows = enumerate(sheet.iter_rows(), 1)
    return Sheet(
        titles[0], tuple(titles[1:]), ((number, trimmed([_value(cell) for cell in row])) for number, row in rows)
    )


def _value(cell: object) -> str | int | float | bool | None:
    """A cell as a JSON value: whole numbers without a fraction, dates in ISO 8601, empty cells and errors as null."""
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
            return duration(cell)
        case _:
            return str(cell)
