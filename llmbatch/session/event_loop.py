"""The event loop of a session, after a check that it has the resources it needs."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack

_THREADS = 8
"""libuv starts 4 threads at once, Python's own executor a few one by one."""
_FILES = 16
"""Files of the loop itself, and of a few connections."""


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop if it is installed (the extra `uvloop`).

    Raises:
        RuntimeError: the threads that it needs cannot be started.
        OSError: the files that it needs cannot be opened.
    """
    # libuv ends the whole process if one of these fails.
    _start_threads()
    _open_files()
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def _start_threads() -> None:
    """Start as many threads as may be needed at once, and end them."""
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(_THREADS)]
    started: list[threading.Thread] = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    finally:
        end.set()
        for thread in started:
            thread.join()


def _open_files() -> None:
    """Open as many files as may be needed at once, and close them."""
    with ExitStack() as stack:
        for _ in range(_FILES):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))
