"""A failed request: its kind, the action to take, and whether it may cost money. `judge.py` classifies them."""

from dataclasses import dataclass
from enum import Enum

from llmbatch.core.errors import ExitCode


class Action(Enum):
    """What to do after a failure."""

    RETRY = "retry"
    """Retry after a back-off; uses up an attempt."""
    THROTTLE = "throttle"
    """All rows wait, then retry; uses up no attempt, since the server did not accept the request."""
    REASK = "reask"
    """The answer was unusable: re-ask at once, if allowed."""
    ADAPT = "adapt"
    """The endpoint rejects a parameter: retry with the next known shape, else as `once_working` or STOP."""
    FAIL = "fail"
    """Fail the row: the same request would fail again."""
    STOP = "stop"
    """Stop the run: all rows would fail the same way."""


class Billed(Enum):
    """Whether a failed request may cost money."""

    NO = "no"
    UNKNOWN = "unknown"
    """It may have been processed: its reservation stays charged."""
    YES = "yes"
    """An answer with usage arrived; that is what is charged."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request, classified."""

    kind: str
    """The failure kind, as shown in the ledger and used in `--only`."""
    action: Action
    message: str
    """The message from the server or from llmbatch, not yet redacted."""
    billed: Billed = Billed.NO
    status: int | None = None
    code: str | None = None
    parameter: str | None = None
    """Our parameter that was rejected."""
    request_id: str | None = None
    wait_s: float | None = None
    """The wait requested by the server, in seconds; None if not stated readably."""
    window: int | None = None
    """The model's context window in tokens, if the error states it."""
    slow_down: bool = False
    may_be_outage: bool = False
    """Not the row's fault: many of these with no answer in between mean that the endpoint is down."""
    nobody_served: bool = False
    """The server itself says that it is unavailable: rows wait, and one probe at a time is sent."""
    patience: float = 1.0
    """Factor on the usual back-off."""
    is_of_this_machine: bool = False
    """The request could not be sent for lack of local resources: neither the row nor the endpoint is at fault."""
    hint: str | None = None
    """What the user can do, if the kind alone does not say so."""
    is_without_capacity: bool = False
    """The service tier has no capacity: the row keeps retrying as long as the run may wait."""
    alike_stops: int | None = None
    """How many different rows failing this way in succession stop the run; more if such failures occur now and then
    (None: never)."""
    repeats: int | None = None
    """How often a row may be sent again after this failure; None: as often as the run allows."""
    once_working: "Failure | None" = None
    """How it is classified once the endpoint has answered other rows: usually as this row's own failure."""
    exit_code: ExitCode = ExitCode.GUARD


class RequestFailedError(Exception):
    """A request that failed, or whose answer was unusable."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
