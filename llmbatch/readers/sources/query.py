"""A query's rows as an input: copied to a file of JSON lines, since a second query may return other rows."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from llmbatch.core.files import replacing, storing
from llmbatch.databases import DatabaseAddress, query_result
from llmbatch.readers.columns import distinct_names


@dataclass(frozen=True, slots=True)
class CopiedRows:
    """The result of the copy. `remarks` say what was done to the columns' names."""

    rows: int
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A query to a database."""

    address: DatabaseAddress
    query: str

    @property
    def name(self) -> str:
        """The database's name, without secrets."""
        return self.address.name

    def copy_to(self, file: Path) -> CopiedRows:
        """Write the rows into a file, private to the user: all of them, or the file is not changed.

        Raises:
            UsageError: the database cannot be opened, or refuses the query.
            StorageFailed: the file cannot be written.
        """
        with query_result(self.address, self.query) as result, storing(file), replacing(file) as copy:
            names, remarks = distinct_names(result.columns)
            rows = 0
            for rows, row in enumerate(result.rows, 1):  # noqa: B007 - its last value is the count
                copy.write(orjson.dumps(dict(zip(names, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE))
        return CopiedRows(rows, remarks)
