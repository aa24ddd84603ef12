"""Recorded spending and shared budgets: in a file on one machine, in a database across machines."""

from llmbatch.runs.spend_stores.store import SpendPlace, parse_spend_store

__all__ = ["SpendPlace", "parse_spend_store"]
