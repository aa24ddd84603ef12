"""Decides which rows are processed, how many at once, and how the run ends."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass

from msgspec.structs import replace

from llmbatch.core import defaults
from llmbatch.core.errors import LLMBatchError, UsageError
from llmbatch.core.ledger_line import FAILED, LedgerLine
from llmbatch.core.rows import Rejection
from llmbatch.engine.cancellation import Cancellation
from llmbatch.engine.cascade import Cascade
from llmbatch.engine.failure_rate_guard import FailureRateGuard
from llmbatch.engine.intake import Document, Item, Skipped
from llmbatch.engine.reused_line import without_cost
from llmbatch.engine.sinks import Outcomes
from llmbatch.engine.tally import SessionTally

ROWS_PER_SLOT = 4
"""Rows in progress per request in flight; the others are waiting for a retry. Above this, reading pauses."""

_PROBES = 3  # rows sent one by one while nothing has succeeded yet


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a run works through its rows."""

    most_in_flight: int
    strict: bool = False
    grace_s: float = defaults.GRACE_S
    """How long requests in flight may take to finish once the run stops."""


class Engine:
    """Processes the wanted rows: sends each one and stores its outcome.

    Rows with the same text are sent once: those that arrive while the first is in flight wait for it, later ones reuse
    its line.
    """

    def __init__(
        self,
        *,
        arms: Cascade,
        outcomes: Outcomes,
        cancellation: Cancellation,
        tally: SessionTally,
        guard: FailureRateGuard,
        on_row: Callable[[LedgerLine], None],
        on_rejection: Callable[[Rejection], None] = lambda _: None,
        settings: EngineSettings,
    ) -> None:
        self._arms = arms
        self._outcomes = outcomes
        self._cancellation = cancellation
        self._tally = tally
        self._guard = guard
        self._on_row = on_row
        self._on_rejection = on_rejection
        self._settings = settings
        self._room = asyncio.Semaphore(settings.most_in_flight * ROWS_PER_SLOT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._followers: dict[str, list[Document]] = {}

    async def run(self, rows: AsyncIterator[Item]) -> None:
        """Work through `rows` until they end or the run is cancelled. On return, no request is in flight."""
        reading = asyncio.create_task(self._take(rows))
        stopping = asyncio.create_task(self._cancellation.wait())
        try:
            await asyncio.wait({reading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                reading.cancel()
            try:
                await reading
            except asyncio.CancelledError:
                pass
            except Exception as error:  # noqa: BLE001 - ends the run in order; a bug is raised at its end
                self._cancellation.set(error)
            await self._finish()
        finally:
            stopping.cancel()

    async def _take(self, rows: AsyncIterator[Item]) -> None:
        probes = 0
        async for item in rows:
            if isinstance(item, Rejection):
                self._reject(item)
                continue
            if isinstance(item, Skipped):
                self._tally.skipped += item.count - item.left
                self._tally.left += item.left
                continue
            key = item.key
            if key in self._followers:
                await self._room.acquire()
                self._follow(item)
            elif self._outcomes.is_of_session(key):
                self._reuse(item, self._outcomes.latest(key))
            elif item.outcome is not None:
                self._append(item.outcome)
                self._tally.settle(item.outcome)
            else:
                await self._room.acquire()
                task = self._start(item)
                if not self._arms.labelled and probes < _PROBES:
                    probes += 1
                    await self._no_more_for_now()
                    await asyncio.wait({task})
        await self._no_more_for_now()

    async def _no_more_for_now(self) -> None:
        await asyncio.sleep(0)  # let the new tasks start
        self._arms.flush()

    def _follow(self, document: Document) -> None:
        if document.key in self._followers:
            self._followers[document.key].append(document)
        else:  # answered while this row waited for room
            self._room.release()
            self._reuse(document, self._outcomes.latest(document.key))

    def _start(self, document: Document) -> "asyncio.Task[None]":
        self._followers[document.key] = []
        task = asyncio.create_task(self._work(document))
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()

    async def _work(self, document: Document) -> None:
        line, sends = None, 0
        try:
            async for line in self._arms.ask(document.row, document.key):
                self._append(line)
                self._watch(line, document)
                sends += line.attempts
            if line is not None:
                self._tally.settle(line, was_asked=sends > 0)
        except Exception as error:  # noqa: BLE001 - a task's error must not vanish with it
            self._cancellation.set(error)
        finally:
            followers = self._followers.pop(document.key)
            for _ in range(len(followers) + 1):
                self._room.release()
        for follower in followers:
            self._reuse(follower, line)

    def _watch(self, line: LedgerLine, document: Document) -> None:
        """Stop a run that goes wrong. A row that fails again as in an earlier session does not count."""
        is_news = not (document.failed_before and line.status == FAILED)
        if is_news and not self._cancellation.is_set and (reason := self._guard.watch(line)) is not None:
            self._cancellation.set(reason)

    def _reuse(self, document: Document, line: LedgerLine | None) -> None:
        """Give a row the outcome of another with the same text; if there is none, it stays pending."""
        if line is None or self._cancellation.is_set:
            return
        try:
            reused = replace(without_cost(line), row=document.row.index, id=document.row.id, flags=document.row.flags)
            self._append(reused)
            self._tally.settle(reused)
        except LLMBatchError as error:
            self._cancellation.set(error)

    def _append(self, line: LedgerLine) -> None:
        self._outcomes.append(line)
        self._tally.add(line)
        self._on_row(line)
        if self._outcomes.trouble is not None:  # this one was stored, but another might not be
            self._cancellation.set(self._outcomes.trouble)

    def _reject(self, rejection: Rejection) -> None:
        if self._settings.strict:
            raise UsageError(
                f"{rejection.place}: {rejection.message}",
                hint="without --strict such rows go to failed.jsonl",
            )
        self._tally.rejected += 1
        self._on_rejection(rejection)

    async def _finish(self) -> None:
        """Let the requests in flight finish; once the run stops, only for a limited time."""
        await self._until_idle_or(self._cancellation.wait())
        try:
            async with asyncio.timeout(self._settings.grace_s):
                await self._until_idle_or(self._cancellation.wait_hurried())
        except TimeoutError:
            pass
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _until_idle_or(self, event: Coroutine[None, None, None]) -> None:
        ends = {asyncio.create_task(event), asyncio.create_task(self._idle.wait())}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
