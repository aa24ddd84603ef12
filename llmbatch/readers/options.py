"""How the user wants the input read."""

from dataclasses import dataclass

MAX_ROW_BYTES = 64 * 1024 * 1024
AUTO = "auto"
"""Detect the encoding if the text is not UTF-8."""


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """What to read from the input, and how. None and empty values leave the choice to detection.

    `input_format` is a format's name, and takes precedence over file names. A row longer than `max_row_bytes` is
    rejected without being held in memory. The others are for text tables: `encoding` is Python's name of one, or
    `auto`; `delimiter`, `quote` and `escape` are one character each, and `quote` is empty if quotes are text;
    `skip_lines` precede the header, or the first row if there is no header.
    """

    id_field: str | None = None
    text_fields: tuple[str, ...] = ()
    input_format: str | None = None
    max_row_bytes: int = MAX_ROW_BYTES
    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    has_header: bool = True
    skip_lines: int = 0
    query: str | None = None
    """The SQL query for databases among the inputs."""
