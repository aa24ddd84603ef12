"""Parses the name of a spend store, and opens it."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.databases import DatabaseAddress
from llmbatch.runs.spend_stores.postgresql import PostgresqlSpendBook
from llmbatch.runs.store_place import OFF, parse_store_place
from llmbatch.spend.book import SpendRecords
from llmbatch.spend.store import SpendStore, default_store


@dataclass(frozen=True, slots=True)
class SpendPlace:
    """Where spending is recorded: a file, or a PostgreSQL database."""

    place: Path | DatabaseAddress

    def __call__(self) -> SpendRecords:
        """Open it; a database blocks for as long as a connection takes.

        Raises:
            StorageFailed: the file cannot be read or written.
            UsageError: the name belongs to something other than a file of the user, or the database is unreachable.
        """
        if isinstance(self.place, DatabaseAddress):
            return PostgresqlSpendBook(self.place)
        return SpendStore(self.place)

    def __str__(self) -> str:
        """The name without a password."""
        return self.place.name if isinstance(self.place, DatabaseAddress) else str(self.place)

    def exists(self) -> bool:
        """Whether anything may have been recorded there."""
        return isinstance(self.place, DatabaseAddress) or self.place.exists()


def parse_spend_store(name: str | Path | None) -> SpendPlace | None:
    """The store of this name; None for `off`. Without a name, it is the user's own file.

    Raises:
        UsageError: it is the address of something else.
    """
    if name is None:
        return SpendPlace(default_store())
    if str(name) == OFF:
        return None
    return SpendPlace(parse_store_place("--spend-store", name))
