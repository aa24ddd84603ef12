"""Which labelled rows need review: those below the run's confidence threshold or their labels' own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llmbatch.core.ledger_line import FAILED, NONE_FITS, OK, REVIEW, LedgerLine, Status

AskedAs = tuple[str, str, str]
"""Prompt fingerprint, model and confidence kind: what a set of thresholds applies to."""


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """Minimum confidence (0..1, as given by the model) for each label to pass without review."""

    labels: Mapping[str, float]
    others: float | None = None
    """The limit of labels without their own; None if unknown."""

    def of(self, label: str) -> float | None:
        """A label's limit."""
        return self.labels.get(label, self.others)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The confidence threshold that a row missed."""

    label: str | None
    """The label; None for the row as a whole."""
    limit: float | None
    """The missed threshold (0..1); None if the model chose none of the candidate labels."""

    def __str__(self) -> str:
        if self.limit is None:
            return "none of the candidates was chosen"
        return f"{'' if self.label is None else f'{self.label} '}under {self.limit:g}"


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Decides whether a row needs review.

    If a row's labels have limits, each must reach its own; if any has none, the row's confidence must also reach
    `below`.
    """

    below: float
    """Rows with a lower confidence (0..1) need review."""
    limits: Mapping[AskedAs, LabelLimits] = field(default_factory=dict)
    label_confidences: Callable[[LedgerLine], Mapping[str, float]] = lambda _: {}
    """A line's labels with their confidences as given by the model."""

    def needs_review(self, line: LedgerLine) -> bool:
        """Whether a labelled row's confidence is too low to pass."""
        return self.shortfall(line) is not None

    def shortfall(self, line: LedgerLine) -> Shortfall | None:
        """The threshold that a labelled row misses; None if it passes."""
        if line.status == FAILED or line.confidence is None:
            return None
        if NONE_FITS in line.flags:
            return Shortfall(None, None)
        limits = self.limits.get((*line.judges, line.confidence_from)) if self.limits else None
        is_low = Shortfall(None, self.below) if line.confidence < self.below else None
        if limits is None:
            return is_low
        is_unknown = False
        for label, confidence in self.label_confidences(line).items():
            limit = limits.of(label)
            is_unknown = is_unknown or limit is None
            if limit is not None and confidence < limit:
                return Shortfall(label, limit)
        return is_low if is_unknown else None

    def status(self, line: LedgerLine) -> Status:
        """`failed`, `review` or `ok`."""
        if line.status == FAILED:
            return FAILED
        return REVIEW if self.needs_review(line) else OK
