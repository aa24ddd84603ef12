"""A canary, that is, a new prompt or model being tested: which rows it gets, and whether it is dropped or expanded."""

from collections.abc import Callable

from llmbatch.core.ledger_line import CANARY, CONTROL, FAILED, LedgerLine
from llmbatch.core.rows import POINTS, Row, point
from llmbatch.observe.events import CanaryDropped, CanaryExpanded, Event
from llmbatch.observe.progress import CanaryProgress
from llmbatch.observe.summary import CanaryReport
from llmbatch.stats.arms import ArmEvidence
from llmbatch.stats.profile import Asked, FirstOutcomes, PartsOf, Profiler, one_label, was_useless
from llmbatch.stats.shifts import shifts

_DROPS_AT = 2 / 0.05
"""Evidence, for either of two figures, at which a canary is dropped: an equally good one is dropped in at most 5 of 100
runs."""
_TOLERATED_RATIO = 3
"""A canary with this many times the control's rate of bad rows must not expand."""
_HOLDS_AT = 10
"""Evidence that its rate is lower: one that is that much worse expands in at most 10 of 100 runs."""
_RATIOS = (1.5, 2, _TOLERATED_RATIO, 5, 10, 20)
_STEP_ROWS = 100
"""Canary rows required before each doubling of its share."""
LARGEST_SHARE = 0.5
"""The control must stay large enough to compare with."""
_PURPOSE = "canary"

_FIGURES: dict[str, Callable[[LedgerLine], bool]] = {
    "gave no usable answer": was_useless,
    "failed": lambda line: line.status == FAILED,
}
"""Ways in which a canary can be worse: a phrase, and a test for a bad row."""


class _Period:
    """Both arms' rows at a constant canary share: only these were processed under the same conditions."""

    def __init__(self, parts_of: PartsOf) -> None:
        self.arms = {CONTROL: Profiler(parts_of), CANARY: Profiler(parts_of)}

    @property
    def rows(self) -> int:
        """Rows of the smaller arm."""
        return min(profiler.rows for profiler in self.arms.values())


class Canary:
    """Routes rows and watches both arms. Given a run's earlier lines, it restores their state."""

    def __init__(
        self,
        control: Asked,
        canary: Asked,
        *,
        share: float,
        expand: bool,
        emit: Callable[[Event], None],
        since: str = "",
        parts_of: PartsOf = one_label,
    ) -> None:
        """`share` (0..1) of the rows go to the canary; with `expand` it doubles step by step while it holds.

        Lines that began before `since` (UTC, in the ledger's format) belong to an experiment with another share.
        `parts_of` splits a row's value into its labels.
        """
        self._asked = {CONTROL: control, CANARY: canary}
        self._expand = expand
        self._emit = emit
        self._since = since
        self._outcomes = FirstOutcomes()
        self._parts_of = parts_of
        self._arms = {CONTROL: Profiler(parts_of), CANARY: Profiler(parts_of)}
        self._period = self._largest_period = _Period(parts_of)
        self._evidence = {what: ArmEvidence(_RATIOS) for what in _FIGURES}
        self._grew_at = 0
        self._batch: str | None = None
        """The current batch, whose answers are compared once all have arrived."""
        self.share = share
        self.dropped: str | None = None
        """Why it was dropped; None if it was not."""

    def takes(self, row: Row) -> bool:
        """Whether the canary gets the row, by its id and text; a larger share only adds rows."""
        return self.dropped is None and point(row, _PURPOSE) < self.share * POINTS

    def watch(self, line: LedgerLine) -> None:
        """Count a row's outcome in either arm; may drop or expand the canary."""
        if line.batch != self._batch and line.source != "reused":
            self.end_batch()
            self._batch = line.batch
        if self._asked.get(line.arm) != Asked.of(line) or line.started_at < self._since:
            return  # from another experiment, or sent differently
        if not self._outcomes.is_first(line):
            return
        self._arms[line.arm].add(line)
        if self.dropped is not None:
            return
        self._period.arms[line.arm].add(line)
        if self._period.rows > self._largest_period.rows:
            self._largest_period = self._period
        is_canary = line.arm == CANARY
        if line.batch is not None:
            for what, is_bad in _FIGURES.items():
                self._evidence[what].add_of_batch(line.row, is_canary=is_canary, is_bad=is_bad(line))
            return
        ends = [self._evidence[what].add(is_canary=is_canary, is_bad=is_bad(line)) for what, is_bad in _FIGURES.items()]
        if any(ends):
            self._look()

    def end_batch(self) -> None:
        """Decide once per batch, when all its answers have arrived."""
        if self._batch is None or self.dropped is not None:
            return
        self._batch = None
        for evidence in self._evidence.values():
            evidence.weigh_batches()
        self._look()

    def is_dropped(self) -> bool:
        """Whether it has been dropped."""
        return self.dropped is not None

    def drop(self, reason: str) -> None:
        """Drop the canary; its rows go to the control."""
        if self.dropped is None:
            self.dropped = reason
            self._emit(CanaryDropped(reason))

    def report(self) -> CanaryReport:
        """The results of both arms, and their differences in the period with the most rows."""
        asked, period = self._asked[CANARY], self._largest_period
        return CanaryReport(
            prompt=asked.prompt,
            model=asked.model,
            share=self.share,
            dropped=self.dropped,
            control=self._arms[CONTROL].profile(),
            canary=self._arms[CANARY].profile(),
            shifts=shifts(*(period.arms[arm].profile() for arm in (CONTROL, CANARY))),
            compared_rows=sum(profiler.rows for profiler in period.arms.values()),
        )

    def progress(self) -> CanaryProgress:
        """The canary's current progress."""
        control, canary = self._arms[CONTROL], self._arms[CANARY]
        return CanaryProgress(
            canary.rows,
            canary.useless + canary.failed,
            control.rows,
            control.useless + control.failed,
            dropped=self.dropped is not None,
        )

    def _look(self) -> None:
        for what, evidence in self._evidence.items():
            if evidence.worse >= _DROPS_AT:
                self.drop(
                    f"{evidence.canary_bad} of {evidence.bad} rows that {what} were the canary's; "
                    f"{evidence.expected:.1f} would be expected if it were as good as the control"
                )
                return
        if self._expand and self._holds():
            self._grow()

    def _holds(self) -> bool:
        """Whether, for each figure, no row is bad or a rate of three times the control's is ruled out."""
        if self._arms[CANARY].rows - self._grew_at < _STEP_ROWS:
            return False
        return all(
            evidence.canary_bad == 0 or evidence.within(_TOLERATED_RATIO) >= _HOLDS_AT
            for evidence in self._evidence.values()
        )

    def _grow(self) -> None:
        share = min(self.share * 2, max(LARGEST_SHARE, self.share))
        if share > self.share:
            self.share, self._grew_at = share, self._arms[CANARY].rows
            self._period = _Period(self._parts_of)
            self._emit(CanaryExpanded(share))
