"""PostgreSQL's values in the server's text form, which keeps what Python types cannot represent (44 BC, `infinity`)."""

from typing import TYPE_CHECKING, Any

from psycopg.adapt import Buffer, Loader
from psycopg.types import TypeInfo

from llmbatch.core.binary import text_or_base64
from llmbatch.databases.values import document, moment, number, text

if TYPE_CHECKING:
    from psycopg import Connection

_UNKNOWN = 0
"""For all types without a loader of their own: enums, composites, types of extensions."""
_ARRAYS = "select oid, typelem, typdelim from pg_type where oid = any(%s::oid[]) and typcategory = 'A'"
_KEPT = frozenset({"int2", "int4", "int8", "oid", "bool", "record"})


class _Number(Loader):
    def load(self, data: Buffer) -> Any:
        return number(bytes(data))


class _Document(Loader):
    def load(self, data: Buffer) -> Any:
        return document(bytes(data))


class _Binary(Loader):
    def load(self, data: Buffer) -> Any:
        return text_or_base64(bytes.fromhex(bytes(data).decode().removeprefix("\\x")))


class _Moment(Loader):
    def load(self, data: Buffer) -> Any:
        return moment(bytes(data).decode())


class _Text(Loader):
    def load(self, data: Buffer) -> Any:
        return text(bytes(data))


_LOADERS: dict[str, type[Loader]] = {
    **dict.fromkeys(("numeric", "float4", "float8"), _Number),
    **dict.fromkeys(("json", "jsonb"), _Document),
    **dict.fromkeys(("date", "timestamp", "timestamptz"), _Moment),
    "bytea": _Binary,
}


def read_as_written(connection: "Connection[Any]", types: set[int]) -> None:
    """Make a connection return its values in the form of `QueryResult`; arrays as lists of such values.

    Args:
        connection: in a transaction.
        types: the expected ones, by their numbers in `pg_type`.
    """
    adapters = connection.adapters
    for kind in adapters.types:
        if kind.name not in _KEPT:
            adapters.register_loader(kind.oid, _LOADERS.get(kind.name, _Text))
    adapters.register_loader(_UNKNOWN, _Text)
    for array, element, delimiter in connection.execute(_ARRAYS, (list(types),)).fetchall():
        if adapters.types.get(array) is None:  # of an enum, or a type of an extension
            TypeInfo(f"array {array}", element, array, delimiter=delimiter).register(connection)
