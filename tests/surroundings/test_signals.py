"""Signals end commands in order, also where the program is process 1, as in a container."""

import fcntl
import os
import signal
import subprocess
import termios
from array import array
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import PROGRAM, accounted, documents, environment, ledger_lines, wait_until, write_rows
from tests.surroundings.conftest import Shell, needs_root


@needs_root
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_process_one_ends_in_order(shell: Shell, endpoint: StartEndpoint, number: signal.Signals, code: int) -> None:
    """The kernel would drop a signal that process 1 does not handle."""
    write_rows(shell.folder / "docs.jsonl", documents(60))
    url = endpoint("--latency", "0.05").url
    process = shell.start(
        f"exec unshare --pid --fork --kill-child $LLMBATCH classify docs.jsonl --concurrency 2 --base-url {url}"
    )
    run = shell.folder / "docs.llmbatch"
    wait_until(lambda: ledger_lines(run) >= 2, process)
    os.kill(_child_of(process.pid), number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert len(accounted(run)) == ledger_lines(run) >= 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_command_that_is_no_run_ends_in_order_too(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """`estimate` has read what there is, and waits for more."""
    process = subprocess.Popen(
        [*PROGRAM, "estimate", "-"],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write('{"text": "a"}\n')
    process.stdin.flush()
    wait_until(lambda: _unread(process.stdin) == 0, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False), err
    assert "interrupted" in err


def _unread(pipe: IO[str] | None) -> int:
    """Bytes that wait in a pipe."""
    assert pipe is not None
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def _child_of(parent: int) -> int:
    return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])
