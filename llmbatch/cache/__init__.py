"""The answer cache: answers stored on this machine across runs, so that no text is paid for twice; safe to delete.

Handles plain data only; row keys and the use of answers are left to the pipeline.
"""

from llmbatch.cache.store import AnswerStore, CachedAnswer, StoreFigures, StoreUnusableError, default_store
from llmbatch.cache.upkeep import clear_store, count_older, store_figures

__all__ = [
    "AnswerStore",
    "CachedAnswer",
    "StoreFigures",
    "StoreUnusableError",
    "clear_store",
    "count_older",
    "default_store",
    "store_figures",
]
