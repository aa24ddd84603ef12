"""The input formats, by name, by suffix and by their first bytes. A new one is added to `_ALL`.

Other names and suffixes are looked up among the plug-ins.
"""

from pathlib import PurePath

from llmbatch.core.errors import UsageError
from llmbatch.core.plugins import FORMATS, plugin_names
from llmbatch.readers.formats.columnar import ARROW, PARQUET
from llmbatch.readers.formats.document import DOCUMENT_FIELDS, HTML, TXT
from llmbatch.readers.formats.format import Content, Format, Parsed, Records, Unread
from llmbatch.readers.formats.json_format import JSON, QUERY_ROWS
from llmbatch.readers.formats.plugged import plugged_format
from llmbatch.readers.formats.separated import CSV, PSV, TSV
from llmbatch.readers.formats.text_lines import LINES
from llmbatch.readers.formats.workbook import EXCEL, OTHER_WORKBOOK
from llmbatch.readers.packings import unpacked_name

__all__ = [
    "COLUMNAR",
    "DOCUMENTS",
    "DOCUMENT_FIELDS",
    "EXCEL",
    "MAGIC_BYTES",
    "QUERY_ROWS",
    "SUFFIXES",
    "Content",
    "Format",
    "Parsed",
    "Records",
    "Unread",
    "binary_format_of_head",
    "format_named",
    "format_of_file",
    "format_of_head",
]

COLUMNAR = (PARQUET, ARROW)
"""Those whose columns have types."""
DOCUMENTS: tuple[Format, ...] = (TXT, HTML)
"""Those whose files are one document each."""
_ALL: tuple[Format, ...] = (JSON, CSV, TSV, PSV, PARQUET, ARROW, EXCEL, OTHER_WORKBOOK, *DOCUMENTS, LINES)
_BY_SUFFIX = {suffix: one for one in _ALL for suffix in one.suffixes}
_BY_NAME = {one.name: one for one in _ALL} | {suffix.removeprefix("."): one for suffix, one in _BY_SUFFIX.items()}

SUFFIXES = tuple(_BY_SUFFIX)
"""Suffixes of readable files, without compressed ones."""


def format_named(name: str) -> Format:
    """The format with a name, or with a suffix of its files.

    Raises:
        UsageError: there is none, or it is a plug-in that cannot be used.
    """
    found = _BY_NAME.get(name.lower()) or plugged_format(name.lower())
    if found is None:
        names = (*_BY_NAME, *plugin_names(FORMATS))
        raise UsageError(f"--input-format {name!r} is unknown", hint=f"use one of {', '.join(names)}")
    return found


def format_of_file(name: str) -> Format | None:
    """The format of a file by its name, None if the name shows none.

    Raises:
        UsageError: it is a plug-in that cannot be used.
    """
    suffix = PurePath(unpacked_name(name.lower())).suffix
    return _BY_SUFFIX.get(suffix) or plugged_format(suffix.removeprefix("."))


def format_of_head(head: bytes) -> Format:
    """The format that the first bytes of a stream look like."""
    start = head.lstrip()
    if not start or start.startswith((b"{", b"[", b"\x1e")):
        return JSON
    return TSV if b"\t" in start.partition(b"\n")[0] else CSV


MAGIC_BYTES = 6
"""How many first bytes identify every binary format."""
_BY_MAGIC: dict[bytes, Format] = {
    b"PAR1": PARQUET,
    b"ARROW1": ARROW,
    b"\xff\xff\xff\xff": ARROW,
    b"\xd0\xcf\x11\xe0": OTHER_WORKBOOK,
}
"""The third is that of an Arrow stream, the last that of Excel's files before 2007. The later ones are zip archives."""


def binary_format_of_head(head: bytes) -> Format | None:
    """The binary format of a stream by its first bytes, None if it is text."""
    return next((one for magic, one in _BY_MAGIC.items() if head.startswith(magic)), None)
