"""Spreadsheets: the first visible sheet, row by row. A row's position is its number in the sheet."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, BinaryIO

from llmbatch.core.plurals import counted
from llmbatch.readers.columns import distinct_names
from llmbatch.readers.faults import TORN, BrokenStream
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread, typed_record
from llmbatch.readers.formats.sheet import CELL_ERROR, Sheet, SheetRows
from llmbatch.readers.formats.whole_sheet import open_whole_sheet
from llmbatch.readers.formats.xlsx_sheet import open_xlsx
from llmbatch.readers.headers import refuse_other_than_header
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.seekable import seekable

_LOOKED_AT = 50
"""Rows that determine the number of columns: a merged header has one cell for several."""


@dataclass(frozen=True, slots=True)
class _Workbook:
    name: str
    suffixes: tuple[str, ...]
    open: Callable[[str, BinaryIO], Sheet]
    is_text = False
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        try:
            file = seekable(content.path, content.chunks)
        except BrokenStream as broken:
            whole = () if broken.kind == TORN else (Unread(1, b"", broken.kind, broken.message),)
            return Records(iter(whole), names=())
        try:
            sheet = self.open(content.file, file)
            table = _Table(content, sheet.rows, options)
        except BaseException:
            file.close()
            raise
        others = f", not {', '.join(map(repr, sheet.others))}" if sheet.others else ""
        findings = (f"sheet {sheet.title!r}{others}", *table.findings)
        return Records(table.records(file), names=table.names, findings=findings, at_end=table.put_right)

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for _ in self.read(content, options).items)


EXCEL = _Workbook("excel", (".xlsx", ".xlsm"), open_xlsx)
OTHER_WORKBOOK = _Workbook("ods", (".ods", ".xls", ".xlsb"), open_whole_sheet)


@dataclass(slots=True)
class _Table:
    """A sheet whose header is known, and whose records have not been read yet."""

    content: Content
    sheet: SheetRows = field(repr=False)
    options: ReaderOptions
    names: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    _rows: SheetRows = field(init=False, repr=False)
    _ahead: list[tuple[int, list[Any]] | Unread] = field(init=False, repr=False)
    _empty: int = 0
    _errors: int = 0

    def __post_init__(self) -> None:
        """Read up to the first record.

        Raises:
            UsageError: the first row is likely not a header.
        """
        self._rows = self._not_empty()
        self._ahead = list(islice(self._rows, _LOOKED_AT))
        read = [row for row in self._ahead if not isinstance(row, Unread)]
        width = max((len(cells) for _, cells in read), default=0)
        if not read:
            return
        if not self.options.has_header:
            self.names, self.findings = tuple(f"column_{n}" for n in range(1, width + 1)), ("no header",)
            return
        refuse_other_than_header(
            self.content.file,
            [_filled(map(_shown, cells), width, b"") for _, cells in read],
            [number for number, _ in read],
        )
        self._ahead.remove(read[0])
        header = [_shown(cell).decode() for cell in read[0][1]]
        self.names, self.findings = distinct_names(_filled(header, width, ""))

    def records(self, file: BinaryIO) -> Iterator[Parsed | Unread]:
        """The records below the header. The file is closed at the end."""
        with file:
            for row in chain(self._ahead, self._rows):
                if isinstance(row, Unread):
                    yield row
                    continue
                number, cells = row
                if len(cells) > len(self.names):
                    message = f"has {len(cells)} cells, the first rows have {len(self.names)}"
                    yield Unread(number, b"", "bad_columns", message)
                else:
                    self._errors += sum(cell is CELL_ERROR for cell in cells)
                    values = (None if cell is CELL_ERROR else cell for cell in cells)
                    yield typed_record(
                        number, dict(zip(self.names, _filled(values, len(self.names), None), strict=True)), self.options
                    )
        for _ in self.content.chunks:
            pass  # the file was read in another order; reading the bytes in order detects changes

    def put_right(self) -> tuple[str, ...]:
        """What has been skipped and left out so far."""
        empty = f"{counted(self._empty, 'empty row')} skipped"
        errors = f"{counted(self._errors, 'cell')} with an error like #N/A left empty"
        return tuple(words for words, count in ((empty, self._empty), (errors, self._errors)) if count)

    def _not_empty(self) -> SheetRows:
        """Rows that are not empty; empty ones below the first are counted."""
        is_first = True
        for row in islice(self.sheet, self.options.skip_lines, None):
            if isinstance(row, Unread) or any(map(_shown, row[1])):
                is_first = False
                yield row
            elif not is_first:
                self._empty += 1


def _filled(cells: Iterable[Any], width: int, nothing: Any) -> list[Any]:
    found = list(cells)
    return found + [nothing] * (width - len(found))


def _shown(cell: Any) -> bytes:
    return b"" if cell is None else str(cell).strip().encode(errors="replace")
