"""A file that is one document: text and Markdown unchanged, HTML as its visible text."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath

import orjson

from llmbatch.core.errors import UsageError
from llmbatch.readers.encodings import utf8_text
from llmbatch.readers.faults import RAW_EXCERPT_BYTES, TORN, BadRow, BrokenStream
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread
from llmbatch.readers.formats.html_text import declared_encoding, html_text
from llmbatch.readers.options import AUTO, ReaderOptions

DOCUMENT_FIELDS = ("id", "text")
"""The file's name, and its text."""
_TABLE_LINES = 4
_DELIMITERS = {"\t": "tsv", ",": "csv", ";": "csv", "|": "psv"}


@dataclass(frozen=True, slots=True)
class _Document:
    name: str
    suffixes: tuple[str, ...]
    is_text: bool
    text_of: Callable[[Content, bytes, ReaderOptions], str]
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        """The document. If its format was not set and it looks like a table, it is refused."""
        document, finding = self._document(content, options)
        items = iter(() if document is None else (document,))
        return Records(items, names=DOCUMENT_FIELDS, findings=(*content.findings, finding))

    def count(self, content: Content, options: ReaderOptions) -> int:  # noqa: ARG002 - as the protocol has it
        return 1

    def _document(self, content: Content, options: ReaderOptions) -> tuple[Parsed | Unread | None, str]:
        """The document, and remarks about it."""
        try:
            text = self.text_of(content, _whole(content, options.max_row_bytes), options)
        except BrokenStream as broken:
            return None if broken.kind == TORN else Unread(1, b"", broken.kind, broken.message), _finding("")
        except BadRow as bad:
            return Unread(1, bad.raw, bad.kind, bad.message), _finding("")
        if self.is_text and options.input_format is None:
            _refuse_table(content.file, text)
        fields = {"id": PurePath(content.file).name, "text": text}
        return (1, orjson.dumps(fields), fields, ()), _finding(text if self.is_text else "")


def _refuse_table(file: str, text: str) -> None:
    """Refuse a text file that looks like a table, since it would be labelled as one document.

    Raises:
        UsageError: it looks like one.
    """
    lines = [line for line in text[: text.rfind("\n") + 1].splitlines() if line]
    found = next((name for mark, name in _DELIMITERS.items() if _is_between_cells(mark, lines)), None)
    if lines and lines[0].startswith("{") and all(line.startswith("{") and line.endswith("}") for line in lines):
        found = "json"
    if found is not None:
        raise UsageError(
            f"{file}: looks like a table, and {PurePath(file).suffix or 'text'} is one document; nothing was sent",
            hint=f"use --input-format {found} to read its rows, or --input-format txt to label it as one document",
        )


def _is_between_cells(mark: str, lines: list[str]) -> bool:
    counts = {line.count(mark) for line in lines}
    least = 1 if mark == "\t" else 2
    return len(lines) >= _TABLE_LINES and len(counts) == 1 and min(counts) >= least


def _finding(text: str) -> str:
    lines = text.count("\n") + (not text.endswith("\n"))
    return "one document" if lines <= 1 else f"one document of {lines:,} lines (--input-format lines: one a line)"


def _whole(content: Content, limit: int) -> bytes:
    """All its bytes. It is read to its end even if it is too long, so that a change is detected."""
    parts: list[bytes] = []
    size = 0
    for chunk in content.chunks:
        if size <= limit:
            parts.append(chunk)
        size += len(chunk)
    raw = b"".join(parts)
    if size > limit:
        raise BadRow("too_large", f"is longer than {limit:,} bytes", raw[:RAW_EXCERPT_BYTES])
    return raw


def _plain(_: Content, raw: bytes, __: ReaderOptions) -> str:
    return _decoded(raw)


def _shown(content: Content, raw: bytes, options: ReaderOptions) -> str:
    """The visible text. Strict UTF-8 is tried first, as everywhere, then the encoding that the page declares."""
    if options.encoding in (None, AUTO) and not _is_utf8(raw) and (declared := declared_encoding(raw)) is not None:
        options = replace(options, encoding=declared)
    text = utf8_text(content.file, raw, iter((raw,)), options, may_be_refused=False)
    return html_text(_decoded(b"".join(text.chunks)), file=content.file)


def _is_utf8(raw: bytes) -> bool:
    """Whether it is UTF-8, and not one of the mail encodings that are ASCII with escapes (ISO 2022)."""
    return b"\x1b" not in raw and _is_decodable(raw)


def _is_decodable(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as bad:
        found = f"is not UTF-8 (byte 0x{raw[bad.start]:02x})"
        raise BadRow("bad_encoding", found, raw[: 64 * RAW_EXCERPT_BYTES]) from None


TXT = _Document("txt", (".txt", ".text", ".md", ".markdown"), True, _plain)
HTML = _Document("html", (".html", ".htm", ".xhtml"), False, _shown)
