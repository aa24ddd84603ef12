"""Both kinds of databases."""

from tests.databases.server import database, postgresql, postgresql_server

__all__ = ["database", "postgresql", "postgresql_server"]
