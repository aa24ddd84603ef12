"""The rows of a query."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.errors import UsageError

FIRST_ROWS = 100
"""Fetched before their size is known."""
_BATCH_BYTES = 8 * 1024 * 1024
_MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class QueryResult:
    """A query's columns, as the database names them, and its rows as they are taken: each value is ready for orjson."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]] = field(repr=False)


def query_failed(name: str, message: str, hint: str | None = None) -> UsageError:
    """A database's own words about a query, on one line."""
    return UsageError(f"{name}: the query failed: {' '.join(message.split())}", hint=hint)


def only_reads(name: str) -> UsageError:
    """A query that would change the database."""
    return UsageError(
        f"{name}: the query was refused: it may only read", hint="give one SELECT, VALUES or WITH ... SELECT"
    )


def rows_at_once(batch: Sequence[tuple[Any, ...]]) -> int:
    """How many rows to fetch next, by the size of the last ones: a few where they are long."""
    size = sum(len(value) for row in batch for value in row if isinstance(value, str | bytes))
    return max(1, min(_MOST_ROWS, _BATCH_BYTES * len(batch) // max(size, 1)))
