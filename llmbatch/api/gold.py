"""Gold labels in Python: a file, labels by id, labels in the documents' order, or a table with both."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llmbatch.api.tables import ArrowStream, table_rows
from llmbatch.api.workspace import json_line
from llmbatch.core.errors import UsageError
from llmbatch.core.files import create_file
from llmbatch.core.plurals import counted

GoldLabels = str | os.PathLike[str] | Mapping[Any, Any] | Iterable[str | Mapping[str, Any]] | ArrowStream

_LABEL, _ID = "label", "id"


@contextmanager
def gold_file(gold: GoldLabels, rows: int) -> Iterator[str]:
    """A file with the gold labels: the caller's, or one that exists for the block.

    Args:
        gold: a file; labels by id; labels alone, in the documents' order; or rows or a table with ids and labels.
        rows: number of rows in the run, which labels alone must match.

    Raises:
        UsageError: it is none of these, or labels alone do not match the number of rows.
    """
    if isinstance(gold, str | os.PathLike):
        yield os.fsdecode(gold)
        return
    with tempfile.TemporaryDirectory(prefix="llmbatch-") as folder:
        path = Path(folder) / "gold.jsonl"
        with create_file(path) as file:
            labels_alone = 0
            for number, row in enumerate(_rows(gold)):
                labels_alone += row.keys() == {_LABEL}
                file.write(json_line(row, f"gold row {number}"))
        if labels_alone and labels_alone != rows:
            raise UsageError(
                f"{counted(labels_alone, 'gold label')} for {counted(rows, 'row')}: there must be one label "
                "for each document",
                hint="to label only some documents, give labels by id: {'t-1': 'technical'}",
            )
        yield str(path)


def _rows(gold: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(gold, Mapping) and all(isinstance(label, str) for label in gold.values()):
        return ({_ID: name, _LABEL: label} for name, label in gold.items())
    table = table_rows(gold)
    if table is not None:
        return table
    if isinstance(gold, Mapping) or not isinstance(gold, Iterable) or isinstance(gold, bytes | bytearray):
        raise UsageError(
            f"gold labels cannot be of type {type(gold).__name__}",
            hint="give a file, labels by id, labels in the documents' order, or a table with `id` and `label`",
        )
    return (_row(number, item) for number, item in enumerate(gold))


def _row(number: int, item: Any) -> Mapping[str, Any]:
    if isinstance(item, str):
        return {_LABEL: item}
    if isinstance(item, Mapping):
        return item
    raise UsageError(f"gold row {number} is of type {type(item).__name__}: give a label, or a mapping with one")
