"""Where the engine stores its results: files of a run folder, or nowhere."""

from typing import Protocol

from llmbatch.core.errors import StorageFailed
from llmbatch.core.ledger_line import LedgerLine
from llmbatch.core.sent import Sent


class Outcomes(Protocol):
    """Stores each row's outcome and finds it by the row's key. A run folder's ledger is one."""

    @property
    def trouble(self) -> StorageFailed | None:
        """Why nothing more may be sent: further outcomes might not be stored."""

    def append(self, line: LedgerLine) -> None:
        """Store a row's outcome.

        Raises:
            StorageFailed: it could not be stored.
        """

    def latest(self, key: str) -> LedgerLine | None:
        """The latest outcome of a key, None where there is none."""

    def was_written(self, key: str) -> bool:
        """Whether a key has an outcome, of whichever session."""

    def is_done(self, key: str) -> bool:
        """Whether a key's latest outcome is final and no failure."""

    def is_of_session(self, key: str) -> bool:
        """Whether a key's latest outcome is of this session."""


class Sends(Protocol):
    """Records each request before it leaves, so that it counts even if the process dies before its answer."""

    def record(self, *sent: Sent) -> None:
        """A request is about to leave, or the outcome of one is known; it has a record for each row that it asks about.

        Raises:
            StorageFailed: it could not be written down, so the request must not leave.
        """


class NothingKept:
    """For a caller that takes each outcome as it arrives: nothing is stored."""

    trouble = None

    def append(self, line: LedgerLine) -> None:
        """The caller has it."""

    def latest(self, key: str) -> LedgerLine | None:  # noqa: ARG002 - as the protocol has it
        """None."""
        return None

    def was_written(self, key: str) -> bool:  # noqa: ARG002
        """False."""
        return False

    def is_done(self, key: str) -> bool:  # noqa: ARG002
        """False."""
        return False

    def is_of_session(self, key: str) -> bool:  # noqa: ARG002
        """False."""
        return False

    def record(self, *sent: Sent) -> None:
        """Not written down."""
