"""How often the right label is among those that are retrieved for a document: no answer can be better."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.analysis.metrics import Proportion, proportion
from llmbatch.analysis.pairs import Judged

_LOOKED_AT = (1, 5, 10, 20, 50, 100)


@dataclass(frozen=True, slots=True)
class RecallAt:
    """The recall of so many labels a document."""

    labels: int
    recall: Proportion
    """Gold labels that are among them."""


@dataclass(frozen=True, slots=True)
class CandidateRecall:
    """What the search finds, whatever the model makes of it."""

    listed: int
    """Labels that a request lists; as many more are listed once where the model says that none fits."""
    at: tuple[RecallAt, ...]
    """By the number of labels, `listed` and twice that among them."""


def candidate_recall(judged: Judged) -> CandidateRecall | None:
    """Recall at several numbers of labels; None where labels are not retrieved, or no gold label can be.

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
