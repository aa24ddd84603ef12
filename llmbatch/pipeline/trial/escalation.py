"""Doubtful rows asked again of a stronger model: what that came to."""

from llmbatch.drift.profile import Profile, Profiler
from llmbatch.ledger.line import CONTROL, ESCALATION, FAILED, LedgerLine
from llmbatch.summary import EscalationReport


def is_doubtful(line: LedgerLine | None, review_below: float) -> bool:
    """Whether a row would go to a person although the stronger model has not been asked about it."""
    if line is None or line.arm == ESCALATION or line.confidence is None:
        return False
    return line.confidence < review_below


class Escalation:
    """Counts rows that went to the stronger model. Fed with a run's earlier lines too."""

    def __init__(self, model: str, review_below: float) -> None:
        """`review_below`: confidence (0..1) under which a row goes to people."""
        self._model = model
        self._review_below = review_below
        self._arms = {CONTROL: Profiler(), ESCALATION: Profiler()}
        self._settled = 0

    def watch(self, line: LedgerLine) -> None:
        """Take note of a line in either arm."""
        if (profiler := self._arms.get(line.arm)) is None or (line.arm == ESCALATION and line.model != self._model):
            return
        profiler.add(line)
        if line.arm == ESCALATION and line.source == "api" and line.status != FAILED:
            self._settled += line.confidence is not None and line.confidence >= self._review_below

    def report(self) -> EscalationReport:
        """How many rows, what became of them, and what asking the stronger model about all rows would have cost."""
        control, stronger = (self._arms[arm].profile() for arm in (CONTROL, ESCALATION))
        return EscalationReport(
            model=self._model,
            rows=stronger.rows,
            settled=self._settled,
            cost_nusd=stronger.cost_nusd,
            saved_nusd=_saved_nusd(control, stronger),
        )


def _saved_nusd(control: Profile, stronger: Profile) -> int | None:
    """Against asking the stronger model about every row at what it costs for one of these."""
    a_row_nusd = stronger.cost_per_row_nusd
    if a_row_nusd is None or control.cost_nusd is None or stronger.cost_nusd is None:
        return None
    return round(a_row_nusd * control.rows) - control.cost_nusd - stronger.cost_nusd
