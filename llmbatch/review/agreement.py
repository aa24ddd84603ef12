"""How far reviewers agree: Cohen's kappa of each two, Krippendorff's alpha of all.

Taken are labels that were given independently: of a text that was decided differently, those from before somebody
resolved it. `review --blind` makes such labels; a reviewer who saw another's decision cannot be distinguished.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from llmbatch.runs.decisions import Decision, last_said


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two reviewers, over the texts that both gave a label."""

    reviewers: tuple[str, str]
    texts: int
    same: int
    kappa: float | None
    """Cohen's (1960): agreement beyond chance; None where chance alone would always agree."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What reviewers said of the same texts."""

    texts: int
    """Texts with labels of two reviewers or more."""
    same: int
    """Of them, those with one label."""
    alpha: float | None
    """Krippendorff's (2011), nominal: 1 where all agree, 0 where they agree as by chance; None where only one label
    occurs."""
    pairs: tuple[PairAgreement, ...]


def agreement(lines: Iterable[Decision], texts: frozenset[str]) -> Agreement | None:
    """How far reviewers agree; None where no text has labels of two.

    Args:
        lines: of the decision log, in its order.
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
    """Cohen's kappa of two labels a text; None where chance alone would always agree."""
    count = len(pairs)
    one, other = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(one[label] * other[label] for label in one) / count**2 if count else 1.0
    if by_chance == 1:
        return None
    return (sum(a == b for a, b in pairs) / count - by_chance) / (1 - by_chance)


def krippendorff(units: Sequence[Counter[str]]) -> float | None:
    """Krippendorff's alpha for names without order, from how often each text got each label.

    Texts with one label say nothing and are left out. None where only one label occurs.
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
    """What each reviewer said of a text before anybody resolved a conflict about it.

    Args:
        lines: all lines about the text, in the log's order.
    """
    resolved = next((n for n in range(1, len(lines)) if _resolves(lines, n)), len(lines))
    before = lines[:resolved]
    found = {reviewer: last_said(before, reviewer) for reviewer in dict.fromkeys(line.reviewer for line in before)}
    return {reviewer: label for reviewer, label in found.items() if label is not None}


def _resolves(lines: Sequence[Decision], n: int) -> bool:
    """Whether a line settles a conflict. One that stands as before takes a decision back instead."""
    return lines[n - 1].is_conflict and not lines[n].is_conflict and lines[n] not in lines[:n]


def said_by(lines: Iterable[Decision], reviewer: str) -> dict[str, str]:
    """The label that a reviewer gave each text, by the text's digest, whatever others said."""
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
