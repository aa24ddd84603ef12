"""The offline endpoint as a child process, so that it takes nothing from the run's own loop."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from llmbatch.errors import LLMBatchError


@contextmanager
def offline_endpoint(arguments: tuple[str, ...], *, meanwhile: Callable[[], None]) -> Iterator[str]:
    """Start the offline endpoint on a free loopback port; it ends with this process, also when that is killed.

    Args:
        arguments: further options of `llmbatch simulate`, as `--fault`.
        meanwhile: called while it starts, which takes most of a second.

    Yields:
        Its base URL.

    Raises:
        LLMBatchError: it did not start; the message is its own.
    """
    command = [
        sys.executable,
        "-m",
        "llmbatch",
        "simulate",
        "--port",
        "0",
        "--until-stdin-closes",
        *arguments,
    ]
    # A session of its own: Ctrl-C must reach the run, which still waits for answers, and not the endpoint.
    process = subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert process.stdin is not None  # noqa: S101 - as asked for above
    assert process.stdout is not None  # noqa: S101
    try:
        meanwhile()
        url = process.stdout.readline().strip()
        if not url.startswith("http://"):
            raise LLMBatchError("the offline endpoint did not start")
        yield url
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
