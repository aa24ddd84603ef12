"""Thresholds of labels: the confidence from which each is right often enough to pass without review.

Found on gold labels by `llmbatch calibrate --precision`, kept in the calibration file beside the task. They are about
confidence as the model gives it, so that a calibration, which keeps its order, does not move them.
"""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.review_rule import LabelLimits, ReviewRule
from llmbatch.core.rows import ConfidenceKind
from llmbatch.task.label_space import LabelSpace


class LabelThresholds(BaseModel):
    """The thresholds that were shown on gold labels, for one prompt, model and kind of confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    """Fingerprint of the prompt that they were found for."""
    model: str
    offline: bool
    confidence: ConfidenceKind
    precision: float
    """That is shown of each label from its threshold on (0..1)."""
    labels: dict[str, float]
    """By label; `field=label` where the task has several fields."""
    others: float | None = None
    """Of all other labels together; None where none was shown."""
    gold: str
    """Digest of the gold file."""
    found_at: str


def review_rule(below: float, thresholds: Iterable[LabelThresholds], space: LabelSpace, *, offline: bool) -> ReviewRule:
    """Which rows of a run need review.

    Args:
        below: the run's threshold, which holds where labels have none.
        thresholds: of labels, by prompt, model and kind of confidence.
        space: the task's.
        offline: whether the answers are the offline endpoint's.
    """
    limits = {
        (one.prompt, one.model, one.confidence.value): LabelLimits(one.labels, one.others)
        for one in thresholds
        if one.offline == offline
    }

    def label_confidences(line: LedgerLine) -> Mapping[str, float]:
        raw = line.raw_confidence
        return (
            {} if line.category is None or raw is None else space.part_confidences(line.category, raw, line.confidences)
        )

    return ReviewRule(below, limits, label_confidences)
