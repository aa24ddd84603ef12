"""Places that inputs come from and that are no files: what they give is copied once, and the copy is read."""

from llmbatch.readers.sources.query import CopiedRows, QuerySource

__all__ = ["CopiedRows", "QuerySource"]
