"""How the user wants the input read."""

from dataclasses import dataclass

MAX_ROW_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReaderOptions:
    """What to read out of the input. None and empty leave the choice to detection.

    `input_format` is `jsonl` (or `ndjson`), `csv` or `tsv`, and wins over file names. A row longer than
    `max_row_bytes` is rejected without being held in memory.
    """

    id_field: str | None = None
    text_fields: tuple[str, ...] = ()
    input_format: str | None = None
    max_row_bytes: int = MAX_ROW_BYTES
