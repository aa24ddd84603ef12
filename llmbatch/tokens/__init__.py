"""Token counts as the provider makes them, with the tables on board: no download, no network."""

from llmbatch.tokens.kept import kept_counts
from llmbatch.tokens.o200k import count_tokens

__all__ = ["count_tokens", "kept_counts"]
