"""Compares two or more arms on the same rows: agreement, accuracy, cost, and statistical certainty."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from llmbatch.analysis.metrics import Proportion, kappa, proportion
from llmbatch.analysis.paired import Difference, McNemar, Table, holm, mcnemar, paired_difference, rows_for
from llmbatch.runs.packing_trials import PackingTrial

SIGNIFICANT = 0.05
"""A difference is significant if its adjusted p-value is lower."""
TOLD_POINTS = (2, 5)
"""Differences in accuracy, in percentage points, for which the rows needed are reported if none is significant."""


@dataclass(frozen=True, slots=True)
class ArmAnswer:
    """An arm's outcome for one row. `label` is None if there is none; then `error` says why."""

    label: str | None
    confidence: float | None
    error: str | None
    answers: int
    """Answers received, including invalid ones."""
    invalid: int
    """Answers that were not a label of the task."""
    cost_nanousd: int | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class Arm:
    """One model with one prompt. `answers` are in the sample's order; None for rows not reached."""

    name: str
    model: str
    prompt: str
    answers: tuple[ArmAnswer | None, ...]


@dataclass(frozen=True, slots=True)
class ArmFigures:
    """One arm's figures. Money in nano-dollars, None if a price is unknown."""

    name: str
    model: str
    prompt: str
    labelled: Proportion
    invalid: Proportion
    """Share of answers that were not a label of the task."""
    accuracy: Proportion | None
    """Accuracy; a row without a label counts as wrong, so that no arm gains by failing; None without gold."""
    mean_confidence: float | None
    cost_nanousd: int | None
    """Mean per row."""
    latency_s: float | None
    """Median per row."""


@dataclass(frozen=True, slots=True)
class Versus:
    """Another arm compared with the first, on the rows that both processed. Rows with the same text count once."""

    name: str
    rows: int
    texts: int
    """Distinct texts among the rows."""
    agreement: Proportion
    kappa: float | None
    mcnemar: McNemar | None
    """None without gold."""
    difference: Difference | None
    """Difference in accuracy; None without gold."""
    cost_ratio: float | None
    """The other arm's cost divided by the first's."""
    latency_ratio: float | None
    rows_to_tell_by_points: Mapping[str, int]
    """Distinct gold texts needed to detect a difference in accuracy with 80% power, by percentage points."""

    @property
    def is_shown(self) -> bool:
        """Whether the difference is significant."""
        return self.mcnemar is not None and self.mcnemar.p_adjusted < SIGNIFICANT


@dataclass(frozen=True, slots=True)
class Comparison:
    """All arms; the others are compared with the first."""

    arms: tuple[ArmFigures, ...]
    versus: tuple[Versus, ...]
    looks: int = 1
    """How often these arms were compared against gold, with different rows or gold each time, including this time."""


@dataclass(frozen=True, slots=True)
class Look:
    """One comparison against gold. `digest` covers the rows and their gold labels: the same ones again do not count."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The result of a comparison."""

    folder: Path
    rows: int
    """Rows in the sample."""
    candidates: int
    """Rows it was drawn from: with gold, only rows with a gold label."""
    comparison: Comparison
    differing: int
    differences: Path
    """The file of differing rows, with every arm's answer."""
    exit_code: int
    looks: tuple[Look, ...]
    """All comparisons against gold so far, including this one if there is gold."""
    notes: tuple[str, ...]
    packings: tuple[PackingTrial, ...] = ()
    """The measured effect of packing rows, for `--rows-per-request auto`."""


def compare(
    arms: Sequence[Arm], gold: Sequence[str | None], texts: Sequence[Hashable] | None = None, *, looks: int = 1
) -> Comparison:
    """Compare arms.

    Args:
        arms: two or more, each with one answer per sample row.
        gold: gold labels, one per sample row; None for a row without.
        texts: text identifiers, one per sample row, equal for equal texts; None if all differ.
        looks: how often these arms have been compared, including this time.
    """
    first, *others = arms
    texts = range(len(gold)) if texts is None else texts
    versus = [_versus(first, arm, gold, texts) for arm in others]
    return Comparison(tuple(_figures(arm, gold, texts) for arm in arms), _adjusted(versus, looks), looks)


