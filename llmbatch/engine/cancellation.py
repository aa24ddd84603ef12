"""The run's single stop signal."""

import asyncio

_TICK_S = 0.001
"""The shortest sleep, so that a rounding remainder does not cause a busy loop."""


class RunCancelledError(Exception):
    """The run is stopping: requests not sent yet stay unsent."""


class Cancellation:
    """The run's single stop signal. The first reason given is kept."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._hurry = asyncio.Event()
        self.reason: Exception | None = None

    @property
    def is_set(self) -> bool:
        """Whether the run is stopping."""
        return self._event.is_set()

    def set(self, reason: Exception) -> None:
        """Stop sending for this reason: an LLMBatchError, or an exception caused by a bug."""
        if self.reason is None:
            self.reason = reason
        self._event.set()

    def hurry(self) -> None:
        """Also abandon the requests in flight."""
        self._hurry.set()

    @property
    def is_hurried(self) -> bool:
        """Whether requests in flight are abandoned too."""
        return self._hurry.is_set()

    async def wait(self) -> None:
        """Wait until the run stops."""
        await self._event.wait()

    async def wait_hurried(self) -> None:
        """Wait until the requests in flight are abandoned."""
        await self._hurry.wait()

    async def sleep(self, seconds: float, *, or_until: asyncio.Event | None = None) -> None:
        """Sleep for so long, or until an event.

        Raises:
            RunCancelledError: the run stopped meanwhile.
        """
        events = (self._event,) if or_until is None else (self._event, or_until)
        waiting = {asyncio.ensure_future(event.wait()) for event in events}
        try:
            await asyncio.wait(waiting, timeout=max(seconds, _TICK_S), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if self._event.is_set():
            raise RunCancelledError
