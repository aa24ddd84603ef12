"""Signals end commands cleanly, also if the program is process 1, as in a container."""

import fcntl
import json
import os
import signal
import subprocess
import termios
from array import array
from pathlib import Path
from typing import IO

import pytest

from tests.e2e.conftest import StartEndpoint
from tests.e2e.program import PROGRAM, Program, accounted, documents, environment, ledger_lines, wait_until, write_rows
from tests.surroundings.conftest import Shell, needs_root
from tests.thorough import IS_TORTURE


@needs_root
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)][: 3 if IS_TORTURE else 1]
)
def test_process_one_ends_cleanly(shell: Shell, endpoint: StartEndpoint, number: signal.Signals, code: int) -> None:
    """The kernel would drop a signal that process 1 does not handle."""
    write_rows(shell.folder / "docs.jsonl", documents(60))
    url = endpoint("--latency", "0.05").url
    process = shell.start(
        f"exec unshare --pid --fork --kill-child $PROGRAM classify docs.jsonl --concurrency 2 --base-url {url}"
    )
    run = shell.folder / "docs.llmbatch"
    wait_until(lambda: ledger_lines(run) >= 2, process)
    os.kill(_child_of(process.pid), number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert len(accounted(run)) == ledger_lines(run) >= 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_command_other_than_a_run_ends_cleanly_too(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """`estimate` has read all its input so far, and waits for more."""
    process = Program(tmp_path).start("estimate", "-", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write('{"text": "a"}\n')
    process.stdin.flush()
    wait_until(lambda: _unread(process.stdin) == 0, process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False), err
    assert "interrupted" in err


def _unread(pipe: IO[str] | None) -> int:
    """How many unread bytes a pipe holds."""
    assert pipe is not None
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]


def _child_of(parent: int) -> int:
    return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])


SIGNALS_AT_THE_END = """
import os, signal, sys
from llmbatch.cli import show
from llmbatch.session.session import Session

def signalled(function):
    def call(*arguments, **options):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
        try:
            return function(*arguments, **options)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
    return call

Session._sum_up = signalled(Session._sum_up)
show.present = signalled(show.present)
sys.exit = signalled(sys.exit)
from llmbatch.cli import main
main()
"""


def test_a_signal_at_the_very_end_of_a_finished_run_changes_nothing(tmp_path: Path, endpoint: StartEndpoint) -> None:
    write_rows(tmp_path / "docs.jsonl", documents(3))
    done = subprocess.run(
        [PROGRAM[0], "-c", SIGNALS_AT_THE_END, "classify", "docs.jsonl", "--base-url", endpoint().url, "--json"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["exit_code"] == 0
