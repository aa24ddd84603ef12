"""The dialect of a text table: what the user sets, and the rest as detected from its first lines.

A header is never guessed: if the first lines may be something else, the table is refused, and the error names the
option that says what they are, since a row that is mistaken for the header would be lost silently.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.core.errors import UsageError
from llmbatch.readers.headers import refuse_other_than_header
from llmbatch.readers.options import ReaderOptions
from llmbatch.readers.quoting import Quoting, is_misquoted

_DELIMITERS = (b",", b";", b"\t", b"|")
_NAMES = {b"\t": "tabs", b",": "commas", b";": "semicolons", b"|": "bars"}
_LOOKED_AT = 50
_MOST_BEFORE = 20
"""How many lines may precede a header."""
_MOSTLY, _ENOUGH = 0.6, 4
_QUOTED = re.compile(rb'"(?:[^"\\]|""|\\.)*"', re.DOTALL)
_SEPARATOR_LINE = re.compile(rb'"?sep=(.)"?\r*', re.IGNORECASE | re.DOTALL)
"""Excel's own first line, which names the delimiter."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a table is written. `findings` lists what was detected and differs from what its name suggests."""

    quoting: Quoting
    keeps_quotes: bool
    """Quotes are text unless they enclose a whole cell on one line, as in most TSV files."""
    skipped_lines: int
    has_header: bool
    findings: tuple[str, ...] = ()


def dialect_of(file: str, lines: Sequence[bytes], file_format: str, options: ReaderOptions) -> Dialect:
    """The dialect of a table.

    Args:
        file: its name, for messages.
        lines: its first lines, as many as have arrived.
        file_format: `csv`, `tsv` or `psv`.
        options: what the user sets.

    Raises:
        UsageError: an option cannot be used, or the lines may be read in more than one way.
    """
    skipped = options.skip_lines
    lines = [line.rstrip(b"\r") for line in lines[skipped : skipped + _LOOKED_AT]]
    findings: list[str] = []
    named = _character("--delimiter", options.delimiter)
    if lines and (found := _SEPARATOR_LINE.fullmatch(lines[0])) is not None:
        skipped, lines = skipped + 1, lines[1:]
        if named is None:
            named = found[1]
            findings.append(f"separated by {_NAMES.get(named, repr(named.decode('latin-1')))} (from its sep= line)")
    by_name = {"tsv": b"\t", "psv": b"|"}.get(file_format)
    numbers = [number for number, line in enumerate(lines, skipped + 1) if line]
    lines = [line for line in lines if line]
    delimiter = named or by_name or _sniffed(file, lines, options)
    if delimiter not in (named, by_name, b","):
        findings.append(f"separated by {_NAMES[delimiter]}")
    quote = _character("--quote", options.quote)
    escape = _character("--escape", options.escape)
    if escape is None and options.quote is None and file_format == "csv" and _is_escaped(lines, delimiter):
        escape = b"\\"
        findings.append("quotes escaped by \\")
    quoting = Quoting(delimiter, b'"' if quote is None else quote, escape or b"")
    if options.has_header and named is None:
        _refuse_lines_before(file, lines, quoting, numbers)
    if options.has_header:
        refuse_other_than_header(file, [_plain_cells(line, quoting) for line in lines], numbers)
    keeps_quotes = file_format == "tsv" and delimiter == b"\t" and quote is None and not escape
    return Dialect(quoting, keeps_quotes, skipped, options.has_header, tuple(findings))


def _character(option: str, given: str | None) -> bytes | None:
    if given is None:
        return None
    named = {"\\t": "\t", "tab": "\t", "none": ""}.get(given.lower(), given)
    if not named and option != "--delimiter":
        return b""
    if len(named) == 1 and named.isascii() and named not in "\r\n\0":
        return named.encode()
    raise UsageError(f"{option} {given!r} is not one ASCII character", hint="use tab for a tab")


def _counts(lines: Sequence[bytes], delimiter: bytes) -> list[int]:
    return [_QUOTED.sub(b"", line).count(delimiter) for line in lines]


def _sniffed(file: str, lines: Sequence[bytes], options: ReaderOptions) -> bytes:
    """The delimiter of a file that is named CSV: the one that is as frequent in the header as below it."""
    if not lines:
        return b","
    fits: dict[bytes, float] = {}
    for mark in _DELIMITERS:
        first, *others = _counts(lines, mark)
        if first:
            fits[mark] = sum(count == first for count in others) / len(others) if others else 1.0
    if not fits:
        below = {mark: max(_counts(lines, mark)) for mark in _DELIMITERS}
        return max(below, key=lambda mark: below[mark]) if any(below.values()) and options.skip_lines else b","
    best = max(fits.values())
    cells = {mark: _counts(lines[:1], mark)[0] for mark in fits if fits[mark] == best}
    likely = [mark for mark in cells if cells[mark] == max(cells.values())]
    if len(likely) > 1 and len(lines) >= _ENOUGH and best > _MOSTLY:
        one, other = (_NAMES[mark] for mark in likely[:2])
        raise UsageError(
            f"{file}: its cells may be separated by {one} or by {other}",
            hint=f"specify one: --delimiter {_shown(likely[0])!r} or --delimiter {_shown(likely[1])!r}",
        )
    return likely[0]


def _shown(mark: bytes) -> str:
    return "tab" if mark == b"\t" else mark.decode()


def _is_escaped(lines: Sequence[bytes], delimiter: bytes) -> bool:
    """Whether quotes inside quoted cells are preceded by a backslash: by RFC 4180 such lines are invalid."""
    mark, inside = re.escape(delimiter), rb'(?:[^"\\]|\\.)*'
    quoted = re.compile(rb'(?:^|%s)"%s\\"%s"(?:%s|$)' % (mark, inside, inside, mark), re.DOTALL)
    plain = Quoting(delimiter)
    return any(b'\\"' in line and quoted.search(line) and is_misquoted(line, plain) for line in lines)


def _refuse_lines_before(file: str, lines: Sequence[bytes], quoting: Quoting, numbers: Sequence[int]) -> None:
    """Refuse lines such as a report's title: lines of one cell, with a table below them."""
    if not lines or _counts(lines[:1], quoting.delimiter)[0]:
        return
    for mark in dict.fromkeys((quoting.delimiter, *_DELIMITERS)):
        counts = _counts(lines, mark)
        before = next((number for number, count in enumerate(counts) if count), 0)
        below = counts[before:]
        if not 0 < before <= _MOST_BEFORE or len(below) <= 1:
            continue
        usual, times = Counter(below).most_common(1)[0]
        if usual and below[0] == usual and times >= _MOSTLY * len(below) and len(set(below)) == 1:
            raise UsageError(
                f"{file}: its first line has one cell, but the lines from {numbers[before]} on have {usual + 1}",
                hint=f"use --skip-lines {numbers[before] - 1} if the header comes after other lines, "
                "or --delimiter if every line has one cell",
            )


def _plain_cells(line: bytes, quoting: Quoting) -> list[bytes]:
    """The cells of a line, roughly: cells over several lines are not considered."""
    quoted = [cell.replace(quoting.delimiter, b" ") for cell in _QUOTED.findall(line)]
    plain = _QUOTED.sub(lambda _: quoted.pop(0), line)
    return [cell.strip().strip(b'"') for cell in plain.split(quoting.delimiter)]
