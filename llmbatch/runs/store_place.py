"""Parses the name of a store: a file of the user's own, or a shared PostgreSQL database."""

import os
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.databases import DatabaseAddress, is_database, parse_address

OFF = "off"
"""The name for no store."""


def parse_store_place(option: str, name: str | Path) -> Path | DatabaseAddress:
    """Where a store is.

    Args:
        option: the option, for messages.
        name: a path, which may begin with `~`, or `postgresql://...`.

    Raises:
        UsageError: it is the address of something else.
    """
    if not is_database(str(name)):
        return Path(os.path.expanduser(name)).absolute()  # noqa: PTH111 - as a shell does it
    address = parse_address(str(name))
    if address.kind != "postgresql":
        raise UsageError(f"{option}: give an SQLite store as a file path", hint="omit sqlite:///")
    return address
