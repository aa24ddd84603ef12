"""Doubtful rows sent to a stronger model: how many it settled, and at what cost."""

from llmbatch.core.key_index import KeyIndex, short
from llmbatch.core.ledger_line import ESCALATION, FAILED, LedgerLine
from llmbatch.core.review_rule import ReviewRule
from llmbatch.observe.summary import EscalationReport


class AskedRows:
    """Rows that were asked about, each counted once, and what all their lines cost."""

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
    """Counts rows that went to the stronger model. Fed with a run's earlier lines too."""

    def __init__(self, model: str, review: ReviewRule) -> None:
        """`review`: which rows need it, and so go to the stronger model before."""
        self._model = model
        self._needs_review = review.needs_review
        self._first, self._stronger = AskedRows(), AskedRows()
        self._settled = 0
        self._answered = KeyIndex()

    def takes(self, line: LedgerLine | None) -> bool:
        """Whether a row whose latest line this is goes to the stronger model: in doubt, and not answered by it yet."""
        if line is None or not self._needs_review(line):
            return False
        return self._answered.get(short(line.key)) is None

    def watch(self, line: LedgerLine) -> None:
        """Take note of a line in any arm. Doubtful rows come from the canary's arm as well as from the control's."""
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
        """How many rows, what became of them, and what asking the stronger model about all rows would have cost."""
        return EscalationReport(
            model=self._model,
            rows=self._stronger.rows,
            settled=self._settled,
            cost_nanousd=self._stronger.cost_nanousd,
            saved_nanousd=_saved_nanousd(self._first, self._stronger),
        )


def _saved_nanousd(first: AskedRows, stronger: AskedRows) -> int | None:
    """Against asking the stronger model about every row at what it costs for one of these."""
    if first.cost_nanousd is None or stronger.cost_nanousd is None or not stronger.rows:
        return None
    return round(stronger.cost_nanousd / stronger.rows * first.rows) - first.cost_nanousd - stronger.cost_nanousd
