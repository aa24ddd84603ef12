"""Combines several answers to a row into one: each is weighted by its confidence, field by field.

The verdict's confidence has two factors: its share of the total weight, and the chance that not all votes for it are
wrong. Models err on the same texts, so besides the most confident vote each other one counts half as much as if it were
independent: for agreeing confidences a >= b >= c, the remaining doubt is (1 - a) * sqrt((1 - b) * (1 - c)).

In a multi-label field, each label is voted on separately. For a number, the weighted median is used. Reasons and
measurements: docs/decisions/0041-votes-weigh-what-they-are-sure-of.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from llmbatch.core.ledger_line import Vote
from llmbatch.task.fields import NONE, FieldKind, TaskField
from llmbatch.task.label_space import LabelSpace

NONE_FITS_WEIGHT = 0.5
"""Weight, against all labels, of a vote for none of the retrieved labels, which has no confidence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a vote."""

    category: str
    """The row's value, as the task's label space writes it."""
    confidence: float
    """The lowest confidence of its fields, 0..1."""
    confidences: Mapping[str, float] | None
    """Confidence by field, and by `field=label` for multi-label fields; None if the task takes one label."""
    none_fits: bool
    """Whether at least half of the votes are for none of the retrieved labels."""


@dataclass(frozen=True, slots=True)
class _Ballot:
    """One vote on a field."""

    value: str
    weight: float
    labels: Mapping[str, float]
    """For a multi-label field, the labels given, each with its weight."""


def verdict(space: LabelSpace, votes: Sequence[Vote]) -> Verdict:
    """Combine votes; if tied, the first of them wins.

    Args:
        space: the task's label space.
        votes: one or more.
    """
    usable = [vote for vote in votes if not vote.none_fits]
    if 2 * len(usable) <= len(votes):
        unsure = None if space.takes_one_label else dict.fromkeys(space.columns(), 0.0)
        return Verdict(votes[0].category, 0.0, unsure, none_fits=True)
    refusing = NONE_FITS_WEIGHT * (len(votes) - len(usable))
    texts, confidences = dict[str, str](), dict[str, float]()
    for field in space.fields:
        ballots = [_ballot(space, field, vote) for vote in usable]
        if field.kind is FieldKind.multi:
            texts[field.name], found = _labels(field, ballots, refusing)
            confidences[field.name] = min(found.values())
            confidences |= {f"{field.name}={label}": sure for label, sure in found.items() if label != NONE}
        else:
            value = _median(ballots) if field.kind is FieldKind.number else _heaviest(ballots)
            texts[field.name] = value
            confidences[field.name] = _of_value(value, ballots, refusing)
    return Verdict(
        space.as_spelled(texts),
        min(confidences[field.name] for field in space.fields),
        None if space.takes_one_label else confidences,
        none_fits=False,
    )


def _ballot(space: LabelSpace, field: TaskField, vote: Vote) -> _Ballot:
    known, value = vote.confidences or {}, str(space.cells_of(vote.category)[field.name])
    weight = known.get(field.name, vote.confidence)
    labels = {label: known.get(f"{field.name}={label}", weight) for label in value.split("|")}
    return _Ballot(value, weight, labels if field.kind is FieldKind.multi else {})


def _heaviest(ballots: Sequence[_Ballot]) -> str:
    weights = defaultdict[str, float](float)
    for ballot in ballots:
        weights[ballot.value] += ballot.weight
    return max(weights, key=weights.__getitem__)


def _median(ballots: Sequence[_Ballot]) -> str:
    """The weighted median: the smallest number at which half of the weight is reached."""
    half, reached = sum(ballot.weight for ballot in ballots) / 2, 0.0
    ranked = sorted(ballots, key=lambda ballot: float(ballot.value))
    for ballot in ranked:
        reached += ballot.weight
        if reached >= half:
            return ballot.value
    return ranked[-1].value


def _labels(field: TaskField, ballots: Sequence[_Ballot], refusing: float) -> tuple[str, Mapping[str, float]]:
    """The labels with more weight for than against them, each with its confidence.

    If there are none, the result is no label if any vote says so; else the first answer, as a starting point for
    review.
    """
    found, first = dict[str, float](), ballots[0].labels
    for name in [label.name for label in field.answers]:
        given, against = _weights(name, ballots)
        if given and (sum(given) > against or (sum(given) == against and name in first)):
            found[name] = _sureness(given, against + refusing)
    if not found and any(ballot.value == NONE for ballot in ballots):
        found[NONE] = _of_value(NONE, ballots, refusing)
    for name in () if found else first:
        given, against = _weights(name, ballots)
        found[name] = _sureness(given, against + refusing)
    return "|".join(found), found


def _weights(label: str, ballots: Sequence[_Ballot]) -> tuple[Sequence[float], float]:
    """The confidences of the votes for a label, and the weight of all others."""
    given = [ballot.labels[label] for ballot in ballots if label in ballot.labels]
    return given, sum(ballot.weight for ballot in ballots if label not in ballot.labels)


def _of_value(value: str, ballots: Sequence[_Ballot], refusing: float) -> float:
    agreeing = [ballot.weight for ballot in ballots if ballot.value == value]
    return _sureness(agreeing, sum(ballot.weight for ballot in ballots if ballot.value != value) + refusing)


def _sureness(agreeing: Sequence[float], against: float) -> float:
    """A verdict's confidence (0..1), from the confidences of the votes for it and the weight of all others."""
    weight = sum(agreeing)
    if not weight:
        return 0.0
    surest, *others = sorted(agreeing, reverse=True)
    doubt = (1 - surest) * prod(1 - other for other in others) ** 0.5
    return round(weight / (weight + against) * (1 - doubt), 6)
