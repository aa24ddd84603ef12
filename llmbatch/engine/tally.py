"""Counts of a run in progress, updated from ledger lines."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import asdict

from llmbatch.core.ledger_line import ABOVE_BOUND, FAILED, LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.usage import UsageTotals


class LedgerTotals:
    """Sums over ledger lines: exact tokens and money, retries, answers by how they were parsed, expensive rows."""

    def __init__(self) -> None:
        self.usage = UsageTotals()
        self.retries: Counter[str] = Counter()
        self.parse: Counter[str] = Counter()
        self.dearest_nanousd: Counter[str] = Counter()
        """By model, the most expensive row with an answer above its reservation: the next may cost as much."""
        self.longest_beyond = 0
        """Output tokens of the longest such row."""

    def add(self, line: LedgerLine) -> None:
        """Count one line."""
        self.usage += line.totals
        if ABOVE_BOUND in line.flags and (cost_nanousd := line.cost_nanousd) is not None:
            self.dearest_nanousd |= Counter({line.model: cost_nanousd})  # a counter's union keeps the larger
            self.longest_beyond = max(self.longest_beyond, line.output_tokens)
        for retry in line.retries:
            self.retries[retry.error] += 1
        if line.parse is not None and line.source != "reused":
            self.parse[line.parse] += 1

    def merge(self, other: "LedgerTotals") -> None:
        """Add the sums of other lines."""
        self.usage += other.usage
        self.retries += other.retries
        self.parse += other.parse
        self.dearest_nanousd |= other.dearest_nanousd
        self.longest_beyond = max(self.longest_beyond, other.longest_beyond)

    def as_json(self) -> dict[str, Any]:
        """The sums so far, for `restored`."""
        return {name: asdict(value) if isinstance(value, UsageTotals) else value for name, value in vars(self).items()}

    @classmethod
    def restored(cls, data: Mapping[str, Any]) -> "LedgerTotals":
        """The sums that `as_json` returned.

        Raises:
            ValueError, TypeError: another version's, with other sums.
        """
        totals = cls()
        if data.keys() != vars(totals).keys():
            raise ValueError(f"sums {', '.join(data)}")
        for name, value in data.items():
            kind = type(getattr(totals, name))
            setattr(totals, name, UsageTotals(**value) if kind is UsageTotals else kind(value))
        return totals


class DailyTotals:
    """Totals by the UTC day on which a row was first sent."""

    def __init__(self) -> None:
        self._days: dict[str, LedgerTotals] = {}

    def add(self, line: LedgerLine) -> None:
        """Count one line."""
        day = line.started_at[:_DAY]
        if day not in self._days:
            self._days[day] = LedgerTotals()
        self._days[day].add(line)

    def total(self) -> LedgerTotals:
        """The total over all days."""
        return merged(self._days.values())

    def usage(self) -> dict[str, UsageTotals]:
        """Tokens and money by day."""
        return {day: totals.usage for day, totals in self._days.items()}


class SessionTally:
    """What this session has done so far."""

    def __init__(self, review: ReviewRule) -> None:
        """`review`: decides which rows need review."""
        self._needs_review = review.needs_review
        self.days = DailyTotals()
        self._of_batches = LedgerTotals()
        """Totals of rows answered in batches, whose cost is reserved in separate accounts."""
        self.skipped = 0
        self.left = 0
        """Rows that the session skips although they have no outcome: a retry sends only some rows."""
        self.rejected = 0
        self.answered = 0
        self.reused = 0
        self.from_earlier_runs = 0
        self.failed = 0
        self.review = 0
        self.lost = 0
        """Rows whose outcome could not be stored."""

    @property
    def totals(self) -> LedgerTotals:
        """The totals of all its rows."""
        return merged((self.days.total(), self._of_batches))

    def add(self, line: LedgerLine) -> None:
        """Count what a line cost."""
        if line.batch is None:
            self.days.add(line)
        else:
            self._of_batches.add(line)

    def settle(self, line: LedgerLine, *, was_asked: bool = False) -> None:
        """Count a row that has just reached its outcome; an abandoned one has none.

        Args:
            line: the outcome.
            was_asked: whether a request was sent for this row, even if an earlier answer is its outcome.
        """
        if line.is_abandoned:
            return
        self.answered += 1
        self.reused += line.source == "reused" and not was_asked
        self.from_earlier_runs += line.reused_from is not None
        self.failed += line.status == FAILED
        self.review += self._needs_review(line)


def merged(several: Iterable[LedgerTotals]) -> LedgerTotals:
    """The sums of several."""
    total = LedgerTotals()
    for one in several:
        total.merge(one)
    return total


_DAY = len("2026-11-25")
