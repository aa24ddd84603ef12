"""Writes a row with several labels as several records: one per label of a field."""

from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.runs.outputs.writers import RecordWriter
from llmbatch.task.fields import FieldKind
from llmbatch.task.kinds import names_in
from llmbatch.task.label_space import LabelSpace


class ExplodingWriter:
    """Passes on a record for each label of one field; a row without labels stays one record."""

    def __init__(self, writer: RecordWriter, field: str) -> None:
        self._writer = writer
        self._field = field

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a row's records."""
        for label in _labels(record.get(self._field)):
            self._writer.write({**record, self._field: label})

    def close(self) -> None:
        """Close the writer of the records."""
        self._writer.close()


def _labels(value: Any) -> Iterator[Any]:
    """The labels in a list, or in a cell that joins them; for an empty list, one value for none."""
    if isinstance(value, list):
        yield from value or [None]
    elif isinstance(value, str):
        yield from names_in(value) or [value]
    else:
        yield value


def check_explodes(space: LabelSpace, field: str) -> None:
    """Check that a field can have several labels.

    Raises:
        UsageError: it cannot, or there is no such field.
    """
    several = [one.name for one in space.fields if one.kind is FieldKind.multi]
    if field not in several:
        hint = f"use one of {', '.join(several)}" if several else "this task has none: leave out --explode"
        raise UsageError(f"--explode {field!r} is not a field of several labels", hint=hint)
