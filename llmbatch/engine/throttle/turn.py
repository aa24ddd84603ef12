"""A lock for a section that most tasks enter without waiting.

`asyncio.Lock` never recovers once its holder has waited: each later task queues behind those that queued meanwhile, so
each one costs a round of the event loop, long after there is nothing left to wait for. Here a task that finds the lock
free takes it, even if others were woken but have not run yet; a woken task that finds it taken keeps its place.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import Self


class Turn:
    """Held by one task at a time, as an asynchronous context manager."""

    def __init__(self) -> None:
        self.is_held = False
        """Whether a task holds it; if none does, any task may take it."""
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def __aenter__(self) -> Self:
        is_new = True
        while self.is_held:
            woken = asyncio.get_running_loop().create_future()
            if is_new:
                self._waiting.append(woken)
            else:
                self._waiting.appendleft(woken)
            is_new = False
            try:
                await woken
            except asyncio.CancelledError:
                if woken.done() and not woken.cancelled():
                    self._wake()  # it was this task's turn
                raise
        self.is_held = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_held = False
        self._wake()

    def _wake(self) -> None:
        """Wake the first waiting task, which wakes the next one when it leaves."""
        while self._waiting and not self.is_held:
            woken = self._waiting.popleft()
            if not woken.done():  # otherwise its task was cancelled
                woken.set_result(None)
                return
