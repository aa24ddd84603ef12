"""Token counts as the provider computes them, with bundled tables: no download, no network."""

from llmbatch.tokens.cut import head, head_tail
from llmbatch.tokens.kept import kept_counts
from llmbatch.tokens.o200k import count_tokens, token_ids

__all__ = ["count_tokens", "head", "head_tail", "kept_counts", "token_ids"]
