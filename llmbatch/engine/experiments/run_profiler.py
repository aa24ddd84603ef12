"""Builds a run's profile as its lines arrive, and reports the shift from another run."""

from pathlib import Path

from llmbatch.core.ledger_line import CONTROL, LedgerLine
from llmbatch.observe.summary import DriftReport
from llmbatch.stats.profile import Asked, FirstOutcomes, PartsOf, Profile, Profiler, one_label
from llmbatch.stats.shifts import shifts


class RunStatisticsCollector:
    """Summarises the answers of a run's own prompt and model to the rows assigned to them from the start.

    Rows of experiments are left out, as are rows that a canary failed first.
    """

    def __init__(self, asked: Asked, parts_of: PartsOf = one_label) -> None:
        self._asked = asked
        self._profiler = Profiler(parts_of)
        self._outcomes = FirstOutcomes()

    def watch(self, line: LedgerLine) -> None:
        """Count a line."""
        if self._outcomes.is_first(line) and line.arm == CONTROL and Asked.of(line) == self._asked:
            self._profiler.add(line)

    def profile(self) -> Profile:
        """The figures so far."""
        return self._profiler.profile()


def drift_report(against: Path, before: Profile, after: Profile, *, fails: bool = False) -> DriftReport:
    """The shift since the run in the folder `against`; with `fails`, a significant shift counts as a failure."""
    return DriftReport(str(against), before.rows, after.rows, shifts(before, after), fails)
