"""Finds the `--review-below` at which the labels that pass without review are right often enough.

A threshold is recommended only if its precision is statistically demonstrated, not just observed on these gold rows.
The best of many thresholds looks better than it is, so they are tested in sequence, from strict to loose, each by an
exact binomial bound; a sequence ends at its first failure, which keeps the chance of any wrong recommendation at 5%
however many are tried (fixed-sequence testing from several starts: Angelopoulos et al., "Learn then Test", 2021,
section 4).

A text is one piece of evidence however many rows have it, and it is right only if all its gold rows are. The bound is
the lower of two: one over texts, and one over rows at their effective number, so that texts with many rows carry
weight.
"""

import math
from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from llmbatch.core.errors import UsageError
from llmbatch.core.plurals import counted
from llmbatch.core.shares import share_of
from llmbatch.stats.intervals import effective_rows

_RISK = 0.05
"""Chance that a recommended threshold misses the required precision."""
_STARTS = 5
_CANDIDATES = 20
_GRID = 1000
"""Thresholds are multiples of a thousandth, so that the displayed value is the computed one."""


@dataclass(frozen=True, slots=True)
class ThresholdRow:
    """One threshold: rows at or above it pass, those below it need review."""

    threshold: float
    passed: int
    """Gold rows that pass."""
    texts: int
    """Distinct texts among the passing rows."""
    right: int
    precision: float
    at_least: float
    """Lower bound of the precision over distinct texts (Clopper-Pearson), at the level that the tests need."""
    to_people: int
    """Labelled rows of the whole run below the threshold."""
    to_people_share: float
    shown: bool
    """Whether the required precision is demonstrated here."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The table of thresholds, and the recommended one."""

    wanted: float
    level: float
    """Confidence level of each lower bound; together they hold at `1 - 0.05`."""
    rows: tuple[ThresholdRow, ...]
    """The thresholds, from the loosest to the strictest."""
    recommended: ThresholdRow | None
    """The loosest threshold at which the required precision is demonstrated."""
    least_gold_rows: int
    """Distinct passing texts that would be needed even if none were wrong."""
    remark: str | None
    """Why none is recommended, in one sentence."""


def parse_precision(text: str) -> float:
    """Parse a required precision as written by the user: `98%` or `0.98`.

    Raises:
        UsageError: it is neither, or no number of rows could demonstrate it.
    """
    value = share_of(text)
    if value is None or not 0 < value < 1:
        raise UsageError(
            f"--precision {text!r} is not a percentage below 100%",
            hint="use --precision 98%; no number of rows can prove that nothing is ever wrong",
        )
    return value


def thresholds(
    confidences: Sequence[float],
    right: Sequence[bool],
    run_confidences: Sequence[float],
    *,
    wanted: float,
    texts: Sequence[Hashable] | None = None,
) -> Thresholds:
    """Compute the precision of the passing rows, for up to twenty thresholds.

    Args:
        confidences: confidences of the gold rows with a label.
        right: whether each of their labels is right.
        run_confidences: confidences of all labelled rows of the run.
        wanted: the required precision, below 1.
        texts: text identifiers, one per gold row, equal for equal texts; None if all differ.
    """
    run = sorted(run_confidences)
    judged = list(zip(confidences, right, range(len(right)) if texts is None else texts, strict=True))
    by_text = {text: confidence for confidence, _, text in judged}
    candidates = _candidates(list(by_text.values()))
    starts = _starts([sum(value >= threshold for value in by_text.values()) for threshold in candidates], wanted)
    level = 1 - _RISK / max(len(starts), 1)
    strict_first = [_row(threshold, judged, run, level) for threshold in candidates]
    shown = _shown([row.at_least >= wanted for row in strict_first], starts)
    rows = tuple(replace(row, shown=n in shown) for n, row in reversed(list(enumerate(strict_first))))
    recommended = next((row for row in rows if row.shown), None)
    least = _least(wanted, level)
    remark = None if recommended else _remark(rows, wanted, level, least)
    return Thresholds(wanted, level, rows, recommended, least, remark)


def withheld(table: Thresholds, remark: str) -> Thresholds:
    """The table without a recommendation, and the reason."""
    rows = tuple(replace(row, shown=False) for row in table.rows)
    return replace(table, rows=rows, recommended=None, remark=remark)


