"""Which labelled rows need review: those that are not confident enough, by the run's threshold or by their labels'."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from llmbatch.core.ledger_line import FAILED, NONE_FITS, OK, REVIEW, LedgerLine, Status

AskedAs = tuple[str, str, str]
"""A prompt's fingerprint, a model, and what its confidence is from: what thresholds hold for."""


@dataclass(frozen=True, slots=True)
class LabelLimits:
    """Confidences (0..1, as the model gave them) from which a label passes without review."""

    labels: Mapping[str, float]
    others: float | None = None
    """Of the labels that have none of their own; None where nothing is known of these."""

    def of(self, label: str) -> float | None:
        """The label's limit."""
        return self.labels.get(label, self.others)


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What a row is not confident enough of."""

    label: str | None
    """None for the row as a whole."""
    limit: float | None
    """The confidence (0..1) that it does not reach; None where the model chose none of the labels that it was given."""

    def __str__(self) -> str:
        if self.limit is None:
            return "none of the candidates was chosen"
        return f"{'' if self.label is None else f'{self.label} '}under {self.limit:g}"


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Decides whether a row needs review.

    Where a row's labels have limits, each must reach its own; where one of them has none, the row's confidence must
    reach `below` too.
    """

    below: float
    """Confidence (0..1) of a row under which it goes to people."""
    limits: Mapping[AskedAs, LabelLimits] = field(default_factory=dict)
    label_confidences: Callable[[LedgerLine], Mapping[str, float]] = lambda _: {}
    """The labels that a line gives, each with its confidence as the model gave it."""

    def needs_review(self, line: LedgerLine) -> bool:
        """Whether a labelled row is not confident enough to pass."""
        return self.shortfall(line) is not None

    def shortfall(self, line: LedgerLine) -> Shortfall | None:
        """What a labelled row is not confident enough of; None where it passes."""
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
