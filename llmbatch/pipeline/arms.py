"""Which arm a row is asked of: the canary or the control, and the stronger model where the answer is doubtful."""

from collections.abc import AsyncIterator

from msgspec.structs import replace

from llmbatch.ledger.line import FAILED, LedgerLine
from llmbatch.ledger.log import Ledger
from llmbatch.pipeline.asker import Asker
from llmbatch.pipeline.trial.canary import Canary
from llmbatch.pipeline.trial.escalation import is_doubtful
from llmbatch.rows import Row


class Arms:
    """Asks a row of one arm after another, until one has the last word."""

    def __init__(
        self,
        ledger: Ledger,
        control: Asker,
        *,
        canary: tuple[Canary, Asker] | None = None,
        escalation: Asker | None = None,
        review_below: float,
    ) -> None:
        """`review_below`: confidence (0..1) under which the stronger model is asked."""
        self._ledger = ledger
        self._control = control
        self._canary = canary
        self._escalation = escalation
        self._review_below = review_below
        self._askers = [control, *([canary[1]] if canary else []), *([escalation] if escalation else [])]

    @property
    def labelled(self) -> int:
        """Rows that got a label in this session."""
        return sum(asker.labelled for asker in self._askers)

    @property
    def waiting(self) -> int:
        """Rows that wait for their next attempt."""
        return sum(asker.waiting for asker in self._askers)

    @property
    def retries(self) -> int:
        """Attempts that were repeated."""
        return sum(asker.retries.total() for asker in self._askers)

    async def ask(self, row: Row, key: str) -> AsyncIterator[LedgerLine]:
        """Each line that the row comes to; the last one is its outcome. None at all where it stays undone."""
        line = self._doubtful(key)
        if line is None:
            async for line in self._answers(row, key):
                yield line
        if line is None or self._escalation is None or not is_doubtful(line, self._review_below):
            return
        stronger = await self._escalation.ask(row, key)
        if stronger is None:
            return
        yield stronger
        if stronger.status == FAILED:
            yield without_cost(line)  # what was known before has the last word

    async def _answers(self, row: Row, key: str) -> AsyncIterator[LedgerLine]:
        failed_before = self._failed_before(key)
        if self._canary is not None:
            canary, asker = self._canary
            if canary.takes(row) and (line := await asker.ask(row, key, failed_before=failed_before)) is not None:
                yield line
                if line.status != FAILED:
                    return
        if (line := await self._control.ask(row, key, failed_before=failed_before)) is not None:
            yield line

    def _failed_before(self, key: str) -> str | None:
        """How the row failed in an earlier session, where it did."""
        latest = self._ledger.latest(key)
        return None if latest is None or latest.error is None else latest.error.kind

    def _doubtful(self, key: str) -> LedgerLine | None:
        """The answer that an earlier session had, where it only waits for the stronger model."""
        if self._escalation is None or not self._ledger.is_done(key):
            return None
        return self._ledger.latest(key)


def without_cost(line: LedgerLine) -> LedgerLine:
    """The same outcome, for which nothing is paid again."""
    return replace(
        line,
        source="reused",
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
