"""Where spending is recorded and budgets are shared: a file on one machine, a database on several."""

from llmbatch.runs.spend_stores.store import SpendPlace, parse_spend_store

__all__ = ["SpendPlace", "parse_spend_store"]
