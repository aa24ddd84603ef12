"""Finds the confidence above which each label is right often enough to pass without review.

Each label is tested separately, as `thresholds` tests a run: either demonstrated or not recommended. Labels with too
few gold rows are tested again together. If anything they were left over because they did badly alone, so a result for
them together is still valid.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmbatch.analysis.pairs import Pair
from llmbatch.analysis.thresholds import thresholds
from llmbatch.task.label_space import LabelSpace


@dataclass(frozen=True, slots=True)
class LabelThreshold:
    """One label, or several together: the confidence above which its precision is demonstrated."""

    label: str | None
    """The label; None for all others together."""
    given: int
    """Gold rows answered with the label."""
    texts: int
    """Distinct texts among these rows."""
    right: int
    """Rows whose gold also has the label."""
    threshold: float | None
    """None if the required precision is not demonstrated at any threshold."""
    passed: int
    """Rows at or above the threshold."""
    at_least: float
    """Lower bound of the precision at or above the threshold."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels given to gold rows, the most common first, and the rest together."""

    wanted: float
    labels: tuple[LabelThreshold, ...]
    others: LabelThreshold | None
    """The labels without their own threshold, together; None if there are none."""

    @property
    def shown(self) -> Mapping[str, float]:
        """The demonstrated thresholds by label."""
        return {one.label: one.threshold for one in self.labels if one.label is not None and one.threshold is not None}

    @property
    def of_others(self) -> float | None:
        """The threshold of all other labels."""
        return None if self.others is None else self.others.threshold


@dataclass(frozen=True, slots=True)
class _Given:
    """A label given to a row that has gold."""

    confidence: float
    is_right: bool
    text: Hashable


def label_thresholds(pairs: Iterable[Pair], space: LabelSpace, *, wanted: float) -> LabelTable:
    """Test each label.

    Args:
        pairs: gold rows with an answer, with the raw confidence.
        space: the task's label space.
        wanted: required precision of each label that passes.
    """
    given: defaultdict[str, list[_Given]] = defaultdict(list)
    for pair in pairs:
        right = set(space.parts_of(pair.gold)) if pair.gold in space else set[str]()
        sure = space.part_confidences(pair.answer or "", pair.confidence_raw or 0.0, pair.confidences)
        for label, confidence in sure.items():
            given[label].append(_Given(confidence, label in right, pair.text_id))
    commonest = sorted(given, key=lambda label: (-len(given[label]), label))
    labels = tuple(_tested(label, given[label], wanted) for label in commonest)
    rest = [one for found in labels if found.threshold is None and found.label for one in given[found.label]]
    return LabelTable(wanted, labels, _tested(None, rest, wanted) if rest else None)


def _tested(label: str | None, given: Sequence[_Given], wanted: float) -> LabelThreshold:
    found = thresholds(
        [one.confidence for one in given],
        [one.is_right for one in given],
        (),
        wanted=wanted,
        texts=[one.text for one in given],
    ).recommended
    return LabelThreshold(
        label=label,
        given=len(given),
        texts=len({one.text for one in given}),
        right=sum(one.is_right for one in given),
        threshold=None if found is None else found.threshold,
        passed=0 if found is None else found.passed,
        at_least=0.0 if found is None else found.at_least,
    )
