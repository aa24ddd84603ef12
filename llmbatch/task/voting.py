"""How several answers to a row become one: each counts as much as it is sure, field by field.

How sure the verdict is has two factors: its share of all the weight, and the chance that not all who are for it are
wrong. Models err on the same texts, so beside the surest vote each other one counts half as much as if it were
independent: of confidences a >= b >= c that agree, the doubt that is left is (1 - a) * sqrt((1 - b) * (1 - c)).

Of a field with several labels each label is voted on by itself. Of a number it is the median, weighted likewise. Why,
and what was measured: docs/decisions/0041-votes-weigh-what-they-are-sure-of.md.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from llmbatch.core.ledger_line import Vote
from llmbatch.task.fields import NONE, FieldKind, TaskField
from llmbatch.task.label_space import LabelSpace

NONE_FITS_WEIGHT = 0.5
"""Against all labels, of a vote for none of those that were retrieved, which states no confidence."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What votes come to."""

    category: str
    """The row's value, as the task's label space writes it."""
    confidence: float
    """The least of its fields', 0..1."""
    confidences: Mapping[str, float] | None
    """By field, and by `field=label` where a field takes several labels; None where one label is all."""
    none_fits: bool
    """Whether at least half of the votes are for none of the labels that were retrieved."""


@dataclass(frozen=True, slots=True)
class _Ballot:
    """What one vote says of a field."""

    value: str
    weight: float
    labels: Mapping[str, float]
    """Of a field that takes several labels, those that it gives, each with its weight."""


def verdict(space: LabelSpace, votes: Sequence[Vote]) -> Verdict:
    """What votes come to; where they are of equal weight, the first of them counts.

    Args:
        space: the task's.
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
    """Of numbers: the first of which, from the least up, half of the weight is reached."""
    half, reached = sum(ballot.weight for ballot in ballots) / 2, 0.0
    ranked = sorted(ballots, key=lambda ballot: float(ballot.value))
    for ballot in ranked:
        reached += ballot.weight
        if reached >= half:
            return ballot.value
    return ranked[-1].value


def _labels(field: TaskField, ballots: Sequence[_Ballot], refusing: float) -> tuple[str, Mapping[str, float]]:
    """The labels for which more weight is than against them, each with its confidence.

    Where there are none, it is none where somebody says so; else the first answer stands, for people to begin with.
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
    """The confidences of those who give a label, and the weight of all others."""
    given = [ballot.labels[label] for ballot in ballots if label in ballot.labels]
    return given, sum(ballot.weight for ballot in ballots if label not in ballot.labels)


def _of_value(value: str, ballots: Sequence[_Ballot], refusing: float) -> float:
    agreeing = [ballot.weight for ballot in ballots if ballot.value == value]
    return _sureness(agreeing, sum(ballot.weight for ballot in ballots if ballot.value != value) + refusing)


def _sureness(agreeing: Sequence[float], against: float) -> float:
    """How sure a verdict is (0..1), by the confidences of those who are for it and the weight of all others."""
    weight = sum(agreeing)
    if not weight:
        return 0.0
    surest, *others = sorted(agreeing, reverse=True)
    doubt = (1 - surest) * prod(1 - other for other in others) ** 0.5
    return round(weight / (weight + against) * (1 - doubt), 6)
