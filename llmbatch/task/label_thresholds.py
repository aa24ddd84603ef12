"""Label thresholds: the confidence above which each label is right often enough to pass without review.

Found on gold labels by `llmbatch calibrate --precision`, stored in the calibration file next to the task. They apply to
raw confidence, so a calibration, which preserves its order, does not affect them.
"""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.review_rule import LabelLimits, ReviewRule
from llmbatch.core.rows import ConfidenceKind
from llmbatch.task.label_space import LabelSpace


class LabelThresholds(BaseModel):
    """The thresholds demonstrated on gold labels, for one prompt, model and kind of confidence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str
    """Fingerprint of the prompt they apply to."""
    model: str
    offline: bool
    confidence: ConfidenceKind
    precision: float
    """The precision demonstrated for each label from its threshold up (0..1)."""
    labels: dict[str, float]
    """By label; `field=label` if the task has several fields."""
    others: float | None = None
    """Threshold of all other labels together; None if none was demonstrated."""
    gold: str
    """Digest of the gold file."""
    found_at: str


def review_rule(below: float, thresholds: Iterable[LabelThresholds], space: LabelSpace, *, offline: bool) -> ReviewRule:
    """Which rows of a run need review.

    Args:
        below: the run's threshold, for labels without their own.
        thresholds: label thresholds, by prompt, model and kind of confidence.
        space: the task's label space.
        offline: whether the answers are from the offline endpoint.
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
