"""The offline endpoint as a process: serves until it is stopped."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from llmbatch.simulate.server import Simulator, check_loopback
from llmbatch.simulate.settings import SimulatorSettings


def serve(
    settings: SimulatorSettings,
    host: str,
    port: int,
    *,
    announce: Callable[[str], None],
    until_stdin_closes: bool,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP.

    Args:
        settings: how the endpoint behaves.
        host: a loopback address.
        port: 0 for a free one.
        announce: called with the base URL once requests are accepted.
        until_stdin_closes: also end at the end of standard input, which occurs when the process at its other end is
            killed, and leave SIGINT to that process.

    Raises:
        UsageError: the address is not a loopback address, or cannot be listened on.
    """
    check_loopback(host)
    if until_stdin_closes:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(_serve(settings, host, port, announce, until_stdin_closes=until_stdin_closes))


async def _serve(
    settings: SimulatorSettings,
    host: str,
    port: int,
    announce: Callable[[str], None],
    *,
    until_stdin_closes: bool,
) -> None:
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # `nohup` sets it so
        loop.add_signal_handler(signal.SIGHUP, end.set)
    if until_stdin_closes:
        _when_stdin_closes(lambda: loop.call_soon_threadsafe(end.set))
    else:
        loop.add_signal_handler(signal.SIGINT, end.set)
    simulator = Simulator(settings)
    announce(await simulator.start(host, port))
    await end.wait()
    await simulator.stop()


def _when_stdin_closes(close: Callable[[], object]) -> None:
    """Call `close` from a thread when standard input ends, whatever kind of file it is."""

    def wait() -> None:
        with suppress(OSError, ValueError):  # already closed, or not readable
            while os.read(sys.stdin.fileno(), 4096):
                pass
        with suppress(RuntimeError):  # the loop ended first
            close()

    threading.Thread(target=wait, name="wait-for-stdin", daemon=True).start()
