"""Numbers of things in messages."""


def counted(count: int, noun: str) -> str:
    """A number with its noun, plural by an s: `1 row`, `1,200 rows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
