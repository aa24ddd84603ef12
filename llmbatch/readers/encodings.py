"""Converts text in any encoding to UTF-8, which the formats read.

UTF-8 is tried first, strictly: an invalid byte costs only its row. Another encoding is used if a byte order mark
indicates it, if every other byte is zero, or if the user sets it. A text that is mostly not UTF-8 is refused, and the
error names the likely encoding: a wrong guess would change the content of documents unnoticed.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from llmbatch.core.errors import UsageError
from llmbatch.readers.faults import DoubtfulEncodingError
from llmbatch.readers.options import AUTO, ReaderOptions

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Longer ones come before those that are their beginning."""
LONGEST_BOM = 4

_LOOKED_AT = 256 * 1024
_UTF8_CHARACTER = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}"
    rb"|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
"""All characters except ASCII (RFC 3629)."""
_BEYOND_ASCII = bytes(range(128, 256))
_MOST_LINES_DAMAGED = 0.4
"""Share of lines with invalid UTF-8 up to which only these rows are rejected; with more, the table is refused."""
_FEWEST_LINES = 3
_ZEROS = 0.4
"""Share of zeros among the even or the odd bytes, as in UTF-16 text that is mostly ASCII."""
_DAMAGE = "\udc80"
_HANDLER = "llmbatch_damage"

codecs.register_error(
    _HANDLER, lambda error: (_DAMAGE, error.end) if isinstance(error, UnicodeDecodeError) else ("?", 0)
)


@dataclass(frozen=True, slots=True)
class Text:
    """A text as UTF-8. `finding` states its encoding if that is another one and the user did not name it."""

    chunks: Iterator[bytes] = field(repr=False)
    encoding: str = "utf-8"
    finding: str | None = None


def utf8_text(file: str, head: bytes, chunks: Iterator[bytes], options: ReaderOptions, *, may_be_refused: bool) -> Text:
    """A text as UTF-8, without its byte order mark.

    Args:
        file: its name, for messages.
        head: its first bytes.
        chunks: all of it.
        options: its encoding, if the user names one.
        may_be_refused: refuse it if most of it is not UTF-8; if a format is always UTF-8, rows are rejected instead.

    Raises:
        UsageError: the encoding is unknown.
        DoubtfulEncodingError: its encoding is doubtful.
    """
    named = None if options.encoding in (None, AUTO) else _known(options.encoding or "")
    marked = next((encoding for mark, encoding in _BOMS.items() if head.startswith(mark)), None)
    if marked == "utf-8" and named in (None, "utf-8"):
        return Text(_without(len(codecs.BOM_UTF8), chunks))
    if named is not None:
        return Text(chunks if named == "utf-8" else _decoded(chunks, named), named)
    if found := marked or _utf16_without_mark(head):
        return Text(_decoded(chunks, found), found, f"encoding {found}")
    is_wanted = options.encoding == AUTO or (may_be_refused and not _is_damaged_utf8(head))
    if not is_wanted or _is_utf8(head):
        return Text(chunks)
    match options.encoding, likely_encodings(head):
        case "auto", (encoding,):
            return Text(_decoded(chunks, encoding), encoding, f"encoding {encoding}")
        case _, (encoding,):
            why, hint = f"most likely {encoding}", f"use --encoding {encoding} if that is right"
        case _, (first, second, *_):
            why, hint = f"it may be {first} or {second}", f"specify it: --encoding {first}"
        case _:
            why, hint = "the encoding cannot be detected", "specify it: --encoding NAME"
    raise DoubtfulEncodingError(f"{file}: not UTF-8: {why}; nothing was sent", hint=hint)


def _known(name: str) -> str:
    try:
        info = codecs.lookup(name)
        "a".encode(info.name)
    except (LookupError, TypeError, ValueError, UnicodeError):
        raise UsageError(
            f"--encoding {name!r} is unknown", hint="use utf-8, cp1252, utf-16, shift_jis, ... or auto"
        ) from None
    return "utf-8" if info.name in ("utf-8", "ascii") else info.name


def _without(size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    while len(first) < size and (more := next(chunks, None)) is not None:
        first += more
    return chain((first[size:],), chunks)


def _decoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The text as UTF-8; what cannot be decoded becomes an invalid byte, so that only its row is rejected."""
    decoder = codecs.getincrementaldecoder(encoding)(_HANDLER)
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogateescape")
    yield decoder.decode(b"", True).encode("utf-8", "surrogateescape")


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 by the zeros in text that begins with ASCII, as a header does."""
    even, odd = head[:4096:2], head[1:4096:2]
    if odd[:2] == b"\0\0" and odd.count(0) >= _ZEROS * len(odd) and not even.count(0):
        return "utf-16-le"
    if even[:2] == b"\0\0" and even.count(0) >= _ZEROS * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def _is_utf8(head: bytes) -> bool:
    """Whether the bytes are UTF-8; the last character may be cut off."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head[:_LOOKED_AT])
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged_utf8(head: bytes) -> bool:
    """Whether it is nevertheless mostly UTF-8: some characters are, or most lines."""
    looked_at = head[:_LOOKED_AT]
    rest, characters = _UTF8_CHARACTER.subn(b"", looked_at)
    if characters >= len(rest) - len(rest.translate(None, _BEYOND_ASCII)):
        return True
    lines = looked_at.splitlines()
    damaged = sum(not line.isascii() for line in lines)
    return damaged < _FEWEST_LINES or damaged <= _MOST_LINES_DAMAGED * len(lines)


def likely_encodings(head: bytes) -> tuple[str, ...]:
    """The likely encodings of the text: none if nothing fits, several if it is ambiguous."""
    from charset_normalizer import from_bytes  # noqa: PLC0415 - few inputs need it

    looked_at = head[:_LOOKED_AT]
    whole_lines = looked_at[: looked_at.rfind(b"\n") + 1] or looked_at
    found = list(from_bytes(whole_lines, cp_isolation=_USUAL)) or list(from_bytes(whole_lines))
    if not found:
        return ()
    best = min((match.chaos, -match.coherence) for match in found)
    likely = [match for match in found if (match.chaos, -match.coherence) == best]
    if any("cp1252" in match.could_be_from_charset for match in likely):
        return ("cp1252",)  # by far the most frequent western one
    return tuple(match.encoding for match in likely)


_USUAL = [
    "cp1252",
    "shift_jis",
    "gb18030",
    "big5",
    "euc_kr",
    "euc_jp",
    "cp1251",
    "cp1250",
    "cp1253",
    "cp1256",
    "koi8_r",
]
