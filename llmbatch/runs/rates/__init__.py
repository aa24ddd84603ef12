"""Where processes keep to rate limits together: a file on one machine, a database on several."""

from llmbatch.runs.rates.store import parse_rate_store

__all__ = ["parse_rate_store"]
