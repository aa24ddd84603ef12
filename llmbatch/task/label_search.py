"""Finding the labels that may fit a document: TF-IDF over pieces of words, by scikit-learn.

Pieces of two to four characters find a label by another form of its words, and in scripts without spaces; on BANKING77
and CLINC150 they find more than whole words do, by TF-IDF or BM25 (docs/how-to/large-label-sets.md).
"""

import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from llmbatch.core.extras import extra
from llmbatch.task.fields import Label, TaskField

METHOD = "tfidf-char-2-4"
"""Part of the prompt's fingerprint: what finds other labels is another name."""
_LONGEST_TEXT = 4_000
"""Characters of a document that are searched with: its beginning shows what it is about."""
_NAME_WEIGHT = 2
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MARKS = re.compile(r"[_/.\-:]+")


class LabelSearch:
    """Ranks the labels of a field by what they have in common with a text. May be used from several threads."""

    def __init__(self, field: TaskField, examples: Mapping[str, Sequence[str]]) -> None:
        """`examples`: texts by the label that is right for them. Nothing is worked out before the first search."""
        self._field = field
        self._examples = examples
        self._lock = threading.Lock()
        self._index: tuple[Any, Any] | None = None

    def ranked(self, text: str) -> Iterable[int]:
        """The places of the field's labels, the likeliest first."""
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
                profiles = vectorizer.fit_transform(self._profile(label) for label in self._field.answers)
                self._index = vectorizer, profiles.T.tocsr()
            return self._index

    def _profile(self, label: Label) -> str:
        """All that is known of a label, as one text."""
        names = [*[label.name] * _NAME_WEIGHT, *self._field.tree.path(label.name)[:-1], *label.aliases]
        words = [_MARKS.sub(" ", _CAMEL.sub(" ", name)) for name in names]
        return "\n".join([*words, label.description, *self._examples.get(label.name, ())])


def require_search(needed_by: str) -> None:
    """See to it that there is the library that finds labels.

    Raises:
        UsageError: the extra is not installed.
    """
    with extra("candidates", needed_by=needed_by):
        import sklearn  # noqa: F401, PLC0415 - only to see that it is there
