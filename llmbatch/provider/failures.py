"""A failed request: what it is called, what it asks for, whether it may cost money. `judge.py` decides on each."""

from dataclasses import dataclass
from enum import Enum

from llmbatch.core.errors import ExitCode


class Action(Enum):
    """What a failure asks for."""

    RETRY = "retry"
    """Again later, after a back-off; uses up an attempt."""
    THROTTLE = "throttle"
    """Everyone waits, then again; uses up no attempt, since the server did not take the request."""
    REASK = "reask"
    """The answer was unusable: re-ask at once, where that is allowed."""
    ADAPT = "adapt"
    """The endpoint refuses a parameter: once more with the next known shape, else as `once_working` or STOP."""
    FAIL = "fail"
    """This row is done for; the same request would fail again."""
    STOP = "stop"
    """All rows would fail alike: send nothing more."""


class Billed(Enum):
    """Whether a failed request may cost money."""

    NO = "no"
    UNKNOWN = "unknown"
    """It may have been worked on: its reservation stays charged."""
    YES = "yes"
    """An answer with usage came; it is charged by that."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed request, judged."""

    kind: str
    """The name that users meet in the ledger and in `--only`."""
    action: Action
    message: str
    """The server's own or ours, not yet redacted."""
    billed: Billed = Billed.NO
    status: int | None = None
    code: str | None = None
    parameter: str | None = None
    """Of ours, that is refused."""
    request_id: str | None = None
    wait_s: float | None = None
    """What the server asks to wait, seconds; None where it names nothing readable."""
    window: int | None = None
    """The model's context window in tokens, where the refusal states it."""
    slow_down: bool = False
    may_be_outage: bool = False
    """Not this row's fault: many of these with no answer between them mean that the endpoint is down."""
    nobody_served: bool = False
    """The server itself says that it is unavailable: rows wait, and one probe at a time is sent."""
    patience: float = 1.0
    """How many times the usual back-off this row waits."""
    is_of_this_machine: bool = False
    """The request could not leave, for want of something here: neither its row nor the endpoint is to blame."""
    hint: str | None = None
    """What the user can do, where the kind alone does not say it."""
    is_without_capacity: bool = False
    """The service tier has nothing free: a row bears that for as long as the run may wait, however often it is said."""
    alike_stops: int | None = None
    """How many different rows in a row that fail like this stop the run, or more where rows fail like this now and then
    (None: never)."""
    repeats: int | None = None
    """How often a row may be sent again after this failure; None: as often as the run allows."""
    once_working: "Failure | None" = None
    """What it is once the endpoint has answered other rows: most often this row's own failure."""
    exit_code: ExitCode = ExitCode.GUARD


class RequestFailedError(Exception):
    """A request that failed, or whose answer was unusable."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
