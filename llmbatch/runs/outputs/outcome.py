"""The outcome of a row, from the ledger's latest line, human decisions and the current threshold."""

from dataclasses import dataclass

from llmbatch.core.ledger_line import FAILED, LedgerLine, RowError
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import Row
from llmbatch.runs.decisions import Decision, TaskDecisions
from llmbatch.runs.ledger.log import Ledger

RESULTS, REVIEW, FAILED_VIEW, UNDONE = "results", "review", "failed", "undone"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A row, the model's answer, and human decisions about it."""

    row: Row
    key: str
    view: str
    """`results`, `review`, `failed` or `undone`."""
    line: LedgerLine | None
    decision: Decision | None

    @property
    def is_answered(self) -> bool:
        """Whether the ledger has a label from the model."""
        return self.line is not None and self.line.status != FAILED

    @property
    def failure(self) -> RowError | None:
        """Why the row failed; None if it did not, or if a person decided its label."""
        return self.line.error if self.view == FAILED_VIEW and self.line is not None else None

    @property
    def human(self) -> Decision | None:
        """The decision that gave the row its label, or None if the model did."""
        return self.decision if self.decision is not None and self.decision.is_settled else None

    @property
    def category(self) -> str | None:
        """The row's label, from a model or a person."""
        if self.human is not None:
            return self.human.category
        return None if self.line is None else self.line.category


def outcome(row: Row, key: str, *, ledger: Ledger, decisions: TaskDecisions, review: ReviewRule) -> Outcome:
    """The outcome of a row. Human decisions take precedence over the model; if they differ, the row is in review.

    Args:
        row: the row.
        key: its key by the run's plan.
        ledger: the model's answers.
        decisions: human decisions.
        review: decides which answers need review.
    """
    line, decision = ledger.latest(key), decisions.about(row.text)
    return Outcome(row, key, _view(line, decision, review), line, decision)


def _view(line: LedgerLine | None, decision: Decision | None, review: ReviewRule) -> str:
    if decision is not None and decision.category is not None:
        return RESULTS if decision.is_settled else REVIEW
    if line is None or line.is_abandoned:
        return UNDONE
    if line.status == FAILED and line.error is not None:
        return FAILED_VIEW
    return REVIEW if review.needs_review(line) else RESULTS