def _adjusted(versus: Sequence[Versus], looks: int) -> tuple[Versus, ...]:
    """Adjust p-values for multiple arms and multiple looks."""
    tests = [one.mcnemar for one in versus if one.mcnemar is not None]
    adjusted = iter(holm([test.p_value if looks == 1 else test.p_any_look for test in tests]))
    return tuple(
        one if one.mcnemar is None else replace(one, mcnemar=replace(one.mcnemar, p_adjusted=next(adjusted)))
        for one in versus
    )


def compared_json(compared: Compared) -> dict[str, Any]:
    """The comparison as `--json` prints it; money in nano-dollars per row, as `cost_nanousd`."""
    return {
        **asdict(compared),
        "folder": str(compared.folder),
        "differences": str(compared.differences),
    }


def _figures(arm: Arm, gold: Sequence[str | None], texts: Sequence[Hashable]) -> ArmFigures:
    asked = [row for row in zip(arm.answers, gold, texts, strict=True) if row[0] is not None]
    judged = [(answer.label == truth, text) for answer, truth, text in asked if answer and truth is not None]
    # A text is sent once, so its answer counts once, however many rows have it.
    answers = list({text: answer for answer, _, text in asked if answer}.values())
    confidences = [answer.confidence for answer in answers if answer.confidence is not None]
    return ArmFigures(
        name=arm.name,
        model=arm.model,
        prompt=arm.prompt,
        labelled=proportion(sum(answer.label is not None for answer in answers), len(answers)),
        invalid=proportion(sum(answer.invalid for answer in answers), sum(answer.answers for answer in answers)),
        accuracy=proportion(sum(right for right, _ in judged), len(judged), [text for _, text in judged])
        if judged
        else None,
        mean_confidence=sum(confidences) / len(confidences) if confidences else None,
        cost_nanousd=_mean_cost(answers),
        latency_s=_median_latency(answers),
    )


def _versus(first: Arm, other: Arm, gold: Sequence[str | None], texts: Sequence[Hashable]) -> Versus:
    both = [
        (one, two, truth, text)
        for one, two, truth, text in zip(first.answers, other.answers, gold, texts, strict=True)
        if one is not None and two is not None
    ]
    answers = list({text: (one, two) for one, two, _, text in both}.values())
    labels = [(one.label, two.label) for one, two in answers if one.label is not None and two.label is not None]
    same = sum(one == two for one, two in labels)
    table = Table.of(_right_by_text([(one, two, truth, text) for one, two, truth, text in both if truth is not None]))
    ones, twos = [one for one, _ in answers], [two for _, two in answers]
    if table.texts:
        apart, of = table.only_first + table.only_other, table.texts
    else:
        apart, of = len(labels) - same, len(labels)
    return Versus(
        name=other.name,
        rows=len(both),
        texts=len(answers),
        agreement=proportion(same, len(labels)),
        kappa=kappa([one for one, _ in labels], [two for _, two in labels]),
        mcnemar=mcnemar(table) if table.texts else None,
        difference=paired_difference(table),
        cost_ratio=_ratio(_mean_cost(twos), _mean_cost(ones)),
        latency_ratio=_ratio(_median_latency(twos), _median_latency(ones)),
        rows_to_tell_by_points={str(points): rows_for(points / 100, apart, of) for points in TOLD_POINTS},
    )


def _right_by_text(rows: Sequence[tuple[ArmAnswer, ArmAnswer, str, Hashable]]) -> list[tuple[bool, bool]]:
    """For each text, whether each arm is right on most of its rows, which may have different gold labels."""
    right: dict[Hashable, list[tuple[bool, bool]]] = {}
    for one, two, truth, text in rows:
        right.setdefault(text, []).append((one.label == truth, two.label == truth))
    return [
        (2 * sum(one for one, _ in copies) > len(copies), 2 * sum(two for _, two in copies) > len(copies))
        for copies in right.values()
    ]


def _mean_cost(answers: Sequence[ArmAnswer]) -> int | None:
    costs = [answer.cost_nanousd for answer in answers]
    known = [cost for cost in costs if cost is not None]
    return round(sum(known) / len(known)) if known and len(known) == len(costs) else None


def _median_latency(answers: Sequence[ArmAnswer]) -> float | None:
    return median(answer.latency_s for answer in answers) if answers else None


def _ratio(other: float | None, first: float | None) -> float | None:
    return other / first if other is not None and first else None
