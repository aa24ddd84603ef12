"""Outputs of a run whose input is still open: rewritten every few seconds, so that they can be used."""

import asyncio
import time
from collections.abc import Callable

from llmbatch.observe.events import Event, OutputsRolling

ROLL_EVERY_S = 5.0
_TIMES = 20
"""Maximum share of time for writing, which takes longer the more rows there are."""


async def keep_rolling(
    write: Callable[[], None], answered: Callable[[], int], folder: str, emit: Callable[[Event], None]
) -> None:
    """Write the outputs whenever there are new outcomes, until cancelled.

    Args:
        write: writes them all; blocks, and is called in another thread.
        answered: returns how many rows have their outcome.
        folder: the run folder's name, for the event that reports this once.
        emit: receives the events.
    """
    written, pause_s = 0, ROLL_EVERY_S
    while True:
        await asyncio.sleep(pause_s)
        if (count := answered()) == written:
            continue
        began = time.perf_counter()
        await asyncio.to_thread(write)
        if not written:
            emit(OutputsRolling(folder, ROLL_EVERY_S))
        written, pause_s = count, max(ROLL_EVERY_S, _TIMES * (time.perf_counter() - began))
