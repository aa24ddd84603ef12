"""What the user says about batches."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from llmbatch.core import defaults

MOST_BYTES = 190_000_000
"""Size limit of a request file: 200 MB are allowed, but providers define a megabyte differently."""

FEW = 100
"""For fewer rows, a batch only makes them wait."""


class BatchFallback(StrEnum):
    """How to send rows that expire repeatedly."""

    NONE = "none"
    """In further batches."""
    SYNC = "sync"
    """As single requests."""
    FLEX = "flex"
    """As single requests at the flex tier."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How rows are sent to the provider in batch files."""

    wait_s: float = 0.0
    """Seconds to wait for results; 0 ends once everything is submitted."""
    window: str = defaults.BATCH_WINDOW
    """The time within which the provider is to answer, in its own words."""
    most_rows: int = defaults.BATCH_SIZE
    """Maximum number of rows in one part."""
    most_tokens: int | None = None
    """Prompt tokens that may be at the provider at once; None uses the limit that the provider states."""
    fallback: BatchFallback = BatchFallback.NONE
    patience: int = defaults.BATCH_PATIENCE
    """How many batches a row may expire in before the fallback is used."""
    export: Path | None = None
    """Folder to write request files to, for someone else to run; None submits them."""
    imports: tuple[Path, ...] = ()
    """Files with the results of exported parts. If set, nothing is submitted."""
    at_any_price: bool = False
    """Submit all at once, even if single requests cost less."""
