"""Databases: reads a query's rows, and writes tables. SQLite with the standard library, PostgreSQL with psycopg.

`address` parses the address of a database; `reading` returns a query's rows with the values of `values`; `writing` puts
rows into `tables`. Each has one module for SQLite and one for PostgreSQL. `lasting` is for data that processes share.
Nothing here depends on runs and inputs.
"""

from llmbatch.databases.address import DatabaseAddress, is_database, parse_address
from llmbatch.databases.lasting import LastingConnection
from llmbatch.databases.query import QueryResult
from llmbatch.databases.reading import query_result, query_wanted
from llmbatch.databases.tables import ColumnType, TableName, common_type, parse_table_name
from llmbatch.databases.writing import TableReplacement, Transaction, table_transaction

__all__ = [
    "ColumnType",
    "DatabaseAddress",
    "LastingConnection",
    "QueryResult",
    "TableName",
    "TableReplacement",
    "Transaction",
    "common_type",
    "is_database",
    "parse_address",
    "parse_table_name",
    "query_result",
    "query_wanted",
    "table_transaction",
]
