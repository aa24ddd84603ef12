"""Shared rate limits of several processes: in a file on one machine, in a database across machines."""

from llmbatch.runs.rates.store import parse_rate_store

__all__ = ["parse_rate_store"]
