"""The types of an input's columns, if its format states them."""

from collections.abc import Mapping, Sequence
from typing import Any

from llmbatch.readers.formats import COLUMNAR
from llmbatch.readers.inputs import Input


def column_types(inputs: Sequence[Input]) -> Mapping[str, Any]:
    """pyarrow's types of the columns of Parquet and Arrow files, by name, if all inputs agree.

    Raises:
        UsageError: a file cannot be read in its format, or pyarrow is not installed.
    """
    of_each = [
        item.format.types(item.label, item.path) if item.path is not None and item.format in COLUMNAR else {}
        for item in inputs
    ]
    first = of_each[0] if of_each else {}
    return {name: kind for name, kind in first.items() if all(types.get(name) == kind for types in of_each)}
