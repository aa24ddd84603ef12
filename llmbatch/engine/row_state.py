"""A row in flight: what its attempts have come to so far."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from llmbatch.core.ledger_line import Retry
from llmbatch.core.rows import Row
from llmbatch.core.sent import Sent
from llmbatch.engine.budget.bill import Bill
from llmbatch.provider.completion import Completion
from llmbatch.provider.failures import Failure
from llmbatch.provider.retry import Attempts
from llmbatch.provider.shape import RequestShape
from llmbatch.task.candidates import NO_SHORTLIST, Shortlist


@dataclass(slots=True)
class RowState:
    """What a row's attempts have come to so far. Only its own task touches it."""

    row: Row
    key: str
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was first sent; waiting for a slot does not count."""
    started: float = field(default_factory=time.perf_counter)
    ended: float | None = None
    attempts: Attempts = field(default_factory=Attempts)
    retries: list[Retry] = field(default_factory=list)
    bill: Bill = field(default_factory=Bill)
    completion: Completion | None = None
    number: int = -1
    """Its place among the rows that this session asks of the same arm; below 0 for what is no row, but several."""
    failed_before: str | None = None
    """How it failed in an earlier session, where it did."""
    refusal: Failure | None = None
    """What it was refused with, where that stopped the run and may be the row's own fault."""
    room: int = 0
    """Output tokens that its next answer may have, where one was cut; the run's own limit where that is more."""
    sent_as: RequestShape | None = None
    """The shape that the plan's requests had when it was last sent."""

    before: str = ""
    """What stands before its document, in the same message."""
    shortlist: Shortlist = NO_SHORTLIST
    """The labels that its request lists, where they are retrieved for each document."""

    last_sends: tuple[Sent, ...] = ()
    """Its last request, once that has ended, as the log of what was sent has it."""
    shared_sends: int = 0
    """Of its sends, those whose request another row counts, since it asked about several."""
    rows_in_request: int = 1
    """Rows that its last request asked about."""

    def sent(self, nanousd: int, *, ended: bool = False, billed: bool = True) -> tuple[Sent, ...]:
        """Its latest request as the log of what was sent has it: before it leaves, or once it has ended."""
        return (Sent(self.key, self.attempts.sends, nanousd, ended, billed),)

    @property
    def latency_s(self) -> float:
        """From its first send to its end."""
        return 0.0 if self.ended is None else self.ended - self.started

    def end(self) -> None:
        """It has its outcome now."""
        self.ended = time.perf_counter()

    @property
    def may_have_cost(self) -> bool:
        """Whether it was answered, or may have been billed without an answer."""
        return self.completion is not None or self.bill.usage.possibly_billed_requests > 0
