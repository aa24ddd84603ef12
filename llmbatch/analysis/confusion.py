"""Confusions between labels, ordered by cost: errors that would pass without review come first."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llmbatch.analysis.pairs import Pair

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Confusion:
    """One label confused with another."""

    gold: str
    answer: str
    count: int
    unseen: int
    """Errors confident enough to pass without review."""
    share_of_gold: float
    """Share of the gold label's rows, 0..1."""
    mean_confidence: float
    examples: tuple[Pair, ...]
    """The most confident examples."""


def confusions(pairs: Iterable[Pair]) -> tuple[Confusion, ...]:
    """All confusions, ordered by errors that pass without review, then by all errors.

    Args:
        pairs: rows with gold; those without an answer are ignored.
    """
    of_gold: defaultdict[str, int] = defaultdict(int)
    confused: defaultdict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in pairs:
        if pair.answer is not None:
            of_gold[pair.gold] += 1
            if not pair.is_right:
                confused[pair.gold, pair.answer].append(pair)
    found = [_confusion(gold, answer, wrong, of_gold[gold]) for (gold, answer), wrong in confused.items()]
    return tuple(sorted(found, key=lambda one: (-one.unseen, -one.count, one.gold, one.answer)))


def most_confused(labels: Sequence[str], confused: Iterable[Confusion], most: int) -> list[int]:
    """The indices of the `most` labels confused most often, or of all labels if there are no more."""
    if len(labels) <= most:
        return list(range(len(labels)))
    ranked = sorted(confused, key=lambda one: -one.count)
    names = dict.fromkeys(name for one in ranked for name in (one.gold, one.answer))
    return sorted(labels.index(name) for name in list(names)[:most])


def _confusion(gold: str, answer: str, wrong: list[Pair], of_gold: int) -> Confusion:
    confidences = [pair.confidence or 0.0 for pair in wrong]
    return Confusion(
        gold=gold,
        answer=answer,
        count=len(wrong),
        unseen=sum(not pair.needs_review for pair in wrong),
        share_of_gold=len(wrong) / of_gold,
        mean_confidence=sum(confidences) / len(confidences),
        examples=tuple(sorted(wrong, key=lambda pair: (-(pair.confidence or 0.0), pair.row))[:_EXAMPLES]),
    )
