"""What all tests share: cache and state folders of their own, so that they neither use nor change the user's."""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import settings

from llmbatch.simulate import child
from tests.databases.server import FOLDER, stop_server
from tests.e2e.forked import SERVER, start_forked
from tests.e2e.program import environment, quick_program
from tests.thorough import IS_TORTURE

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each program that a test starts compiles a thousand modules

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # others would only wait in a loop

for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE"):
    os.environ.pop(name, None)  # a machine's own authorities: reading them takes longer than most commands

gc.set_threshold(50_000, 20, 100)  # modules and tests stay, and a look at all of them finds nothing to free

_EXAMPLES = 1_000 if IS_TORTURE else 25
settings.register_profile("llmbatch", deadline=None, max_examples=_EXAMPLES)  # their time is the machine's business
settings.load_profile("llmbatch")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what it puts into the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


_MEMORY, _ROOM_BYTES = Path("/dev/shm"), 4 << 30


def pytest_xdist_auto_num_workers() -> int:
    """More than the machine has cores: a test often waits for the disk, or for a program that waits."""
    return 2 * (os.cpu_count() or 1)


def pytest_configure(config: pytest.Config) -> None:
    """Put the tests' files into memory if there is room, and start what the workers share."""
    if _has_room(_MEMORY):
        os.environ.setdefault("TMPDIR", str(_MEMORY))
        tempfile.tempdir = None
    if hasattr(config, "workerinput"):
        return
    databases = Path(tempfile.mkdtemp(prefix="pg-"))
    os.environ[FOLDER] = str(databases)
    config.add_cleanup(partial(stop_server, databases))
    if config.getoption("numprocesses", None):
        server, end = start_forked(environment())
        os.environ[SERVER] = str(server)
        config.add_cleanup(end)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix the files: those whose tests wait lie together, and the machine would be idle for as long."""
    items.sort(key=lambda item: crc32(item.nodeid.partition("::")[0].encode()))


def pytest_collection_finish() -> None:
    """Look for no garbage among what is loaded and collected."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Nor at the end."""
    gc.freeze()


def _has_room(folder: Path) -> bool:
    """Whether programs may be put into a folder, and as much as a test run writes."""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return not found.f_flag & os.ST_NOEXEC and found.f_bavail * found.f_frsize > _ROOM_BYTES


@pytest.fixture(scope="session", autouse=True)
def _cache_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One for all workers: what one has counted, the programs of all find."""
    os.environ["XDG_CACHE_HOME"] = str(_shared(tmp_path_factory) / "cache")


@pytest.fixture(scope="module", autouse=True)
def _state_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each file of tests has its own: each run checks all that was spent before."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session", autouse=True)
def _forked_endpoints() -> Iterator[None]:
    """Fork the offline endpoints of runs in the tests' own process, as those of forked commands are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "own_command", lambda *arguments: [*quick_program(), *arguments])
        yield


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
