"""Which store a user means: a file of their own, or a PostgreSQL database that machines share."""

import os
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.databases import DatabaseAddress, is_database, parse_address

OFF = "off"
"""As a store's name: there is none."""


def parse_store_place(option: str, name: str | Path) -> Path | DatabaseAddress:
    """Where a store is.

    Args:
        option: whose value it is, as messages name it.
        name: a path, also with `~`, or `postgresql://...`.

    Raises:
        UsageError: it is the address of something else.
    """
    if not is_database(str(name)):
        return Path(os.path.expanduser(name)).absolute()  # noqa: PTH111 - as a shell does it
    address = parse_address(str(name))
    if address.kind != "postgresql":
        raise UsageError(f"{option}: give an SQLite store as a file path", hint="omit sqlite:///")
    return address
