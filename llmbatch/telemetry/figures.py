"""A session's counts so far, from which metrics are computed."""

from collections import Counter

from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.money import to_usd
from llmbatch.core.review_rule import ReviewRule
from llmbatch.core.usage import UsageTotals
from llmbatch.observe.progress import Progress


class Figures:
    """Counts rows as they get their outcome. Takes a microsecond per row, and is only used if metrics are requested."""

    def __init__(self) -> None:
        self.review = ReviewRule(0.0)
        """Decides which rows count as in review."""
        self.rows: Counter[tuple[str, str]] = Counter()
        """By status and failure kind, which is empty for rows with a label."""
        self.retries: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        """By how they were parsed; answers that were re-asked are among the retries."""
        self.usage = UsageTotals()
        self.latency_s = 0.0
        """Sum over the rows that were sent."""
        self.asked = 0
        self.progress = Progress()

    @property
    def cost_usd(self) -> float | None:
        """Cost of the answers in US dollars; None if a price is unknown."""
        return None if self.usage.cost_nanousd is None else to_usd(self.usage.cost_nanousd)

    def add(self, line: LedgerLine) -> None:
        """Count a row."""
        self.rows[self.review.status(line), line.error.kind if line.error else ""] += 1
        if line.source == "reused":
            return
        self.asked += 1
        self.latency_s += line.latency_s
        self.usage += line.totals
        for retry in line.retries:
            self.retries[retry.error] += 1
        if line.parse is not None:
            self.answers[line.parse] += 1
