"""The page's figures, collected line by line and row by row, in memory that does not grow with the run."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from llmbatch.core.latency import Latencies
from llmbatch.core.ledger_line import FAILED, LedgerLine
from llmbatch.report.buckets import Buckets
from llmbatch.runs.outputs.outcome import REVIEW, Outcome
from llmbatch.stats.profile import PartsOf, one_label

CONFIDENCE_BINS = 20
_SEGMENTS = 32


@dataclass(slots=True)
class Moment:
    """What finished in one span of time."""

    rows: int = 0
    failed: int = 0
    retries: int = 0
    cost_nanousd: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0

    def merge(self, other: "Moment") -> None:
        """Add another span's figures."""
        self.rows += other.rows
        self.failed += other.failed
        self.retries += other.retries
        self.cost_nanousd += other.cost_nanousd
        self.input_tokens += other.input_tokens
        self.cached_input_tokens += other.cached_input_tokens
        self.output_tokens += other.output_tokens


@dataclass(slots=True)
class Segment:
    """The labels in one segment of the input."""

    rows: int = 0
    """Rows with a value."""
    labels: Counter[str] = field(default_factory=Counter)

    def merge(self, other: "Segment") -> None:
        """Add another segment's labels."""
        self.rows += other.rows
        self.labels += other.labels


@dataclass(slots=True)
class Arm:
    """One arm of a comparison: the rows sent in the same way."""

    labelled: int = 0
    failed: int = 0
    review: int = 0
    confidence_sum: float = 0.0
    cost_nanousd: int = 0

    @property
    def confidence(self) -> float | None:
        """Mean confidence of the rows with a label."""
        return self.confidence_sum / self.labelled if self.labelled else None


class Story:
    """A run's figures beyond its summary."""

    def __init__(self, review_below: float, parts_of: PartsOf = one_label) -> None:
        """`parts_of` splits a row's value into its labels."""
        self.review_below = review_below
        self._parts_of = parts_of
        self.moments = Buckets(Moment)
        self.latencies = Latencies()
        self.confidences = [0] * CONFIDENCE_BINS
        self.doubtful = [0] * CONFIDENCE_BINS
        """Rows in review, by confidence."""
        self.segments = Buckets(Segment, most=_SEGMENTS)
        self.arms: dict[str, Arm] = {}

    def add_line(self, line: LedgerLine) -> None:
        """Count a ledger line, one for each time a row was processed."""
        if line.source == "reused":
            return
        if line.batch is None:  # a batch waits for hours
            self.latencies.add(line.latency_s)
        moment = self.moments.at(datetime.fromisoformat(line.started_at).timestamp() + line.latency_s)
        moment.rows += 1
        moment.failed += line.status == FAILED
        moment.retries += len(line.retries)
        moment.cost_nanousd += line.cost_nanousd or 0
        moment.input_tokens += line.input_tokens
        moment.cached_input_tokens += line.cached_input_tokens
        moment.output_tokens += line.output_tokens

    def add_row(self, outcome: Outcome) -> None:
        """Count an input row by its outcome."""
        line, label = outcome.line, outcome.category
        if line is None:
            return
        arm = self.arms.setdefault(line.arm, Arm())
        arm.cost_nanousd += line.cost_nanousd or 0
        if label is None:
            arm.failed += 1
            return
        arm.labelled += 1
        arm.review += outcome.view == REVIEW
        segment = self.segments.at(outcome.row.index)
        segment.rows += 1
        segment.labels.update(self._parts_of(label))
        if line.confidence is not None:
            arm.confidence_sum += line.confidence
            place = min(int(line.confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)
            self.confidences[place] += 1
            self.doubtful[place] += outcome.view == REVIEW
