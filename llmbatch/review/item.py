"""One row as the reviewer sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from llmbatch.core.ledger_line import Vote
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.rows import RowId
from llmbatch.runs.decisions import Decision, text_digest
from llmbatch.runs.outputs.outcome import Outcome

CONFLICT, LOW_CONFIDENCE, FAILED, SAMPLED, CHOSEN = "conflict", "low_confidence", "failed", "sample", "chosen"
"""Reasons for a row to be in the queue."""


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """A text to decide about, with the model's answer. Rows with the same text are one item."""

    row: int
    id: RowId
    key: str
    text: str = field(repr=False)
    digest: str
    """The text's digest, by which decisions identify it."""
    reason: str
    under: str | None
    """Which confidence threshold was missed, and by how much; None if confidence is high enough."""
    category: str | None
    """The model's confidence; None if the row failed."""
    confidence: float | None
    confidences: Mapping[str, float] | None
    """Confidence by field and label, if the task takes more than one label."""
    runner_up: str | None
    """The model's second choice, if known."""
    reasoning: str | None
    error: str | None
    """Why the row failed, on one line."""
    fields: Mapping[str, Any] = field(repr=False)
    """The input's other fields."""
    votes: str | None = None
    """The votes, if the row was voted on, on one line."""

    def decision(self, category: str | None, *, reviewer: str, decided_at: str, note: str | None = None) -> Decision:
        """A decision about this text; with None as the label it stays undecided."""
        return Decision(
            key=self.key,
            text=self.digest,
            row=self.row,
            id=self.id,
            category=category,
            reviewer=reviewer,
            decided_at=decided_at,
            note=note,
            reason=self.reason,
            model_category=self.category,
            model_confidence=self.confidence,
        )


def item_of(outcome: Outcome, reason: str, fields: Mapping[str, Any], review: ReviewRule) -> ReviewItem:
    """Build the review item of a row."""
    row, line = outcome.row, outcome.line
    error = None if line is None or line.error is None else f"{line.error.kind}: {line.error.message}"
    return ReviewItem(
        row=row.index,
        id=row.id,
        key=outcome.key,
        text=row.text,
        digest=text_digest(row.text),
        reason=reason,
        under=None if line is None or (missed := review.shortfall(line)) is None else str(missed),
        category=None if line is None else line.category,
        confidence=None if line is None else line.confidence,
        confidences=None if line is None else line.confidences,
        runner_up=None if line is None else line.runner_up,
        reasoning=None if line is None else line.reasoning,
        error=error,
        fields=fields,
        votes=None if line is None or not line.votes else ", ".join(map(_said, line.votes)),
    )


def _said(vote: Vote) -> str:
    return f"{vote.model} none of them" if vote.none_fits else f"{vote.model} {vote.category} {vote.confidence:.2f}"
