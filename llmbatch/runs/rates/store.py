"""Parses the name of a rate store, and opens it."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core.places import state_folder
from llmbatch.databases import DatabaseAddress
from llmbatch.engine.throttle.shared_rate import RateShare
from llmbatch.runs.rates.postgresql import PostgresqlRateShare
from llmbatch.runs.rates.sqlite import SqliteRateShare
from llmbatch.runs.store_place import OFF, parse_store_place


@dataclass(frozen=True, slots=True)
class RateStore:
    """Where rate limits are shared: a file, or a PostgreSQL database."""

    place: Path | DatabaseAddress

    def __call__(self) -> RateShare:
        """Open it; a database blocks for as long as a connection takes.

        Raises:
            UsageError: there is no connection to the database.
        """
        if isinstance(self.place, DatabaseAddress):
            return PostgresqlRateShare(self.place)
        return SqliteRateShare(self.place)


def parse_rate_store(name: str | Path | None) -> RateStore | None:
    """The store of this name; None for `off`. Without a name, it is the user's own file.

    Raises:
        UsageError: it is the address of something else.
    """
    if name is None:
        return RateStore(state_folder() / f"rates-{_machine()}.sqlite3")
    if str(name) == OFF:
        return None
    return RateStore(parse_store_place("--rate-store", name))


def _machine() -> str:
    """The machine's own file name: machines that share a home do not share memory, which SQLite would need."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", platform.node()) or "machine"
