"""Which answers of earlier runs may be reused."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core import defaults


@dataclass(frozen=True, slots=True)
class Reuse:
    """The answer cache: where it is stored, and which answers may be used."""

    store: Path | None = None
    """None for the default one in the user's cache folder."""
    limit_bytes: int = defaults.REUSE_LIMIT_MB * 1_000_000
    """Maximum size of the store on disk."""
    max_age_days: float | None = None
    """None for any age."""
