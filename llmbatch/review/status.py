"""The state of a run's review: what is waiting, who decided what, and how often the model was wrong."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import RowId
from llmbatch.review.agreement import Agreement, agreement
from llmbatch.review.error_rate import ErrorRate, SampledRow, rate_in_order, stratified_rate
from llmbatch.review.opened import OpenedRun
from llmbatch.runs.decisions import Decision, text_digest
from llmbatch.runs.outputs.counts import Tally
from llmbatch.runs.outputs.outcome import REVIEW, Outcome
from llmbatch.runs.outputs.sample import Draw, Sample

_MOST_CONFLICTS = 20


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row with conflicting decisions."""

    row: int
    id: RowId
    decisions: tuple[tuple[str, str], ...]
    """The reviewer and label of each decision."""


@dataclass(frozen=True, slots=True)
class SampleStatus:
    """The random sample. Human labels are taken as the truth."""

    rows: int
    decided: int
    """Sampled rows that are decided, in any order."""
    all: ErrorRate
    """Error rate of all answered rows; unknown until enough are decided in the sample's order."""
    passed: ErrorRate
    """Error rate of the rows that passed without review."""
    digest: str
    """Digest of the sampled rows as they were sent: a different input, prompt or model gives a different sample."""


@dataclass(frozen=True, slots=True)
class ReviewStatus:
    """The state of a run's review, in rows."""

    folder: str
    waiting: int
    """Low confidence or in conflict."""
    failed: int
    """Rows without a label: a reviewer can give one, or `llmbatch retry` sends them again."""
    reviewed: int
    corrected: int
    """Reviewed rows where the model was wrong or had no answer."""
    reviewers: Mapping[str, int]
    conflicts: int
    conflict_rows: tuple[Conflict, ...]
    """The first of them."""
    stale: int
    """Decisions whose text is no longer in any row, or whose label is no longer in the task."""
    sample: SampleStatus | None
    agreement: Agreement | None
    """Agreement between reviewers; None if no text was labelled by two of them."""


class _Sampled:
    """Collects the sample's rows, and counts the rows they represent."""

    def __init__(self, draw: Draw, review: ReviewRule) -> None:
        self._draw = draw
        self._review = review
        self._rows: list[SampledRow] = []
        self._answered: Counter[bool] = Counter()
        """Rows of the run, by whether they passed without review."""
        self._digest = hashlib.blake2b(digest_size=8)

    def add(self, outcome: Outcome) -> None:
        """Count a row."""
        line = outcome.line
        if line is None or not outcome.is_answered:
            return
        passed = not self._review.needs_review(line)
        self._answered[passed] += 1
        if (place := self._draw.place(outcome.row)) is None:
            return
        wrong = None if outcome.human is None else outcome.human.category != line.category
        self._rows.append(SampledRow(place, line.key, passed, wrong))
        self._digest.update(line.key.encode())

    def status(self) -> SampleStatus:
        return SampleStatus(
            rows=len(self._rows),
            decided=sum(row.wrong is not None for row in self._rows),
            all=stratified_rate(self._rows, (self._answered[True], self._answered[False])),
            passed=rate_in_order([row for row in self._rows if row.passed]),
            digest=self._digest.hexdigest(),
        )


def review_status(run: OpenedRun) -> ReviewStatus:
    """Read a run once and compute the state of its review."""
    draw = run.draw() if run.record.sample else Draw(Sample(), ())
    tally, sampled = Tally(run.record.task.label_space), _Sampled(draw, run.record.review)
    reviewers: Counter[str] = Counter()
    corrected = conflicts = 0
    first: list[Conflict] = []
    texts: set[str] = set()
    for outcome, _ in run.outcomes():
        tally.add(outcome)
        if outcome.decision is not None:
            texts.add(text_digest(outcome.row.text))
        sampled.add(outcome)
        if outcome.human is not None:
            reviewers[outcome.human.reviewer] += 1
            corrected += outcome.human.category != (outcome.line.category if outcome.line else None)
        elif outcome.view == REVIEW and outcome.decision is not None and outcome.decision.is_conflict:
            conflicts += 1
            if len(first) < _MOST_CONFLICTS:
                first.append(_conflict(outcome, outcome.decision))
    counts = tally.frozen({}, run.decisions)
    return ReviewStatus(
        folder=str(run.folder.path),
        waiting=counts.rows.review,
        failed=counts.rows.failed,
        reviewed=counts.rows.reviewed,
        corrected=corrected,
        reviewers=dict(reviewers.most_common()),
        conflicts=conflicts,
        conflict_rows=tuple(first),
        stale=counts.stale_decisions,
        sample=sampled.status() if run.record.sample else None,
        agreement=agreement(run.decisions.log.lines(), frozenset(texts)),
    )


def _conflict(outcome: Outcome, decision: Decision) -> Conflict:
    decisions = tuple((standing.reviewer, standing.category) for standing in decision.standings)
    return Conflict(outcome.row.index, outcome.row.id, decisions)
