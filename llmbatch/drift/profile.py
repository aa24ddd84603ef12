"""What the rows of one arm or one run came to, in figures small enough to keep."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from llmbatch.ledger.line import FAILED, LedgerLine

USELESS = frozenset({"invalid", "empty", "truncated", "unusable"})
"""Kinds of an answer that was of no use: the model's doing, not the endpoint's."""


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
class Mean:
    """A mean over rows, with what its uncertainty follows from."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0

    @property
    def value(self) -> float:
        """The mean; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    @property
    def variance(self) -> float:
        """The sample variance; 0 of fewer than two."""
        if self.count < 2:  # noqa: PLR2004 - one value has no spread
            return 0.0
        return max((self.squares - self.total**2 / self.count) / (self.count - 1), 0.0)


@dataclass(frozen=True, slots=True)
class Profile:
    """Figures of rows that were asked about. Reused rows are not among them: they say nothing new.

    `useless` counts rows that had an answer of no use, mended by a re-ask or not; `failed` all rows without a label.
    """

    rows: int = 0
    failed: int = 0
    useless: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)
    confidence: Mean = Mean()
    tokens: Mean = Mean()
    """Input and output of a row, all its attempts."""
    latency_s: Mean = Mean()
    cost_nusd: int | None = 0
    """Of all rows, nano-dollars; None where a price is unknown."""
    models: frozenset[str] = frozenset()
    """As the answers named themselves."""
    fingerprints: frozenset[str] = frozenset()
    """The provider's own marks of what answered (`system_fingerprint`)."""

    @property
    def cost_per_row_nusd(self) -> float | None:
        """Mean cost of a row, nano-dollars."""
        return None if self.cost_nusd is None or not self.rows else self.cost_nusd / self.rows


class _Sum:
    __slots__ = ("count", "squares", "total")

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.squares += value * value

    def mean(self) -> Mean:
        return Mean(self.count, self.total, self.squares)


class Profiler:
    """Sums up ledger lines one by one."""

    def __init__(self) -> None:
        self.rows = 0
        self.failed = 0
        self.useless = 0
        self._labels: Counter[str] = Counter()
        self._confidence, self._tokens, self._latency = _Sum(), _Sum(), _Sum()
        self._cost_nusd: int | None = 0
        self._models: set[str] = set()
        self._fingerprints: set[str] = set()

    def add(self, line: LedgerLine) -> None:
        """Take in a row's outcome."""
        if line.source == "reused":
            return
        self.rows += 1
        self.failed += line.status == FAILED
        self.useless += was_useless(line)
        if line.category is not None:
            self._labels[line.category] += 1
        if line.confidence is not None:
            self._confidence.add(line.confidence)
        self._tokens.add(line.input_tokens + line.output_tokens)
        self._latency.add(line.latency_s)
        known = line.cost_nusd is not None and self._cost_nusd is not None
        self._cost_nusd = (self._cost_nusd or 0) + (line.cost_nusd or 0) if known else None
        self._models.update({line.response_model} - {None})  # type: ignore[arg-type]
        self._fingerprints.update({line.system_fingerprint} - {None})  # type: ignore[arg-type]

    def profile(self) -> Profile:
        """The figures so far."""
        return Profile(
            rows=self.rows,
            failed=self.failed,
            useless=self.useless,
            labels=dict(self._labels),
            confidence=self._confidence.mean(),
            tokens=self._tokens.mean(),
            latency_s=self._latency.mean(),
            cost_nusd=self._cost_nusd,
            models=frozenset(self._models),
            fingerprints=frozenset(self._fingerprints),
        )


def was_useless(line: LedgerLine) -> bool:
    """Whether the row had an answer of no use, be it one that was asked again."""
    return line.parse in USELESS or any(retry.error in USELESS for retry in line.retries)
