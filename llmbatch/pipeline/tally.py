"""Counts of a run while it is under way. Fed with ledger lines, asked for snapshots."""

from collections import Counter

from llmbatch.ledger.line import FAILED, REVIEW, LedgerLine
from llmbatch.prices import Usage
from llmbatch.summary import Spent


class Expenses:
    """Sums tokens and money over ledger lines, exactly."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.cost_nusd: int | None = 0
        self.requests = 0
        self.retries: Counter[str] = Counter()
        self.parse: Counter[str] = Counter()
        self.possibly_billed_nusd = 0
        self.possibly_billed_requests = 0
        self.saved_nusd = 0

    def add(self, line: LedgerLine) -> None:
        """Count one line."""
        self.requests += line.attempts
        self.possibly_billed_nusd += line.possibly_billed_nusd
        self.possibly_billed_requests += line.possibly_billed_attempts
        self.saved_nusd += line.saved_nusd
        self.usage += line.usage
        if line.cost_nusd is None or self.cost_nusd is None:
            self.cost_nusd = None
        else:
            self.cost_nusd += line.cost_nusd
        for retry in line.retries:
            self.retries[retry.error] += 1
        if line.parse is not None and line.source == "api":
            self.parse[line.parse] += 1

    def merge(self, other: "Expenses") -> None:
        """Add the sums of other lines."""
        self.requests += other.requests
        self.possibly_billed_nusd += other.possibly_billed_nusd
        self.possibly_billed_requests += other.possibly_billed_requests
        self.saved_nusd += other.saved_nusd
        self.usage += other.usage
        both_known = self.cost_nusd is not None and other.cost_nusd is not None
        self.cost_nusd = (self.cost_nusd or 0) + (other.cost_nusd or 0) if both_known else None
        self.retries += other.retries
        self.parse += other.parse

    def spent(self) -> Spent:
        """The sums so far."""
        usage = self.usage
        return Spent(
            requests=self.requests,
            input_tokens=usage.input_tokens,
            cached_input_tokens=usage.cached_input_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            cost_nusd=self.cost_nusd,
            possibly_billed_nusd=self.possibly_billed_nusd,
            possibly_billed_requests=self.possibly_billed_requests,
            saved_nusd=self.saved_nusd,
        )


class SessionTally:
    """What this session has done so far."""

    def __init__(self) -> None:
        self.expenses = Expenses()
        self.skipped = 0
        self.rejected = 0
        self.answered = 0
        self.reused = 0
        self.from_earlier_runs = 0
        self.failed = 0
        self.review = 0

    def add(self, line: LedgerLine) -> None:
        """Count a row that has just reached a final outcome."""
        self.expenses.add(line)
        self.answered += 1
        self.reused += line.source == "reused"
        self.from_earlier_runs += line.reused_from is not None
        self.failed += line.status == FAILED
        self.review += line.status == REVIEW
