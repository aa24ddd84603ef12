"""Plain text with one document per line. No file name indicates it: the user must set it."""

from collections.abc import Iterator

from llmbatch.readers.faults import TORN, Fault
from llmbatch.readers.formats.format import Content, Parsed, Records, Unread
from llmbatch.readers.lines import line_blocks
from llmbatch.readers.options import ReaderOptions

_FIELD = "text"


class _Lines:
    name = "lines"
    suffixes = ()
    is_text = True
    is_typed = True

    def read(self, content: Content, options: ReaderOptions) -> Records:
        return Records(_documents(content, options), names=(_FIELD,), findings=content.findings)

    def count(self, content: Content, options: ReaderOptions) -> int:
        return sum(1 for _ in _documents(content, options))


LINES = _Lines()


def _documents(content: Content, options: ReaderOptions) -> Iterator[Parsed | Unread]:
    """The lines that are not blank."""
    number = 0
    for block in line_blocks(content.chunks, options.max_row_bytes):
        for line in block:
            number += 1
            if isinstance(line, Fault):
                if line.kind != TORN:
                    yield Unread(number, line.raw, line.kind, line.message)
                continue
            raw = line.rstrip(b"\r")
            if not raw.strip():
                continue
            try:
                yield number, raw, {_FIELD: raw.decode()}, ()
            except UnicodeDecodeError as bad:
                yield Unread(number, raw, "bad_encoding", f"is not UTF-8 (byte 0x{raw[bad.start]:02x})")
