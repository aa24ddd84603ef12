"""How a run's review stands: what waits, who decided what, and how often the model was wrong."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmbatch.decisions import Decision
from llmbatch.ledger.line import LedgerLine
from llmbatch.review.error_rate import ErrorRate
from llmbatch.review.opened import OpenedRun
from llmbatch.rows import RowId
from llmbatch.views.counts import Tally
from llmbatch.views.outcome import REVIEW, Outcome
from llmbatch.views.sample import Draw, Sample

_MOST_CONFLICTS = 20


@dataclass(frozen=True, slots=True)
class Conflict:
    """A row that people decided differently."""

    row: int
    id: RowId
    decisions: tuple[tuple[str, str], ...]
    """Reviewer and label of each."""


@dataclass(frozen=True, slots=True)
class SampleStatus:
    """The random sample. People's labels are taken for the truth."""

    rows: int
    all: ErrorRate
    passed: ErrorRate
    """Of them, the rows that were confident enough not to go to people."""
    digest: str
    """Of the rows that are in it, as they were asked: another input, prompt or model is another sample."""


@dataclass(frozen=True, slots=True)
class ReviewStatus:
    """How a run's review stands, in rows."""

    folder: str
    waiting: int
    """Low confidence or in conflict."""
    failed: int
    """Without a label: a person can give them one, or `llmbatch retry` asks again."""
    reviewed: int
    corrected: int
    """Of the reviewed ones, those where the model was wrong or had no answer."""
    reviewers: Mapping[str, int]
    conflicts: int
    conflict_rows: tuple[Conflict, ...]
    """The first of them."""
    stale: int
    """Decisions whose text no row has any more, or whose label the task has no more."""
    sample: SampleStatus | None


@dataclass(slots=True)
class _Sampled:
    rows: int = 0
    checked: Counter[bool] = field(default_factory=Counter)
    wrong: Counter[bool] = field(default_factory=Counter)
    """By whether the row's confidence let it pass."""
    digest: "hashlib.blake2b" = field(default_factory=lambda: hashlib.blake2b(digest_size=8))

    def add(self, outcome: Outcome, line: LedgerLine, *, review_below: float) -> None:
        self.rows += 1
        self.digest.update(line.key.encode())
        if outcome.human is None:
            return
        passed = line.confidence is None or line.confidence >= review_below
        self.checked[passed] += 1
        self.wrong[passed] += outcome.human.category != line.category

    def status(self) -> SampleStatus:
        every = ErrorRate(self.checked.total(), self.wrong.total())
        passed = ErrorRate(self.checked[True], self.wrong[True])
        return SampleStatus(self.rows, every, passed, self.digest.hexdigest())


def review_status(run: OpenedRun) -> ReviewStatus:
    """Go through a run once and tell how its review stands."""
    draw = run.draw() if run.record.sample else Draw(Sample(), ())
    tally, sampled = Tally(), _Sampled()
    reviewers: Counter[str] = Counter()
    corrected = conflicts = 0
    first: list[Conflict] = []
    for outcome, _ in run.outcomes():
        tally.add(outcome)
        if outcome.line is not None and outcome.is_answered and draw.takes(outcome.row):
            sampled.add(outcome, outcome.line, review_below=run.record.review_below)
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
    )


def _conflict(outcome: Outcome, decision: Decision) -> Conflict:
    decisions = tuple((standing.reviewer, standing.category) for standing in decision.standings)
    return Conflict(outcome.row.index, outcome.row.id, decisions)