def _candidates(confidences: Sequence[float]) -> list[float]:
    """Candidate thresholds, the strictest first: all distinct ones, or those that split the rows evenly.

    The loosest lets all rows pass. The choice depends on the confidences alone, not on which rows are right.
    """
    if not confidences:
        return []
    steps = sorted((math.ceil(round(value * _GRID, 6)) for value in confidences), reverse=True)
    chosen = set(steps)
    if len(chosen) > _CANDIDATES:
        chosen = {steps[math.ceil(len(steps) * part / _CANDIDATES) - 1] for part in range(1, _CANDIDATES)}
    chosen = (chosen - {steps[-1]}) | {math.floor(round(min(confidences) * _GRID, 6))}
    return [step / _GRID for step in sorted(chosen, reverse=True)]


def _starts(passed: Sequence[int], wanted: float) -> list[int]:
    """Starting points of the sequences: evenly spaced among the thresholds that let enough rows pass.

    Enough is twice the number needed if none is wrong; if no threshold lets that many pass, only the loosest is tried.
    The choice depends on counts, not on which rows are right, so the tests stay valid.
    """
    if not passed:
        return []
    enough = 2 * _least(wanted, 1 - _RISK / _STARTS)
    first = next((n for n, count in enumerate(passed) if count >= enough), len(passed) - 1)
    return sorted({round(first + n * (len(passed) - 1 - first) / (_STARTS - 1)) for n in range(_STARTS)})


def _row(
    threshold: float, judged: Sequence[tuple[float, bool, Hashable]], run: Sequence[float], level: float
) -> ThresholdRow:
    passed = [(was_right, text) for confidence, was_right, text in judged if confidence >= threshold]
    right, under = sum(was_right for was_right, _ in passed), bisect_left(run, threshold)
    texts, wrong = {text for _, text in passed}, {text for was_right, text in passed if not was_right}
    precision, rows = (right / len(passed) if passed else 0.0), effective_rows(text for _, text in passed)
    return ThresholdRow(
        threshold=threshold,
        passed=len(passed),
        texts=len(texts),
        right=right,
        precision=precision,
        at_least=min(_at_least(len(texts) - len(wrong), len(texts), level), _at_least(precision * rows, rows, level)),
        to_people=under,
        to_people_share=under / len(run) if run else 0.0,
        shown=False,
    )


def _at_least(right: float, passed: float, level: float) -> float:
    """The exact one-sided lower bound (Clopper and Pearson, 1934); effective row counts need not be whole."""
    from scipy.stats import beta  # noqa: PLC0415 - an extra, and slow to import

    return float(beta.ppf(1 - level, right, passed - right + 1)) if right else 0.0


def _least(wanted: float, level: float) -> int:
    """Rows needed to demonstrate the required precision if all of them are right."""
    return math.ceil(math.log(1 - level) / math.log(wanted))


def _shown(passes: Sequence[bool], starts: Sequence[int]) -> set[int]:
    """The tests passed in sequences that begin at `starts` and end at their first failure."""
    shown: set[int] = set()
    for start in starts:
        for n in range(start, len(passes)):
            if not passes[n]:
                break
            shown.add(n)
    return shown


def _remark(rows: Sequence[ThresholdRow], wanted: float, level: float, least: int) -> str:
    total = max((row.texts for row in rows), default=0)
    if total < least:
        return f"{_gold_rows(rows)} are too few: at least {least:,} must pass without an error; label more rows"
    hopeful = [row for row in rows if row.precision > wanted]
    if not hopeful:
        best = max(rows, key=lambda row: row.precision)
        return (
            f"no threshold reaches it: the best is {best.precision:.1%} at {best.threshold:g}; "
            "improve the task's descriptions, calibrate, or use a stronger model"
        )
    best = max(hopeful, key=lambda row: row.at_least)
    needed = min(_passing_texts_needed(row, wanted, level) * total / row.texts for row in hopeful)
    return (
        f"likely but not demonstrated: {best.precision:.1%} at {best.threshold:g}, at least {best.at_least:.1%}; "
        f"about {math.ceil(max(needed, 1.2 * total)):,} distinct gold rows might demonstrate it"
    )


def _gold_rows(rows: Sequence[ThresholdRow]) -> str:
    """`50 gold rows`, or `50 gold rows with 12 distinct texts`."""
    count, texts = (max((getattr(row, name) for row in rows), default=0) for name in ("passed", "texts"))
    all_rows = counted(count, "gold row")
    return all_rows if texts == count else f"{all_rows} with {counted(texts, 'distinct text')}"


def _passing_texts_needed(row: ThresholdRow, wanted: float, level: float) -> int:
    """Passing texts needed to raise the lower bound to the required precision, if the precision stays the same."""
    enough = row.texts
    while _at_least(round(enough * row.precision), enough, level) < wanted:
        enough += max(enough // 8, 1)
    return enough
