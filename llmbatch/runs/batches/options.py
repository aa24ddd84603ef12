"""What the user says about batches."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from llmbatch.core import defaults

MOST_BYTES = 190_000_000
"""Of a request file: 200 MB are allowed, and not everybody counts them alike."""

FEW = 100
"""Rows below which a batch only makes them wait."""


class BatchFallback(StrEnum):
    """What becomes of rows that expire again and again."""

    NONE = "none"
    """They go into further batches."""
    SYNC = "sync"
    """They are sent by themselves."""
    FLEX = "flex"
    """Likewise, at the flex tier."""


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How rows go to the provider in batch files."""

    wait_s: float = 0.0
    """Seconds to stay and collect; 0 leaves once all is submitted."""
    window: str = defaults.BATCH_WINDOW
    """In which the provider is to answer, by its own words."""
    most_rows: int = defaults.BATCH_SIZE
    """In one part."""
    most_tokens: int | None = None
    """Prompt tokens that may be at the provider at once; None leaves it to what the provider says."""
    fallback: BatchFallback = BatchFallback.NONE
    patience: int = defaults.BATCH_PATIENCE
    """Batches in which a row may expire before the fallback takes it."""
    export: Path | None = None
    """Folder to write request files to, for someone else to run; None submits them."""
    imports: tuple[Path, ...] = ()
    """Files with the results of exported ones. Nothing is submitted then."""
    at_any_price: bool = False
    """Submit all at once, also where rows cost less by themselves."""
