"""Counts of things in messages."""


def counted(count: int, noun: str) -> str:
    """A count with its noun, plural with an s: `1 row`, `1,200 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
