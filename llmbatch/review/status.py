"""How a run's review stands: what waits, who decided what, and how often the model was wrong."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmbatch.decisions import Decision
from llmbatch.errors import FolderBusy
from llmbatch.observer import Observer
from llmbatch.pipeline.run import export_run
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
    """Decisions whose text or prompt has changed since."""
    sample: SampleStatus | None


@dataclass(slots=True)
class _Sampled:
    rows: int = 0
    checked: Counter[bool] = field(default_factory=Counter)
    wrong: Counter[bool] = field(default_factory=Counter)
    """By whether the row's confidence let it pass."""

    def add(self, outcome: Outcome, *, review_below: float) -> None:
        self.rows += 1
        if outcome.human is None or outcome.line is None:
            return
        passed = outcome.line.confidence is None or outcome.line.confidence >= review_below
        self.checked[passed] += 1
        self.wrong[passed] += outcome.human.category != outcome.line.category

    def status(self) -> SampleStatus:
        every = ErrorRate(self.checked.total(), self.wrong.total())
        return SampleStatus(self.rows, every, ErrorRate(self.checked[True], self.wrong[True]))


def review_status(run: OpenedRun) -> ReviewStatus:
    """Go through a run once and tell how its review stands."""
    draw = run.draw() if run.record.sample else Draw(Sample(), ())
    tally, sampled = Tally(), _Sampled()
    reviewers: Counter[str] = Counter()
    corrected = conflicts = 0
    first: list[Conflict] = []
    for outcome, _ in run.outcomes():
        tally.add(outcome)
        if outcome.is_answered and draw.takes(outcome.row):
            sampled.add(outcome, review_below=run.record.review_below)
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


def status_json(status: ReviewStatus) -> dict[str, Any]:
    """The status as `--json` prints it: stable names, shares in 0..1, null where nothing was checked."""
    data = asdict(status)
    if status.sample is not None:
        data["sample"] = {
            "rows": status.sample.rows,
            "all": _rate(status.sample.all),
            "passed": _rate(status.sample.passed),
        }
    data["conflict_rows"] = [
        {"row": one.row, "id": one.id, "decisions": dict(one.decisions)} for one in status.conflict_rows
    ]
    return data


def bring_into_views(path: Path) -> bool:
    """Write the run's views again, so that decisions are in them; false where a run under way will do so at its end.

    Raises:
        UsageError: the input cannot be read any more.
    """
    try:
        export_run(path, out=None, csv=False, observer=Observer())
    except FolderBusy:
        return False
    return True


def _conflict(outcome: Outcome, decision: Decision) -> Conflict:
    decisions = tuple((standing.reviewer, standing.category) for standing in decision.standings)
    return Conflict(outcome.row.index, outcome.row.id, decisions)


def _rate(rate: ErrorRate) -> dict[str, Any]:
    low, high = rate.interval
    return {"checked": rate.checked, "wrong": rate.wrong, "share": rate.share, "low": low, "high": high}
