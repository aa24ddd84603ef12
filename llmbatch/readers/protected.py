"""Tables that llmbatch has written: removes the apostrophes that protect cells from being evaluated by spreadsheets."""

from collections.abc import Iterator
from dataclasses import replace

from llmbatch.core.sanitize import PROTECTED, csv_meant
from llmbatch.readers.formats import Parsed, Records, Unread


def unprotected(records: Records) -> Records:
    """The records in their original form, if the table says that cells were protected."""
    if records.names is None or PROTECTED not in records.names:
        return records
    names = tuple(csv_meant(name) for name in records.names if name != PROTECTED)
    return replace(records, items=_meant(records.items), names=names)


def _meant(items: Iterator[Parsed | Unread]) -> Iterator[Parsed | Unread]:
    for item in items:
        if isinstance(item, Unread):
            yield item
            continue
        line, raw, fields, flags = item
        meant = {csv_meant(name): csv_meant(cell) for name, cell in fields.items() if name != PROTECTED}
        yield line, raw, meant, flags
