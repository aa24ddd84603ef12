"""How often the right label is among those retrieved for a document, an upper bound on accuracy."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.analysis.metrics import Proportion, proportion
from llmbatch.analysis.pairs import Judged

_LOOKED_AT = (1, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class RecallAt:
    """The recall with a given number of labels per document."""

    labels: int
    recall: Proportion
    """Gold labels among the retrieved ones."""


@dataclass(frozen=True, slots=True)
class CandidateRecall:
    """The recall of the label search, independent of the model."""

    listed: int
    """Labels listed per request; once, as many more are listed if the model says that none fits."""
    at: tuple[RecallAt, ...]
    """Recall by number of labels, including `listed` and twice that."""


def candidate_recall(judged: Judged) -> CandidateRecall | None:
    """Recall at several numbers of labels; None if labels are not retrieved, or no gold label can be.

    A row with several gold labels counts once for each.
    """
    ranks = [(rank, pair.text_id) for pair in judged.pairs for rank in pair.ranks]
    if judged.candidates is None or not ranks:
        return None
    numbers = sorted({*_LOOKED_AT, judged.candidates, 2 * judged.candidates})
    texts = [text for _, text in ranks]
    found = tuple(
        RecallAt(number, proportion(_within([rank for rank, _ in ranks], number), len(ranks), texts))
        for number in numbers
        if number <= 2 * judged.candidates
    )
    return CandidateRecall(judged.candidates, found)


def _within(ranks: Sequence[int], labels: int) -> int:
    return sum(rank < labels for rank in ranks)
