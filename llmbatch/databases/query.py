"""The rows of a query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.errors import UsageError

FIRST_ROWS = 100
"""How many rows are fetched before their size is known."""
_BATCH_BYTES = 8 * 1024 * 1024
_MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A query's columns, as the database names them, and its rows, read lazily: each value is ready for orjson."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]] = field(repr=False)


def query_failed(name: str, message: str, hint: str | None = None) -> UsageError:
    """The error for a query that fails, in the database's own words, on one line."""
    return UsageError(f"{name}: the query failed: {' '.join(message.split())}", hint=hint)


def only_reads(name: str) -> UsageError:
    """The error for a query that would change the database."""
    return UsageError(
        f"{name}: the query was refused: it may only read", hint="give one SELECT, VALUES or WITH ... SELECT"
    )


def rows_at_once(batch: Sequence[tuple[Any, ...]]) -> int:
    """How many rows to fetch next, by the size of the last ones: few if they are long."""
    size = sum(len(value) for row in batch for value in row if isinstance(value, str | bytes))
    return max(1, min(_MOST_ROWS, _BATCH_BYTES * len(batch) // max(size, 1)))
