"""Decides which arms process a row: the canary or the control, then others if confidence is low."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from msgspec.structs import replace

from llmbatch.core.ledger_line import CANARY, FAILED, LedgerLine
from llmbatch.core.rows import Row
from llmbatch.engine.experiments.canary import Canary
from llmbatch.engine.packing.worker import PackWorker
from llmbatch.engine.reused_line import without_cost
from llmbatch.engine.row_worker import RowWorker
from llmbatch.engine.second_opinion import SecondOpinion
from llmbatch.engine.sinks import Outcomes

Worker = RowWorker | PackWorker
"""A worker for single rows or for packs."""


@dataclass(frozen=True, slots=True)
class CanaryArm:
    """A canary, its worker, and the key of a text under its plan."""

    canary: Canary
    row_worker: Worker
    key_of: Callable[[str], str]


class Cascade:
    """Sends a row to one arm after another until its outcome is final.

    A canary's answers also count for its own plan, under that plan's key, so that adopting the plan does not pay for
    any row twice.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        control: Worker,
        *,
        canary_arm: CanaryArm | None = None,
        second_opinion: SecondOpinion | None = None,
        is_doubtful: Callable[[LedgerLine], bool],
    ) -> None:
        """`is_doubtful`: whether a row with this latest line needs a second opinion."""
        self._outcomes = outcomes
        self._control = control
        self._canary_arm = canary_arm
        self._second_opinion = second_opinion
        self._is_doubtful = is_doubtful
        self._row_workers = [
            control,
            *([canary_arm.row_worker] if canary_arm else []),
            *(second_opinion.row_workers if second_opinion else []),
        ]

    @property
    def labelled(self) -> int:
        """Rows that got a label in this session."""
        return sum(row_worker.labelled for row_worker in self._row_workers)

    @property
    def waiting(self) -> int:
        """Rows that wait for their next attempt."""
        return sum(row_worker.waiting for row_worker in self._row_workers)

    @property
    def next_try_s(self) -> float:
        """Seconds until the first waiting row is sent again; 0 if none waits."""
        return min((one.next_try_s for one in self._row_workers if one.waiting), default=0.0)

    @property
    def retry_kind(self) -> str:
        """The kind of failure that rows are waiting to retry; empty if none waits."""
        return next((one.latest_kind for one in self._row_workers if one.waiting), "")

    @property
    def retries(self) -> int:
        """Attempts that were repeated."""
        return sum(row_worker.retries for row_worker in self._row_workers)

    def flush(self) -> None:
        """No more rows for now: send those waiting to share a request."""
        for row_worker in self._row_workers:
            if isinstance(row_worker, PackWorker):
                row_worker.flush()

    async def ask(self, row: Row, key: str) -> AsyncIterator[LedgerLine]:
        """Yield each ledger line of the row, the last being its outcome. None if it stays pending."""
        line = self._earlier(key)
        if line is None:
            async for line in self._answers(row, key):
                yield line
        if line is None or self._second_opinion is None or not self._is_doubtful(line):
            return
        latest = line
        async for latest in self._second_opinion.ask(row, key, line):
            yield latest
        if line.arm == CANARY and latest is not line:
            self._keep_for_canary(row, latest)

    async def _answers(self, row: Row, key: str) -> AsyncIterator[LedgerLine]:
        failed_before = self._failed_before(key)
        canary_arm = self._canary_arm
        if canary_arm is not None and canary_arm.canary.takes(row):
            own_key = canary_arm.key_of(row.text)
            if (known := known_to_canary(self._outcomes, own_key, row, key)) is not None:
                yield known
                return
            if (line := await canary_arm.row_worker.ask(row, key, failed_before=failed_before)) is not None:
                yield line
                if line.status != FAILED:
                    self._keep_for_canary(row, line)
                    return
        if (line := await self._control.ask(row, key, failed_before=failed_before)) is not None:
            yield line

    def _failed_before(self, key: str) -> str | None:
        """How the row failed in an earlier session, if it did."""
        latest = self._outcomes.latest(key)
        return None if latest is None or latest.error is None else latest.error.kind

    def _earlier(self, key: str) -> LedgerLine | None:
        """The answer from an earlier session, if the row only awaits the second opinion."""
        if self._second_opinion is None or not self._outcomes.is_done(key):
            return None
        return self._outcomes.latest(key)

    def _keep_for_canary(self, row: Row, line: LedgerLine) -> None:
        if self._canary_arm is not None:
            self._outcomes.append(replace(without_cost(line), key=self._canary_arm.key_of(row.text)))


def known_to_canary(outcomes: Outcomes, own_key: str, row: Row, key: str) -> LedgerLine | None:
    """An earlier answer to a row's text under the canary plan's own key; None if there is none."""
    earlier = outcomes.latest(own_key) if outcomes.is_done(own_key) else None
    if earlier is None:
        return None
    return replace(without_cost(earlier), key=key, row=row.index, id=row.id, flags=row.flags, arm=CANARY)
