"""Processes rows in packs, with the same interface as a worker for single rows.

A row waits until its pack is full, and gets its own outcome. A failure of a pack is never final for a row: a pack
without a usable answer is halved, rows that are missing or invalid go into a smaller one, and in the end each is sent
alone, with its own attempts, re-ask and failure. So a row is sent at most twice for each halving, and then as often as
any row.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from llmbatch.core.errors import BudgetReached, LLMBatchError
from llmbatch.core.ledger_line import LedgerLine, Retry
from llmbatch.core.redact import Redactor
from llmbatch.core.rows import Row
from llmbatch.engine.attempt import AttemptSender
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.failure_policy import FailurePolicy
from llmbatch.engine.packing.gathering import Gathering, Member, Verdict
from llmbatch.engine.packing.pack import PackState, packed, place_in_pack
from llmbatch.engine.packing.plans import LONGEST_PACKED, Packing, packed_characters, packed_plan, packed_room
from llmbatch.engine.packing.reader import PackReader, RowAnswer
from llmbatch.engine.packing.size import PackSize
from llmbatch.engine.plan import Plan
from llmbatch.engine.request_fallbacks import RequestFallbacks
from llmbatch.engine.request_loop import RequestLoop
from llmbatch.engine.row_state import RowState
from llmbatch.engine.row_worker import RowWorker
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.provider.retry import RetryPolicy

_SENDS_OF_A_PACK = 2
"""Attempts after temporary failures, before a pack is halved."""


def of_packs(policy: RetryPolicy) -> RetryPolicy:
    """The retry policy for packs, given that for rows."""
    return replace(policy, attempts=min(policy.attempts, _SENDS_OF_A_PACK), reasks=0)


class PackWorker:
    """Sends rows to the model in packs, under one plan."""

    def __init__(
        self,
        single: RowWorker,
        packing: Packing,
        *,
        plan: Plan,
        reader: PackReader,
        make_sender: Callable[[Plan], AttemptSender],
        fallbacks: RequestFallbacks,
        loop: RequestLoop,
        failure_policy: FailurePolicy,
        cancellation: Cancellation,
        halt: Callable[[LLMBatchError], None],
        redact: Redactor,
        size: PackSize,
        most_at_once: int,
    ) -> None:
        """Set the parts.

        `single` sends the rows that go alone. `loop` repeats packs, but never for an unusable answer. `halt` receives a
        failure that would affect all rows of this plan.
        """
        self._single = single
        self._packing = packing
        self._plan = plan
        self._reader = reader
        self._fallbacks = fallbacks
        self._loop = loop
        self._failure_policy = failure_policy
        self._cancellation = cancellation
        self._halt = halt
        self._redact = redact
        self._size = size
        self._gathering = Gathering(self._begin, most_at_once=most_at_once)
        self._sender = lru_cache(maxsize=None)(lambda rows: make_sender(packed_plan(plan, rows)))
        self._characters = lru_cache(maxsize=None)(lambda rows: packed_characters(plan, rows))
        self._is_form_taken = False
        """Whether the endpoint has answered a pack."""
        self._packs: dict[asyncio.Future[Verdict], asyncio.Task[None]] = {}
        """The task of each row's pack, by the row's verdict."""

    @property
    def retries(self) -> int:
        """Attempts that were repeated; a pack's attempt counts once."""
        return self._single.retries + self._loop.retries

    @property
    def waiting(self) -> int:
        """Requests that wait for their next attempt."""
        return self._single.waiting + self._loop.waiting

    @property
    def latest_kind(self) -> str:
        """The kind of the latest failure that is retried; empty if there is none."""
        return self._loop.latest_kind if self._loop.waiting else self._single.latest_kind

    @property
    def next_try_s(self) -> float:
        """Seconds until the first waiting request is sent again; 0 if none waits."""
        workers = (self._single, self._loop)
        return min((one.next_try_s for one in workers if one.waiting), default=0.0)

    @property
    def labelled(self) -> int:
        """Rows that got a label in this session."""
        return self._single.labelled

    @property
    def window(self) -> int | None:
        """The model's window in tokens, if a refusal has stated it."""
        return self._single.window

    @property
    def token_ratio(self) -> float:
        """Highest ratio of the endpoint's token count to ours, from rows sent alone."""
        return self._single.token_ratio

    async def ask(self, row: Row, key: str, *, failed_before: str | None = None) -> LedgerLine | None:
        """See `RowWorker.ask`. A row that is long, or that failed in an earlier session, is sent alone."""
        if self._size.rows == 1 or failed_before is not None or len(row.text) > LONGEST_PACKED:
            return await self._single.ask(row, key, failed_before=failed_before)
        member = Member(RowState(row, key))
        self._failure_policy.row_began(member.state)
        self._gathering.add(member, rows=self._size.rows, characters=self._characters(self._size.rows))
        try:
            verdict = await member.verdict
        except asyncio.CancelledError:
            if not self._cancellation.is_set:
                raise
            await self._leave(member)  # its grace period is over
            return self._single.given_up(member.state)
        if verdict.answer is not None:
            return self._single.labelled_as(member.state, verdict.answer)
        if not verdict.goes_alone:
            return self._single.given_up(member.state)
        member.state.rows_in_request = 1
        return await self._single.ask_begun(member.state)

    def flush(self) -> None:
        """No more rows for now: send those waiting for others."""
        self._gathering.flush()

    async def _leave(self, member: Member) -> None:
        """Abandon a row, and with it its pack, whose cost is then charged to its rows."""
        if not self._gathering.remove(member) and (task := self._packs.get(member.verdict)) is not None:
            task.cancel()
            await asyncio.wait({task})

    def _begin(self, members: list[Member]) -> None:
        task = asyncio.create_task(self._until_known(members))
        self._packs |= {member.verdict: task for member in members}

        def ended(_: "asyncio.Task[None]") -> None:
            for member in members:
                self._packs.pop(member.verdict, None)
                member.end(Verdict())
            self._gathering.came_back()

        task.add_done_callback(ended)

    async def _until_known(self, members: list[Member]) -> None:
        try:
            await self._work(members, 0)
        except RunCancelledError:
            pass
        except LLMBatchError as reason:
            self._halt(reason)
        except Exception as error:  # noqa: BLE001 - a task's error must not vanish with it
            self._cancellation.set(error)

    async def _work(self, members: Sequence[Member], turn: int) -> None:
        """Send some rows, in smaller packs after a failure, until each has its verdict."""
        if len(members) == 1 or self._size.rows == 1:
            for member in members:
                member.end(Verdict(goes_alone=True))
            return
        seed = self._packing.seed
        again = await self._asked(sorted(members, key=lambda one: place_in_pack(one.state.key, seed=seed, turn=turn)))
        most = max(len(members) // 2, 1)
        await _all(self._work(again[n : n + most], turn + 1) for n in range(0, len(again), most))

    async def _asked(self, members: list[Member]) -> list[Member]:
        """Send a pack and set the verdict of each answered row. Returns the rows to send again."""
        room = packed_room(self._plan, self._fallbacks.shape.max_output_tokens, len(members))
        pack = packed([member.state for member in members], prefix=self._plan.question.prefix, room=room)
        answered: list[RowAnswer] | Failure
        try:
            answered = await self._loop.until_answered(pack, self._answers)
        except BudgetReached:
            return members  # fewer of them may still fit
        except RequestFailedError as error:
            answered = error.failure
        finally:
            pack.share_out()
        if isinstance(answered, Failure):
            for member in members:
                self._note_again(member.state, answered, f"pack_{answered.kind}")
            self._size.note(len(members), len(members), self._why(answered))
            return members
        return self._taken(members, answered)

    async def _answers(self, pack: RowState, paid: float) -> list[RowAnswer] | Failure:
        assert isinstance(pack, PackState)  # noqa: S101 - it was made by `_asked`
        rows = len(pack.members)
        try:
            completion = await self._sender(rows).send(pack, paid=paid)
        except RequestFailedError as error:
            if not self._is_form_refused(error.failure, pack):
                raise
            self._size.give_up(self._why(error.failure))
            return error.failure
        self._is_form_taken = True
        self._failure_policy.answered(pack)
        try:
            return self._reader.answers(completion, rows)
        except RequestFailedError as error:
            if error.failure.action is Action.RETRY:
                raise
            return error.failure

    def _is_form_refused(self, failure: Failure, pack: PackState) -> bool:
        """Whether the endpoint accepts requests about single rows, but refuses the form of those about several."""
        is_of_packs = not self._is_form_taken and self._fallbacks.is_accepted(pack.sent_as)
        return is_of_packs and failure.kind in ("bad_parameter", "bad_request")

    def _taken(self, members: list[Member], answers: list[RowAnswer]) -> list[Member]:
        """Give the rows their answers. Returns those without one."""
        again, why = list[Member](), ""
        for member, row in zip(members, answers, strict=True):
            member.state.completion, member.state.rows_in_request = row.completion, len(members)
            if row.failure is None:
                member.end(Verdict(row.answer))
                continue
            again.append(member)
            why = self._why(row.failure)
            self._note_again(member.state, row.failure, row.failure.kind)
        self._size.note(len(members), len(again), why)
        return again

    def _note_again(self, state: RowState, failure: Failure, kind: str) -> None:
        """Record for a row that it is sent again, and why; the process may be killed before its line is written."""
        after_s = time.perf_counter() - state.started
        state.retries.append(Retry(kind, failure.status, failure.code, 0.0, round(after_s, 3)))
        self._loop.write_down_end(state)

    def _why(self, failure: Failure) -> str:
        return self._redact(f"{failure.kind}: {failure.message}")


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Wait for all of these, then raise the exception of the first that failed."""
    for ended in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended
