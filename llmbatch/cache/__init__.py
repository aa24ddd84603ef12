"""Answers kept across runs, so that no text is paid for twice: a store on this machine that any run may lose.

Knows plain data only; what a row's key is and what becomes of an answer is the pipeline's business.
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
