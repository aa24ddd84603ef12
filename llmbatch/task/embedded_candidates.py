"""Labels retrieved for each document by embeddings: vectors, computed by a model, that represent what texts are about.

A label's vector is the mean of those of its name with its description, and of its examples (Snell et al., "Prototypical
Networks for Few-shot Learning", 2017). The labels whose vectors are nearest to the document's are listed. Vectors come
from the endpoint; without them, as in an estimate, labels are ranked by their words.
"""

import hashlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from llmbatch.task.candidates import Candidates, Ranking
from llmbatch.task.fields import Label, TaskField
from llmbatch.task.label_search import described_in_words
from llmbatch.task.model import Task

LONGEST_TEXT = 2_000
"""Characters of a text that are embedded: its beginning shows what it is about, and many models read 512 tokens."""
MOST_EXAMPLES = 10
"""Examples of a label that are embedded."""

Vectors = Sequence[Any]
"""Arrays of numbers, one for each text."""


class EmbeddedCandidates(Candidates):
    """Lists the labels that an embedding model places nearest to a document."""

    def __init__(self, task: Task, most: int, model: str) -> None:
        """`model`: the embedding model's name; the others as for `Candidates`."""
        super().__init__(task, most)
        self.embedding_model = model

    @property
    def summary(self) -> str:
        """See `Candidates`."""
        return f"{super().summary} by embeddings of {self.embedding_model}"

    @property
    def digest(self) -> str:
        """See `Candidates`."""
        named = f"{super().digest} {self.embedding_model} {LONGEST_TEXT} {MOST_EXAMPLES}"
        return hashlib.blake2b(named.encode("utf-8", "replace"), digest_size=8).hexdigest()

    def texts(self) -> list[str]:
        """What to embed so that labels can be ranked, each on one line: see `LabelVectors`."""
        return [
            embedded(text)
            for field in self.fields
            for label in field.answers
            for text in (described_in_words(field, label), *self._shown(field, label))
        ]

    def label_vectors(self, vectors: Vectors) -> "LabelVectors":
        """The labels' vectors, given those of `texts`."""
        import numpy as np  # noqa: PLC0415 - an extra

        left, found = iter(vectors), dict[str, Any]()
        for field in self.fields:
            sizes = [1 + len(self._shown(field, label)) for label in field.answers]
            means = (np.mean([_unit(vector) for vector in islice(left, size)], axis=0) for size in sizes)
            found[field.name] = np.stack([_unit(mean) for mean in means])
        return LabelVectors(found, self.ranked)

    def whole_ranking(self, text: str) -> Ranking | None:  # noqa: ARG002 - its vector is not known
        """None: a ranking needs the document's vector, so only the run that requested it can have stored one."""
        return None

    def _shown(self, field: TaskField, label: Label) -> Sequence[str]:
        """The examples of a label that are embedded."""
        return self._examples[field.name].get(label.name, ())[:MOST_EXAMPLES]


class LabelVectors:
    """The labels' vectors of each field, all of length 1."""

    def __init__(self, vectors: Mapping[str, Any], ranked: int) -> None:
        """`vectors`: a matrix by field, a row for each label; `ranked`: the length of a ranking."""
        self._vectors = vectors
        self._ranked = ranked

    def ranking(self, vector: Any) -> Ranking:
        """The labels nearest to a document's vector."""
        import numpy as np  # noqa: PLC0415 - an extra

        found = {}
        for name, labels in self._vectors.items():
            order = np.argsort(-(labels @ _unit(vector)), kind="stable")
            found[name] = order[: self._ranked].tolist()
        return found


def embedded(text: str) -> str:
    """The part of a text that is embedded, as one line."""
    return " ".join(text.lstrip()[: 2 * LONGEST_TEXT].split())[:LONGEST_TEXT]


def _unit(vector: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - an extra

    return vector / (np.linalg.norm(vector) or 1.0)
