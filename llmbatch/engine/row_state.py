"""The state of a row in flight."""

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
    """A row's attempts so far. Only the row's own task modifies it."""

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
    """Its sequence number among the session's rows of the same arm; negative for a pack."""
    failed_before: str | None = None
    """How it failed in an earlier session, if it did."""
    refusal: Failure | None = None
    """The refusal that stopped the run, if the row itself may be at fault."""
    room: int = 0
    """Output limit of its next answer, if one was cut off; at least the run's own limit."""
    sent_as: RequestShape | None = None
    """The request shape when it was last sent."""

    before: str = ""
    """The text before its document, in the same message."""
    shortlist: Shortlist = NO_SHORTLIST
    """The labels listed in its request, if labels are retrieved for each document."""

    last_sends: tuple[Sent, ...] = ()
    """Its last request, once ended, as in the log of sent requests."""
    shared_sends: int = 0
    """Sends counted by another row, because the request was shared."""
    rows_in_request: int = 1
    """Rows in its last request."""

    def sent(self, nanousd: int, *, ended: bool = False, billed: bool = True) -> tuple[Sent, ...]:
        """Log records of its latest request: before it is sent, or once it has ended."""
        return (Sent(self.key, self.attempts.sends, nanousd, ended, billed),)

    @property
    def latency_s(self) -> float:
        """Seconds from its first send to its end."""
        return 0.0 if self.ended is None else self.ended - self.started

    def end(self) -> None:
        """Mark the row as finished."""
        self.ended = time.perf_counter()

    @property
    def may_have_cost(self) -> bool:
        """Whether it was answered, or may have been billed without an answer."""
        usage = self.bill.usage
        return self.completion is not None or usage.input_tokens > 0 or usage.possibly_billed_requests > 0
