"""Two or more arms on the same rows: how often they agree, which is right, what each costs, and how sure that is."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist, median
from typing import Any

from llmbatch.evaluate.metrics import Proportion, kappa, proportion

_RISK, _POWER = 0.05, 0.8
"""Of taking chance for a difference; of seeing a difference that is there."""
TOLD_POINTS = (2, 5)
"""Differences in accuracy, in percentage points, for which the rows needed are told, where none has shown."""


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """What an arm made of one row. `label` is None where it has none; `error` says why then."""

    label: str | None
    confidence: float | None
    error: str | None
    answers: int
    """Answers that came in, invalid ones included."""
    invalid: int
    """Of them, those that were no label of the task."""
    cost_nusd: int | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One model with one prompt. `answers` are in the sample's order; None where a row was not reached."""

    name: str
    model: str
    prompt: str
    answers: tuple[ArmAnswer | None, ...]


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm by itself. Money in nano-dollars, None where a price is unknown."""

    name: str
    model: str
    prompt: str
    labelled: Proportion
    invalid: Proportion
    """Of all answers, those that were no label of the task."""
    accuracy: Proportion | None
    """A row without a label counts as wrong, so that no arm gains by failing; None without gold."""
    mean_confidence: float | None
    cost_nusd: int | None
    """Of a row, on average."""
    latency_s: float | None
    """The median row's."""


@dataclass(frozen=True, slots=True)
class McNemar:
    """McNemar's exact test (1947): of the rows that one arm alone has right, is it more than half?"""

    first_alone_right: int
    other_alone_right: int
    p_value: float


@dataclass(frozen=True, slots=True)
class Versus:
    """Another arm beside the first, on the rows that both were asked about."""

    name: str
    rows: int
    agreement: Proportion
    kappa: float | None
    mcnemar: McNemar | None
    """None without gold."""
    cost_ratio: float | None
    """The other's cost by the first's."""
    latency_ratio: float | None
    rows_to_tell: int | None
    """Rows with gold that show the difference seen, in four of five tries; None where none is seen."""
    rows_to_tell_by_points: Mapping[str, int]
    """The same for differences in accuracy that one may care for, by percentage points."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All arms, the first being the one that the others are held against."""

    arms: tuple[ArmFigures, ...]
    versus: tuple[Versus, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """What came of it."""

    folder: Path
    rows: int
    """Of the sample."""
    candidates: int
    """Rows that it was drawn from: with gold, those that have a gold label."""
    comparison: Comparison
    differing: int
    differences: Path
    """The rows that differ, with every arm's answer."""
    exit_code: int
    notes: tuple[str, ...]


def compare(arms: Sequence[Arm], gold: Sequence[str | None]) -> Comparison:
    """Compare arms.

    Args:
        arms: two or more, with one answer a row of the sample each.
        gold: one a row of the sample; None where it has none.
    """
    first, *others = arms
    return Comparison(tuple(_figures(arm, gold) for arm in arms), tuple(_versus(first, arm, gold) for arm in others))


def compared_json(compared: Compared) -> dict[str, Any]:
    """The comparison as `--json` prints it; money in nano-dollars a row, as `cost_nusd`."""
    return {**asdict(compared), "folder": str(compared.folder), "differences": str(compared.differences)}


def rows_to_tell(only_first: float, only_other: float) -> int | None:
    """Rows that a two-sided McNemar test at 5% needs to see a difference with a power of 80% (Connor, 1987).

    Args:
        only_first: share of rows that only the first arm has right.
        only_other: share of rows that only the other one has right.
    """
    apart, difference = only_first + only_other, abs(only_first - only_other)
    if difference == 0:
        return None
    risk, power = NormalDist().inv_cdf(1 - _RISK / 2), NormalDist().inv_cdf(_POWER)
    spread = risk * math.sqrt(apart) + power * math.sqrt(max(apart - difference**2, 0.0))
    return math.ceil(spread**2 / difference**2)


def _figures(arm: Arm, gold: Sequence[str | None]) -> ArmFigures:
    asked = [(answer, truth) for answer, truth in zip(arm.answers, gold, strict=True) if answer is not None]
    judged = [(answer, truth) for answer, truth in asked if truth is not None]
    confidences = [answer.confidence for answer, _ in asked if answer.confidence is not None]
    return ArmFigures(
        name=arm.name,
        model=arm.model,
        prompt=arm.prompt,
        labelled=proportion(sum(answer.label is not None for answer, _ in asked), len(asked)),
        invalid=proportion(sum(answer.invalid for answer, _ in asked), sum(answer.answers for answer, _ in asked)),
        accuracy=proportion(sum(a.label == truth for a, truth in judged), len(judged)) if judged else None,
        mean_confidence=sum(confidences) / len(confidences) if confidences else None,
        cost_nusd=_mean_cost([answer for answer, _ in asked]),
        latency_s=_median_latency([answer for answer, _ in asked]),
    )


def _versus(first: Arm, other: Arm, gold: Sequence[str | None]) -> Versus:
    both = [
        (one, two, truth)
        for one, two, truth in zip(first.answers, other.answers, gold, strict=True)
        if one is not None and two is not None
    ]
    labels = [(one.label, two.label) for one, two, _ in both if one.label is not None and two.label is not None]
    same = sum(one == two for one, two in labels)
    judged = [(one.label == truth, two.label == truth) for one, two, truth in both if truth is not None]
    only_first, only_other = sum(a and not b for a, b in judged), sum(b and not a for a, b in judged)
    ones, twos = [one for one, _, _ in both], [two for _, two, _ in both]
    apart = (only_first + only_other) / len(judged) if judged else 1 - same / len(labels) if labels else 0.0
    return Versus(
        name=other.name,
        rows=len(both),
        agreement=proportion(same, len(labels)),
        kappa=kappa([one for one, _ in labels], [two for _, two in labels]),
        mcnemar=McNemar(only_first, only_other, _exact(only_first, only_other)) if judged else None,
        cost_ratio=_ratio(_mean_cost(twos), _mean_cost(ones)),
        latency_ratio=_ratio(_median_latency(twos), _median_latency(ones)),
        rows_to_tell=rows_to_tell(only_first / len(judged), only_other / len(judged)) if judged else None,
        rows_to_tell_by_points={str(points): _rows_for(apart, points / 100) for points in TOLD_POINTS},
    )


def _rows_for(apart: float, difference: float) -> int:
    """Rows to tell a difference where so many rows set the arms apart: the difference itself at least."""
    apart = max(apart, difference)
    return rows_to_tell((apart + difference) / 2, (apart - difference) / 2) or 0


def _exact(one: int, other: int) -> float:
    from scipy.stats import binomtest  # noqa: PLC0415 - an extra, and slow to import

    return float(binomtest(one, one + other).pvalue) if one + other else 1.0


def _mean_cost(answers: Sequence[ArmAnswer]) -> int | None:
    costs = [answer.cost_nusd for answer in answers]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known) / len(known)) if known and len(known) == len(costs) else None


def _median_latency(answers: Sequence[ArmAnswer]) -> float | None:
    return median(answer.latency_s for answer in answers) if answers else None


def _ratio(other: float | None, first: float | None) -> float | None:
    return other / first if other is not None and first else None
