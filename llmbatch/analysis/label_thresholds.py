"""From which confidence on is each label right often enough to pass without review?

Each label is tested by itself, as `thresholds` tests a run's: shown, or not recommended. Labels for which too few gold
rows speak are tested once more together. They were left over because they did badly by themselves, if anything, so
that what is shown of them together is shown all the same.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from llmbatch.analysis.pairs import Pair
from llmbatch.analysis.thresholds import thresholds
from llmbatch.task.label_space import LabelSpace


@dataclass(frozen=True, slots=True)
class LabelThreshold:
    """One label, or several together: from which confidence on its precision is shown."""

    label: str | None
    """None for all others together."""
    given: int
    """Gold rows whose answer has the label."""
    texts: int
    """Distinct texts among them."""
    right: int
    """Of the rows, those whose gold has it too."""
    threshold: float | None
    """None where the wanted precision is not shown at any."""
    passed: int
    """Of the rows, those at or above the threshold."""
    at_least: float
    """Lower bound of the precision of these."""


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The labels that were given to gold rows, the commonest first, and the rest together."""

    wanted: float
    labels: tuple[LabelThreshold, ...]
    others: LabelThreshold | None
    """Of the labels whose own threshold is not shown; None where there are none."""

    @property
    def shown(self) -> Mapping[str, float]:
        """The thresholds that labels have."""
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
        pairs: gold rows with an answer, their confidence as the model gave it.
        space: the task's.
        wanted: precision that is wanted of each label that passes.
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
