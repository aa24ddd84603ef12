"""One process per run folder."""

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from llmbatch.core.errors import ExitCode, FolderBusy
from llmbatch.runs.ledger.lock import locked

HOLD = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from llmbatch.runs.ledger.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> "subprocess.Popen[str]":
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_and_the_holder_is_named(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(FolderBusy, match=f"process {process.pid}") as caught, locked(tmp_path):
            pass
        assert caught.value.exit_code is ExitCode.BUSY
        process.communicate()


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.kill()
        process.wait()
        with locked(tmp_path):
            pass


def test_checking_whether_the_lock_is_held_blocks_no_one(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.touch()

    def watch(file: int) -> None:
        while len([fd for fd in Path("/dev/fd").iterdir() if fd.exists() and fd.samefile(path)]) == 1:
            pass  # until `locked` opens it too
        os.close(file)

    fcntl.flock(watched := os.open(path, os.O_RDONLY), fcntl.LOCK_SH)
    watcher = threading.Thread(target=watch, args=(watched,))
    watcher.start()
    with locked(tmp_path):
        watcher.join()
