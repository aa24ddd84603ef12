"""All errors that a user can see, with their exit codes.

LLMBatchError
├── UsageError            2   bad option, task file or input
├── RunStopped            4   a guard stopped the run: credentials, quota, model, or persistent failures
│   ├── BudgetReached     5
│   ├── Interrupted     130   SIGINT; 143 for SIGTERM, 129 for SIGHUP
│   ├── ComeBackLater     7   the server asks for a longer wait than is allowed
│   │   └── BatchesPending    rows are at the provider in batches
│   └── StorageFailed     8   our own files can no longer be written
└── FolderBusy            6   another process is using the run folder

Raised where the cause is known; displayed in one place, the command line's `main`.
"""

from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """The process's exit codes."""

    OK = 0
    BUG = 1
    USAGE = 2
    ROWS_FAILED = 3
    GUARD = 4
    BUDGET = 5
    BUSY = 6
    LATER = 7
    STORAGE = 8
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


class LLMBatchError(Exception):
    """Base of all errors that are shown in a line or two, without a traceback.

    `hint` says what to do next; it is shown on a separate line, also below a traceback.
    """

    exit_code: ExitCode = ExitCode.BUG

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)
        self.is_reported = False
        """Whether it has already been shown in some other way."""


class UsageError(LLMBatchError):
    """The command, the task file or the input cannot be used as given."""

    exit_code = ExitCode.USAGE


class RunStopped(LLMBatchError):  # noqa: N818 - a stop is an event, not a program error
    """A guard stopped the run: all further requests would fail in the same way."""

    exit_code = ExitCode.GUARD

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        exit_code: ExitCode | None = None,
        concerns_model: bool = False,
    ) -> None:
        """`concerns_model`: another model or prompt on the same endpoint may still work."""
        super().__init__(message, hint=hint)
        self.concerns_model = concerns_model
        if exit_code is not None:
            self.exit_code = exit_code


class ComeBackLater(RunStopped):
    """The server asks for a longer wait than the run allows.

    `wait_s` is that wait in seconds, if the server stated one.
    """

    exit_code = ExitCode.LATER

    def __init__(self, message: str, *, wait_s: float | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.wait_s = wait_s


class BatchesPending(ComeBackLater):
    """Rows are at the provider in batches: the same command collects them."""


class Interrupted(RunStopped):
    """SIGINT, SIGTERM, SIGHUP or the calling program: the run ended cleanly. `by` names the cause."""

    exit_code = ExitCode.SIGINT

    def __init__(self, by: str, *, hint: str | None = None, exit_code: ExitCode | None = None) -> None:
        super().__init__(f"interrupted by {by}", hint=hint, exit_code=exit_code)
        self.by = by

    def __reduce__(self) -> tuple[Any, ...]:
        """Make it picklable, for process pools and task queues."""
        return type(self), (self.by,), self.__dict__


class Terminated(BaseException):
    """Like `Interrupted`, outside a run: ends the command at once, and is not caught by `except Exception`."""

    def __init__(self, exit_code: ExitCode) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class BudgetReached(RunStopped):
    """The next request could exceed the spending limit."""

    exit_code = ExitCode.BUDGET


class StorageFailed(RunStopped):
    """A file in the run folder, or the spend store, cannot be used: disk full, locked, or an I/O error."""

    exit_code = ExitCode.STORAGE


class FolderBusy(LLMBatchError):  # noqa: N818 - not a program error
    """Another running process is using the run folder."""

    exit_code = ExitCode.BUSY
