"""Errors as library users see them."""

import copy
import pickle

import pytest

from llmbatch.core.errors import (
    ComeBackLater,
    ExitCode,
    FolderBusy,
    Interrupted,
    LLMBatchError,
    RunStopped,
    UsageError,
)

ERRORS = [
    UsageError("bad", hint="do this"),
    RunStopped("stopped", hint="do this", exit_code=ExitCode.GUARD, concerns_model=True),
    ComeBackLater("later", wait_s=3.0, hint="do this"),
    Interrupted("SIGTERM", exit_code=ExitCode.SIGTERM),
    FolderBusy("busy"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: LLMBatchError) -> None:
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(other), vars(other), other.exit_code) == (str(error), vars(error), error.exit_code)
