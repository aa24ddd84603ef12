"""What all tests share: cache and state folders of their own, so that they neither use nor change the user's."""

import os
import signal
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.e2e.forked import SERVERS, start_forked
from tests.e2e.program import environment

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each program that a test starts compiles a thousand modules

settings.register_profile("llmbatch", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("llmbatch")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it puts into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """Half of a test's time it waits for the disk, or for a program that waits."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Start what the workers' commands are forked from: once for all of them."""
    if not hasattr(config, "workerinput") and config.getoption("numprocesses", None):
        folder, end = start_forked(environment())
        os.environ[SERVERS] = str(folder)
        config.add_cleanup(end)


@pytest.fixture(scope="session", autouse=True)
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One for all workers: what one has counted, the programs of all find."""
    os.environ["XDG_CACHE_HOME"] = str(_shared(tmp_path_factory) / "cache")


@pytest.fixture(scope="session", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["XDG_STATE_HOME"] = str(_shared(tmp_path_factory) / "state")


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
