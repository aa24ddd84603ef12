"""Which arm a row is asked of: the canary or the control, and the stronger model where the answer is doubtful."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from msgspec.structs import replace

from llmbatch.core.ledger_line import CANARY, FAILED, LedgerLine
from llmbatch.core.rows import Row
from llmbatch.engine.experiments.canary import Canary
from llmbatch.engine.row_worker import RowWorker
from llmbatch.engine.sinks import Outcomes


@dataclass(frozen=True, slots=True)
class CanaryArm:
    """A canary, who asks for it, and the key of a text by its own plan."""

    canary: Canary
    row_worker: RowWorker
    key_of: Callable[[str], str]


class Cascade:
    """Asks a row of one arm after another, until one has the last word.

    What a canary's plan was answered counts for that plan, too, under its own key: taking it over pays for no
    row again.
    """

    def __init__(
        self,
        outcomes: Outcomes,
        control: RowWorker,
        *,
        canary_arm: CanaryArm | None = None,
        escalation: RowWorker | None = None,
        escalates: Callable[[LedgerLine], bool],
    ) -> None:
        """`escalates`: whether a row whose latest line this is goes to the stronger model."""
        self._outcomes = outcomes
        self._control = control
        self._canary_arm = canary_arm
        self._escalation = escalation
        self._escalates = escalates
        self._row_workers = [
            control,
            *([canary_arm.row_worker] if canary_arm else []),
            *([escalation] if escalation else []),
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
        """Seconds until the first of them is sent again; 0 where none waits."""
        return min((one.next_try_s for one in self._row_workers if one.waiting), default=0.0)

    @property
    def retries(self) -> int:
        """Attempts that were repeated."""
        return sum(row_worker.retries.total() for row_worker in self._row_workers)

    async def ask(self, row: Row, key: str) -> AsyncIterator[LedgerLine]:
        """Each line that the row comes to; the last one is its outcome. None at all where it stays undone."""
        line = self._earlier(key)
        if line is None:
            async for line in self._answers(row, key):
                yield line
        if line is None or self._escalation is None or not self._escalates(line):
            return
        stronger = await self._escalation.ask(row, key)
        if stronger is None:
            return
        yield stronger
        if stronger.status == FAILED:
            yield without_cost(line)  # what was known before has the last word
        elif line.arm == CANARY:
            self._keep_for_canary(row, stronger)

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
        """How the row failed in an earlier session, where it did."""
        latest = self._outcomes.latest(key)
        return None if latest is None or latest.error is None else latest.error.kind

    def _earlier(self, key: str) -> LedgerLine | None:
        """The answer that an earlier session had, where the row only waits for the stronger model."""
        if self._escalation is None or not self._outcomes.is_done(key):
            return None
        return self._outcomes.latest(key)

    def _keep_for_canary(self, row: Row, line: LedgerLine) -> None:
        if self._canary_arm is not None:
            self._outcomes.append(replace(without_cost(line), key=self._canary_arm.key_of(row.text)))


def known_to_canary(outcomes: Outcomes, own_key: str, row: Row, key: str) -> LedgerLine | None:
    """What a canary's plan has answered about a row's text before, under its own key; None where it has not."""
    earlier = outcomes.latest(own_key) if outcomes.is_done(own_key) else None
    if earlier is None:
        return None
    return replace(without_cost(earlier), key=key, row=row.index, id=row.id, flags=row.flags, arm=CANARY)


def without_cost(line: LedgerLine) -> LedgerLine:
    """The same outcome, for which nothing is paid again."""
    return replace(
        line,
        source="reused",
        batch=None,
        attempts=0,
        retries=(),
        input_tokens=0,
        cached_input_tokens=0,
        cache_write_tokens=0,
        output_tokens=0,
        reasoning_tokens=0,
        cost_usd=0.0,
        possibly_billed_usd=0.0,
        possibly_billed_attempts=0,
        latency_s=0.0,
        answer=None,
    )
