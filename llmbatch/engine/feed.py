"""Reads rows off the event loop: reading may block (a slow pipe, a slow disk), sending must not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from itertools import islice

from llmbatch.engine.intake import Item

_Message = list[Item] | BaseException | None


async def feed(rows: Iterator[Item], *, batch: int) -> AsyncIterator[Item]:
    """Read rows in a separate thread, at most two batches ahead.

    Args:
        rows: a lazy reader.
        batch: rows handed over at once; 1 if each must be passed on as soon as it is read.

    Raises:
        Exception: the reader's exception, after the rows before it.
    """
    feeder = _Feeder(rows, batch)
    feeder.start()
    try:
        while (message := await feeder.queue.get()) is not None:
            if isinstance(message, BaseException):
                raise message
            for row in message:
                yield row
    finally:
        feeder.close()


class _Feeder(threading.Thread):
    """Reads ahead. A daemon thread, so that a reader that blocks forever does not keep the process from exiting."""

    def __init__(self, rows: Iterator[Item], batch: int) -> None:
        super().__init__(name="llmbatch-reader", daemon=True)
        self.queue: asyncio.Queue[_Message] = asyncio.Queue(maxsize=2)
        self._rows = rows
        self._batch = batch
        self._loop = asyncio.get_running_loop()
        self._closed = threading.Event()

    def run(self) -> None:
        try:
            while pending := list(islice(self._rows, self._batch)):
                self._hand_over(pending)
                if self._closed.is_set():
                    return
            self._hand_over(None)
        except BaseException as error:  # noqa: BLE001 - raised again on the loop's side
            self._hand_over(error)

    def close(self) -> None:
        """Let the thread end, even while it waits for room."""
        self._closed.set()
        while not self.queue.empty():
            self.queue.get_nowait()

    def _hand_over(self, message: _Message) -> None:
        if not self._closed.is_set() and not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.queue.put(message), self._loop).result()
