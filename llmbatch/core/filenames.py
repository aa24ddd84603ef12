"""File names as text that every file, log and database can hold. A name may be any bytes but NUL and `/`.

Python represents bytes that are not UTF-8 as lone surrogates (PEP 383, `surrogateescape`), which JSON, SQLite, protobuf
and UTF-8 itself reject. `stored` gives a form that can be read back as a name, `readable` one for people.
"""

import os
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

_URI = "file:"
_UNDECODED = re.compile("[\udc80-\udcff]")


def stored(name: str | Path) -> str:
    """A name in its stored form: unchanged if it is UTF-8, else percent-encoded as a `file:` URI (RFC 8089)."""
    raw = os.fsencode(name)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return _URI + quote_from_bytes(raw)
    return _URI + quote_from_bytes(raw) if text.startswith(_URI) else text


def restored(text: str) -> str:
    """The original name, given its stored form."""
    if text.startswith(_URI):
        return os.fsdecode(unquote_to_bytes(text.removeprefix(_URI)))
    return os.fsdecode(text.encode())


def readable(text: str | Path) -> str:
    r"""Text for people, valid UTF-8: other bytes are shown as `\xff`."""
    return _UNDECODED.sub(lambda found: f"\\x{ord(found[0]) - 0xDC00:02x}", str(text))


def readable_json(text: str) -> str:
    """Like `readable`, for JSON text, where a backslash is doubled."""
    return _UNDECODED.sub(lambda found: f"\\\\x{ord(found[0]) - 0xDC00:02x}", text)


def shell_command(words: Sequence[str]) -> str:
    r"""A shell command line, with Bash's `$'\xff'` for words that are not UTF-8."""
    return " ".join(quoted(word) for word in words)


def quoted(word: str | Path) -> str:
    """One word of a shell command line, quoted."""
    word = str(word)
    if not _UNDECODED.search(word):
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"$'{readable(escaped)}'"
