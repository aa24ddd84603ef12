"""Agreement between reviewers: Cohen's kappa for each pair, Krippendorff's alpha for all of them.

Only labels given independently count: for a text with conflicting decisions, those made before the conflict was
resolved. `review --blind` produces independent labels; without it, a reviewer may have seen another's decision, and the
log does not show it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from llmbatch.runs.decisions import Decision, last_said


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Agreement of two reviewers on the texts that both labelled."""

    reviewers: tuple[str, str]
    texts: int
    same: int
    kappa: float | None
    """Cohen's kappa (1960), agreement beyond chance; None if chance alone would always agree."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of all reviewers on the texts they have in common."""

    texts: int
    """Texts labelled by two or more reviewers."""
    same: int
    """How many of these texts got the same label from everyone."""
    alpha: float | None
    """Krippendorff's alpha (2011), nominal: 1 for full agreement, 0 for chance agreement; None if only one label
    occurs."""
    pairs: tuple[PairAgreement, ...]


def agreement(lines: Iterable[Decision], texts: frozenset[str]) -> Agreement | None:
    """Compute the agreement of all reviewers; None if no text was labelled by two of them.

    Args:
        lines: the decision log's lines, in order.
        texts: the digests of the run's texts.
    """
    said = [labels for labels in _labels(lines, texts) if len(labels) > 1]
    if not said:
        return None
    return Agreement(
        texts=len(said),
        same=sum(len(set(labels.values())) == 1 for labels in said),
        alpha=krippendorff([Counter(labels.values()) for labels in said]),
        pairs=tuple(_pairs(said)),
    )


def cohen(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa for pairs of labels, one pair per text; None if chance alone would always agree."""
    count = len(pairs)
    one, other = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(one[label] * other[label] for label in one) / count**2 if count else 1.0
    if by_chance == 1:
        return None
    return (sum(a == b for a, b in pairs) / count - by_chance) / (1 - by_chance)


def krippendorff(units: Sequence[Counter[str]]) -> float | None:
    """Krippendorff's alpha for nominal labels, from how often each text got each label.

    Texts labelled only once carry no information and are left out. None if only one label occurs.
    """
    pairable = [unit for unit in units if unit.total() > 1]
    totals = sum(pairable, start=Counter[str]())
    count = totals.total()
    expected = count**2 - sum(n**2 for n in totals.values())
    if not expected:
        return None
    observed = sum((unit.total() ** 2 - sum(n**2 for n in unit.values())) / (unit.total() - 1) for unit in pairable)
    return 1 - (count - 1) * observed / expected


def independent(lines: Sequence[Decision]) -> Mapping[str, str]:
    """The label each reviewer gave a text before a conflict about it was resolved.

    Args:
        lines: all lines about the text, in the log's order.
    """
    resolved = next((n for n in range(1, len(lines)) if _resolves(lines, n)), len(lines))
    before = lines[:resolved]
    found = {reviewer: last_said(before, reviewer) for reviewer in dict.fromkeys(line.reviewer for line in before)}
    return {reviewer: label for reviewer, label in found.items() if label is not None}


def _resolves(lines: Sequence[Decision], n: int) -> bool:
    """Whether a line resolves a conflict. If the decision is unchanged, the line takes a decision back instead."""
    return lines[n - 1].is_conflict and not lines[n].is_conflict and lines[n] not in lines[:n]


def said_by(lines: Iterable[Decision], reviewer: str) -> dict[str, str]:
    """The label that a reviewer gave each text, by the text's digest, regardless of others' decisions."""
    found = {text: last_said(about, reviewer) for text, about in _by_text(lines).items()}
    return {text: label for text, label in found.items() if label is not None}


def _by_text(lines: Iterable[Decision]) -> Mapping[str, Sequence[Decision]]:
    about: defaultdict[str, list[Decision]] = defaultdict(list)
    for line in lines:
        about[line.text].append(line)
    return about


def _labels(lines: Iterable[Decision], texts: frozenset[str]) -> Iterator[Mapping[str, str]]:
    return (independent(about) for text, about in _by_text(lines).items() if text in texts)


def _pairs(said: Sequence[Mapping[str, str]]) -> Iterator[PairAgreement]:
    reviewers = sorted({reviewer for labels in said for reviewer in labels})
    for one, other in combinations(reviewers, 2):
        both = [(labels[one], labels[other]) for labels in said if one in labels and other in labels]
        if both:
            yield PairAgreement((one, other), len(both), sum(a == b for a, b in both), cohen(both))
