"""Counts of a run while it is under way. Fed with ledger lines, asked for snapshots."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec.structs import asdict

from llmbatch.core.ledger_line import ABOVE_BOUND, ESCALATION, FAILED, REVIEW, LedgerLine
from llmbatch.core.prices import Usage
from llmbatch.observe.summary import Spent
from llmbatch.spend.figures import Figures


class Expenses:
    """Sums tokens and money over ledger lines, exactly."""

    def __init__(self) -> None:
        self.rows = 0
        self.usage = Usage()
        self.priced_nusd = 0
        self.unpriced_rows = 0
        self.requests = 0
        self.retries: Counter[str] = Counter()
        self.parse: Counter[str] = Counter()
        self.possibly_billed_nusd = 0
        self.possibly_billed_requests = 0
        self.saved_nusd = 0
        self.labelled = 0
        """Rows that got a label; one that was also asked of a stronger model counts once."""
        self.billed_rows = 0
        """Rows with at least one answer whose tokens were counted."""
        self.dearest_nusd: Counter[str] = Counter()
        """By the model, the dearest row with an answer above what was set aside for it: the next may cost as much."""
        self.longest_beyond = 0
        """Output tokens of the longest such row."""

    @property
    def cost_nusd(self) -> int | None:
        """What the rows cost; None where the price of one is unknown."""
        return None if self.unpriced_rows else self.priced_nusd

    def add(self, line: LedgerLine) -> None:
        """Count one line."""
        self.rows += 1
        self.requests += line.attempts
        self.possibly_billed_nusd += line.possibly_billed_nusd
        self.possibly_billed_requests += line.possibly_billed_attempts
        self.saved_nusd += line.saved_nusd
        self.usage += line.usage
        self.billed_rows += line.input_tokens > 0
        self.labelled += line.status != FAILED and line.arm != ESCALATION
        if (cost_nusd := line.cost_nusd) is None:
            self.unpriced_rows += 1
        else:
            self.priced_nusd += cost_nusd
            if ABOVE_BOUND in line.flags:
                self.dearest_nusd |= Counter({line.model: cost_nusd})  # a counter's union keeps the larger
                self.longest_beyond = max(self.longest_beyond, line.output_tokens)
        for retry in line.retries:
            self.retries[retry.error] += 1
        if line.parse is not None and line.source == "api":
            self.parse[line.parse] += 1

    def merge(self, other: "Expenses") -> None:
        """Add the sums of other lines."""
        self.rows += other.rows
        self.requests += other.requests
        self.possibly_billed_nusd += other.possibly_billed_nusd
        self.possibly_billed_requests += other.possibly_billed_requests
        self.saved_nusd += other.saved_nusd
        self.usage += other.usage
        self.billed_rows += other.billed_rows
        self.labelled += other.labelled
        self.priced_nusd += other.priced_nusd
        self.unpriced_rows += other.unpriced_rows
        self.retries += other.retries
        self.parse += other.parse
        self.dearest_nusd |= other.dearest_nusd
        self.longest_beyond = max(self.longest_beyond, other.longest_beyond)

    def as_json(self) -> dict[str, Any]:
        """The sums so far, for `restored`."""
        return {
            name: asdict(value) if isinstance(value, Usage) else dict(value) if isinstance(value, Counter) else value
            for name, value in vars(self).items()
        }

    @classmethod
    def restored(cls, data: Mapping[str, Any]) -> "Expenses":
        """The sums that `as_json` gave.

        Raises:
            ValueError: another version's, with other sums.
        """
        expenses = cls()
        if data.keys() != vars(expenses).keys():
            raise ValueError(f"sums {', '.join(data)}")
        for name, value in data.items():
            kind = type(getattr(expenses, name))
            setattr(expenses, name, Usage(**value) if kind is Usage else kind(value))
        return expenses

    def spent(self) -> Spent:
        """The sums so far, as the summary shows them."""
        usage = self.usage
        return Spent(
            requests=self.requests,
            labelled=self.labelled,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cache_unreported_tokens=usage.cache_unreported_tokens,
            cost_nusd=self.cost_nusd,
            possibly_billed_nusd=self.possibly_billed_nusd,
            possibly_billed_requests=self.possibly_billed_requests,
            saved_nusd=self.saved_nusd,
        )

    def figures(self) -> Figures:
        """The sums so far, as the spend store keeps them."""
        usage = self.usage
        return Figures(
            rows=self.rows,
            requests=self.requests,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cache_unreported_tokens=usage.cache_unreported_tokens,
            cost_nusd=self.priced_nusd,
            unpriced_rows=self.unpriced_rows,
            possibly_billed_nusd=self.possibly_billed_nusd,
            possibly_billed_requests=self.possibly_billed_requests,
        )


class DailyExpenses:
    """Expenses by the UTC day on which a row was first sent."""

    def __init__(self) -> None:
        self._days: dict[str, Expenses] = {}

    def add(self, line: LedgerLine) -> None:
        """Count one line."""
        day = line.started_at[:_DAY]
        if day not in self._days:
            self._days[day] = Expenses()
        self._days[day].add(line)

    def total(self) -> Expenses:
        """Over all days."""
        return merged(self._days.values())

    def figures(self) -> Mapping[str, Figures]:
        """By the day, as the spend store keeps them."""
        return {day: expenses.figures() for day, expenses in self._days.items()}


class SessionTally:
    """What this session has done so far."""

    def __init__(self) -> None:
        self.days = DailyExpenses()
        self.skipped = 0
        self.left = 0
        """Rows that the session passes over though they have no outcome: a retry asks only some rows."""
        self.rejected = 0
        self.answered = 0
        self.reused = 0
        self.from_earlier_runs = 0
        self.failed = 0
        self.review = 0
        self.lost = 0
        """Rows whose outcome could not be kept."""

    @property
    def expenses(self) -> Expenses:
        """What its rows came to."""
        return self.days.total()

    def add(self, line: LedgerLine) -> None:
        """Count what a line cost."""
        self.days.add(line)

    def settle(self, line: LedgerLine, *, was_asked: bool = False) -> None:
        """Count a row that has just reached its outcome, which this line is; an abandoned one has none.

        Args:
            line: the outcome.
            was_asked: whether a request was sent about this very row, also where an earlier answer has the last word.
        """
        if line.is_abandoned:
            return
        self.answered += 1
        self.reused += line.source == "reused" and not was_asked
        self.from_earlier_runs += line.reused_from is not None
        self.failed += line.status == FAILED
        self.review += line.status == REVIEW


def merged(expenses: Iterable[Expenses]) -> Expenses:
    """The sums of several."""
    total = Expenses()
    for one in expenses:
        total.merge(one)
    return total


_DAY = len("2026-11-25")
