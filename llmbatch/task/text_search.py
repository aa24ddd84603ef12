"""Finds the texts most similar to another: TF-IDF over character n-grams, by scikit-learn.

N-grams of two to four characters match other forms of a word, and work in scripts without spaces; on BANKING77 and
CLINC150 they find more than whole words do with TF-IDF or BM25 (docs/how-to/large-label-sets.md).
"""

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from llmbatch.core.extras import extra

METHOD = "tfidf-char-2-4"
"""Part of the prompt's fingerprint: a search that finds different texts must have a different name."""
_LONGEST_TEXT = 4_000
"""Characters of a document used for the search: its beginning shows what it is about."""


class TextSearch:
    """Ranks texts by similarity to another. Thread-safe."""

    def __init__(self, texts: Callable[[], Iterable[str]]) -> None:
        """`texts` supplies the searchable texts at the first search; nothing is computed before."""
        self._texts = texts
        self._lock = threading.Lock()
        self._index: tuple[Any, Any] | None = None

    def ranked(self, text: str) -> Sequence[int]:
        """The indices of the texts, the most similar first."""
        import numpy as np  # noqa: PLC0415 - an extra

        vectorizer, by_piece = self._built()
        scores = (vectorizer.transform([text[:_LONGEST_TEXT]]) @ by_piece).toarray().ravel()
        ranked: list[int] = np.argsort(-scores, kind="stable").tolist()
        return ranked

    def _built(self) -> tuple[Any, Any]:
        with self._lock:
            if self._index is None:
                from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - an extra

                vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
                self._index = vectorizer, vectorizer.fit_transform(self._texts()).T.tocsr()
            return self._index


def require_search(needed_by: str) -> None:
    """Check that the search library is installed.

    Raises:
        UsageError: the extra is not installed.
    """
    with extra("candidates", needed_by=needed_by):
        import sklearn  # noqa: F401, PLC0415 - only to check that it is installed
