"""Statistics of the rows of one arm or one run, small enough to store."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from llmbatch.core.ledger_line import FAILED, LedgerLine

USELESS = frozenset({"invalid", "empty", "truncated", "unusable"})
"""Failure kinds for unusable answers, caused by the model rather than the endpoint."""


PartsOf = Callable[[str], Iterable[str]]
"""The labels of a row's value, as tables count them."""


def one_label(value: str) -> Iterable[str]:
    """The labels of a value that is one label."""
    return (value,)


@dataclass(frozen=True, slots=True)
class Asked:
    """What an arm asks: the prompt's fingerprint and the model."""

    prompt: str
    model: str

    @classmethod
    def of(cls, line: LedgerLine) -> "Asked":
        """What a row was asked by."""
        return cls(line.prompt, line.model)


@dataclass(frozen=True, slots=True)
class Distribution:
    """Figures of rows: their mean, and how many rows have each of them, rounded to keep the counts few."""

    count: int = 0
    total: float = 0.0
    counts: Mapping[float, int] = field(default_factory=dict)
    """Rows by figure, to three significant digits."""

    @property
    def value(self) -> float:
        """The mean; 0 of nothing."""
        return self.total / self.count if self.count else 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """Figures of rows that were asked about, each counted once. Reused rows are excluded: they are not new.

    `useless` counts rows that had an unusable answer, fixed by a re-ask or not; `failed` all rows without a label.
    """

    rows: int = 0
    failed: int = 0
    useless: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    confidence: Distribution = Distribution()
    """As the model gave it: a calibration made in between is no change of the model."""
    tokens: Distribution = Distribution()
    """Input and output of a row, all its attempts."""
    latency_s: Distribution = Distribution()
    cost_nanousd: int | None = 0
    """Of all rows, nano-dollars; None where a price is unknown."""
    models: frozenset[str] = frozenset()
    """As the answers named themselves."""
    fingerprints: frozenset[str] = frozenset()
    """The provider's own marks of what answered (`system_fingerprint`)."""

    @property
    def cost_per_row_nanousd(self) -> float | None:
        """Mean cost of a row, nano-dollars."""
        return None if self.cost_nanousd is None or not self.rows else self.cost_nanousd / self.rows


class FirstOutcomes:
    """Distinguishes a row's first outcome from later ones, across arms and sessions.

    A row that failed is sent again: to the control where the canary failed, or by the next session. Such rows are the
    hard ones, and what comes of them then is no second piece of evidence, nor the other arm's. Rows that a stop cut off
    have no outcome yet.
    """

    def __init__(self) -> None:
        self._failed: set[tuple[int, str]] = set()

    def is_first(self, line: LedgerLine) -> bool:
        """Whether the line is its row's first outcome. To be asked of each line of a ledger, in its order."""
        place = (line.row, line.key)
        if place in self._failed or line.source == "reused" or line.is_abandoned:
            return False
        if line.status == FAILED:
            self._failed.add(place)
        return True


class _Sum:
    __slots__ = ("count", "counts", "total")

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0
        self.counts: Counter[float] = Counter()

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.counts[float(f"{value:.3g}")] += 1

    def distribution(self) -> Distribution:
        return Distribution(self.count, self.total, dict(self.counts))


class Profiler:
    """Sums up ledger lines one by one: the first outcome of each row (`FirstOutcomes` knows which)."""

    def __init__(self, parts_of: PartsOf = one_label) -> None:
        self._parts_of = parts_of
        self.rows = 0
        self.failed = 0
        self.useless = 0
        self._labels: Counter[str] = Counter()
        self._confidence, self._tokens, self._latency = _Sum(), _Sum(), _Sum()
        self._cost_nanousd: int | None = 0
        self._models: set[str] = set()
        self._fingerprints: set[str] = set()

    def add(self, line: LedgerLine) -> None:
        """Take in a row's outcome."""
        self.rows += 1
        self.failed += line.status == FAILED
        self.useless += was_useless(line)
        if line.category is not None:
            self._labels.update(self._parts_of(line.category))
        if line.raw_confidence is not None:
            self._confidence.add(line.raw_confidence)
        self._tokens.add(line.input_tokens + line.output_tokens)
        if line.batch is None:  # a batch waits for hours
            self._latency.add(line.latency_s)
        known = line.cost_nanousd is not None and self._cost_nanousd is not None
        self._cost_nanousd = (self._cost_nanousd or 0) + (line.cost_nanousd or 0) if known else None
        self._models.update({line.response_model} - {None})  # type: ignore[arg-type]
        self._fingerprints.update({line.system_fingerprint} - {None})  # type: ignore[arg-type]

    def profile(self) -> Profile:
        """The figures so far."""
        return Profile(
            rows=self.rows,
            failed=self.failed,
            useless=self.useless,
            labels=dict(self._labels),
            confidence=self._confidence.distribution(),
            tokens=self._tokens.distribution(),
            latency_s=self._latency.distribution(),
            cost_nanousd=self._cost_nanousd,
            models=frozenset(self._models),
            fingerprints=frozenset(self._fingerprints),
        )


def was_useless(line: LedgerLine) -> bool:
    """Whether the row had an unusable answer, even if a re-ask fixed it."""
    return line.parse in USELESS or any(retry.error in USELESS for retry in line.retries)
