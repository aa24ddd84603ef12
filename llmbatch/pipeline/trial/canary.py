"""A new prompt or model on trial: which rows it gets, and whether it is dropped or gets more."""

import hashlib
from collections.abc import Callable

from llmbatch.drift.profile import Asked, Profiler
from llmbatch.drift.shifts import shifts
from llmbatch.drift.significance import always_valid_bounds
from llmbatch.events import CanaryDropped, CanaryExpanded, Event
from llmbatch.ledger.line import CANARY, CONTROL, LedgerLine
from llmbatch.progress import CanaryProgress
from llmbatch.rows import Row
from llmbatch.summary import CanaryReport

_ALPHA = 0.05 / 4
"""For each bound: two figures, two arms; so a canary that is as good is dropped in at most 5 of 100 runs."""
_LOOK_EVERY = 10
"""Canary rows between two looks: the bounds hold whenever one looks, and cost something."""
_STEP_ROWS = 100
"""Canary rows that must hold before the share doubles."""
_LARGEST_SHARE = 0.5
"""The control must stay large enough to compare with."""
_HOLDS_WITHIN = 0.02
"""How much worse a rate may be for the share to double all the same."""
_POINTS = 1 << 64


class Canary:
    """Routes rows and watches both arms. Fed with a run's earlier lines, it stands where the run stood."""

    def __init__(
        self, control: Asked, canary: Asked, *, share: float, expand: bool, tell: Callable[[Event], None]
    ) -> None:
        """`share` (0..1) of the rows go to the canary; with `expand` it doubles step by step while it holds."""
        self._asked = {CONTROL: control, CANARY: canary}
        self._expand = expand
        self._tell = tell
        self._arms = {CONTROL: Profiler(), CANARY: Profiler()}
        self._held_since = 0
        self.share = share
        self.dropped: str | None = None
        """Why it was dropped; None while it is on trial."""

    def takes(self, row: Row) -> bool:
        """Whether the row is the canary's. A row's arm hangs on its id alone, and a larger share only adds rows."""
        return self.dropped is None and _point(row) < self.share * _POINTS

    def watch(self, line: LedgerLine) -> None:
        """Take note of a row's outcome in either arm; drops the canary, or gives it more."""
        if self._asked.get(line.arm) != Asked.of(line):
            return  # of another trial, or asked otherwise
        profiler = self._arms[line.arm]
        profiler.add(line)
        if self.dropped is None and line.arm == CANARY and profiler.rows % _LOOK_EVERY == 0:
            self._look()

    def is_dropped(self) -> bool:
        """Whether it gets no more rows."""
        return self.dropped is not None

    def drop(self, reason: str) -> None:
        """Send it nothing more; its rows go to the control."""
        if self.dropped is None:
            self.dropped = reason
            self._tell(CanaryDropped(reason))

    def report(self) -> CanaryReport:
        """What both arms have come to, and in what they differ."""
        control, canary = (self._arms[arm].profile() for arm in (CONTROL, CANARY))
        asked = self._asked[CANARY]
        return CanaryReport(
            asked.prompt, asked.model, self.share, self.dropped, control, canary, shifts(control, canary)
        )

    def progress(self) -> CanaryProgress:
        """How it stands."""
        control, canary = self._arms[CONTROL], self._arms[CANARY]
        return CanaryProgress(
            canary.rows,
            canary.useless + canary.failed,
            control.rows,
            control.useless + control.failed,
            dropped=self.dropped is not None,
        )

    def _look(self) -> None:
        control, canary = self._arms[CONTROL], self._arms[CANARY]
        figures = {
            "gave no usable answer": (control.useless, canary.useless),
            "failed": (control.failed, canary.failed),
        }
        for what, (bad, canary_bad) in figures.items():
            _, at_most = always_valid_bounds(bad, control.rows, _ALPHA)
            at_least, _ = always_valid_bounds(canary_bad, canary.rows, _ALPHA)
            if at_least > at_most:
                self.drop(
                    f"{canary_bad} of its {canary.rows} rows {what} ({canary_bad / canary.rows:.1%}), "
                    f"of the control's {bad} of {control.rows} ({bad / control.rows:.1%})"
                )
                return
        if self._expand and self._holds(*figures.values()):
            self._step()

    def _holds(self, *figures: tuple[int, int]) -> bool:
        control, canary = self._arms[CONTROL], self._arms[CANARY]
        if canary.rows - self._held_since < _STEP_ROWS or not control.rows:
            return False
        return all(worse / canary.rows <= bad / control.rows + _HOLDS_WITHIN for bad, worse in figures)

    def _step(self) -> None:
        self._held_since = self._arms[CANARY].rows
        share = min(self.share * 2, max(_LARGEST_SHARE, self.share))
        if share > self.share:
            self.share = share
            self._tell(CanaryExpanded(share))


def _point(row: Row) -> int:
    digest = hashlib.blake2b(repr(row.id).encode("utf-8", "replace"), digest_size=8, person=b"canary")
    return int.from_bytes(digest.digest(), "big")
