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
        """The latest outcome of a key, None if there is none."""

    def was_written(self, key: str) -> bool:
        """Whether a key has an outcome, from any session."""

    def is_done(self, key: str) -> bool:
        """Whether a key's latest outcome is final and not a failure."""

    def is_of_session(self, key: str) -> bool:
        """Whether a key's latest outcome is from this session."""


class Sends(Protocol):
    """Records each request before it is sent, so that it counts even if the process dies before its answer."""

    def record(self, *sent: Sent) -> None:
        """Record a request that is about to be sent, or its outcome, with a record for each of its rows.

        Raises:
            StorageFailed: it could not be recorded, so the request must not be sent.
        """


class NothingKept:
    """For a caller that receives each outcome as it arrives: stores nothing."""

    trouble = None

    def append(self, line: LedgerLine) -> None:
        """Do nothing: the caller has it."""

    def latest(self, key: str) -> LedgerLine | None:  # noqa: ARG002 - the protocol requires it
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
        """Do nothing."""
