"""What counts of the answers of earlier runs."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core import defaults


@dataclass(frozen=True, slots=True)
class Reuse:
    """The answers of earlier runs: where they are kept, and which count."""

    store: Path | None = None
    """None for the one in the user's cache folder."""
    limit_bytes: int = defaults.REUSE_LIMIT_MB * 1_000_000
    """What the store may take on the disk."""
    max_age_days: float | None = None
    """None for any age."""
