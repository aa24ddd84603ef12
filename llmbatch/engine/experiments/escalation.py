"""Escalation of low-confidence rows to a stronger model: how many it resolved, and at what cost."""

from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import ESCALATION, FAILED, LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.observe.summary import EscalationReport


class AskedRows:
    """Rows that were sent, each counted once, and the cost of all their lines."""

    def __init__(self) -> None:
        self.rows = 0
        self.cost_nanousd: int | None = 0
        self._failed: set[tuple[int, str]] = set()

    def add(self, line: LedgerLine) -> None:
        """Count a line."""
        place = (line.row, line.key)
        self.rows += place not in self._failed
        if line.status == FAILED:
            self._failed.add(place)
        known = line.cost_nanousd is not None and self.cost_nanousd is not None
        self.cost_nanousd = (self.cost_nanousd or 0) + (line.cost_nanousd or 0) if known else None


class Escalation:
    """Counts rows sent to the stronger model, including those of earlier sessions."""

    def __init__(self, model: str, review: ReviewRule) -> None:
        """`review` decides which rows need review and therefore go to the stronger model first."""
        self._model = model
        self._needs_review = review.needs_review
        self._first, self._stronger = AskedRows(), AskedRows()
        self._settled = 0
        self._answered = KeyIndex()

    def takes(self, line: LedgerLine | None) -> bool:
        """Whether a row with this latest line goes to the stronger model: low confidence, not yet answered by it."""
        if line is None or not self._needs_review(line):
            return False
        return self._answered.get(short(line.key)) is None

    def watch(self, line: LedgerLine) -> None:
        """Count a line of any arm. Low-confidence rows come from both the canary's and the control's arm."""
        is_stronger = line.arm == ESCALATION
        if is_stronger and line.model != self._model:
            return
        if is_stronger and line.status != FAILED:
            self._answered[short(line.key)] = 1
        if line.source == "reused":
            return
        if not is_stronger:
            self._first.add(line)
            return
        self._stronger.add(line)
        if line.status != FAILED:
            self._settled += line.confidence is not None and not self._needs_review(line)

    def report(self) -> EscalationReport:
        """The escalated rows, their outcomes, and what sending all rows to the stronger model would have cost."""
        return EscalationReport(
            model=self._model,
            rows=self._stronger.rows,
            settled=self._settled,
            cost_nanousd=self._stronger.cost_nanousd,
            saved_nanousd=_saved_nanousd(self._first, self._stronger),
        )


def _saved_nanousd(first: AskedRows, stronger: AskedRows) -> int | None:
    """Savings compared with sending every row to the stronger model at the average cost of these."""
    if first.cost_nanousd is None or stronger.cost_nanousd is None or not stronger.rows:
        return None
    return round(stronger.cost_nanousd / stronger.rows * first.rows) - first.cost_nanousd - stronger.cost_nanousd
