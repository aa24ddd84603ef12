"""The errors that calls from Python raise, each with a `message`, a `hint` (what to do next) and an `exit_code`."""

from llmbatch.core.errors import (
    BudgetReached,
    ComeBackLater,
    ExitCode,
    FolderBusy,
    Interrupted,
    LLMBatchError,
    RunStopped,
    StorageFailed,
    UsageError,
)

__all__ = [
    "BudgetReached",
    "ComeBackLater",
    "ExitCode",
    "FolderBusy",
    "Interrupted",
    "LLMBatchError",
    "RunStopped",
    "StorageFailed",
    "UsageError",
]
