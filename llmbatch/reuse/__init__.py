"""Answers kept across runs, so that no text is paid for twice: a store on this machine that any run may lose.

Knows plain data only; what a row's key is and what becomes of an answer is the pipeline's business.
"""

from llmbatch.reuse.store import AnswerStore, KeptAnswer, StoreFigures, StoreUnusableError, default_store
from llmbatch.reuse.upkeep import clear_store, store_figures

__all__ = [
    "AnswerStore",
    "KeptAnswer",
    "StoreFigures",
    "StoreUnusableError",
    "clear_store",
    "default_store",
    "store_figures",
]
