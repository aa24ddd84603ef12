"""One row from question to ledger line: send, judge, repeat where that can help."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from random import Random

from llmbatch.core.errors import LLMBatchError
from llmbatch.core.ledger_line import INTERRUPTED, LedgerLine, Retry
from llmbatch.core.rows import Row
from llmbatch.engine.attempt import AttemptSender
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.failure_policy import FailurePolicy
from llmbatch.engine.outcome import OutcomeReader
from llmbatch.engine.row_state import RowState
from llmbatch.engine.throttle.retry_budget import RetryBudget
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.provider.retry import Attempts, RetryPolicy, retrying
from llmbatch.provider.transport import judge_exception
from llmbatch.task.answer import Answer
from llmbatch.task.candidates import Candidates, Shortlist
from llmbatch.task.similar_examples import SimilarExamples


class RowWorker:
    """Asks the model about rows, by one plan."""

    def __init__(
        self,
        *,
        reader: OutcomeReader,
        candidates: Candidates | None,
        similar: SimilarExamples | None,
        sender: AttemptSender,
        failure_policy: FailurePolicy,
        retry_budget: RetryBudget,
        cancellation: Cancellation,
        halt: Callable[[LLMBatchError], None],
        policy: RetryPolicy,
        random: Random,
    ) -> None:
        """What it works with.

        `candidates` lists labels for each document and `similar` examples, where the plan has it so; `halt` gets the
        failure that all rows of this plan would meet.
        """
        self._reader = reader
        self._candidates = candidates
        self._similar = similar
        self._sender = sender
        self._failure_policy = failure_policy
        self._retry_budget = retry_budget
        self._cancellation = cancellation
        self._halt = halt
        self._policy = policy
        self._random = random
        self.retries: Counter[str] = Counter()
        self.waiting = 0
        """Rows that wait for their next attempt; they hold no slot."""
        self.latest_kind = ""
        """The kind of the latest failure that is retried."""
        self._due: list[float] = []

    @property
    def next_try_s(self) -> float:
        """Seconds until the first row that waits is sent again; 0 where none waits."""
        return max(min(self._due) - time.monotonic(), 0.0) if self._due else 0.0

    @property
    def labelled(self) -> int:
        """Rows that got a label in this session."""
        return self._failure_policy.labelled

    @property
    def window(self) -> int | None:
        """The model's window in tokens, where a refusal has stated it."""
        return self._failure_policy.window

    @property
    def token_ratio(self) -> float:
        """How many of the endpoint's tokens one of ours comes to, at most."""
        return self._sender.token_ratio

    async def ask(self, row: Row, key: str, *, failed_before: str | None = None) -> LedgerLine | None:
        """What became of the row, or None where it stays undone: the run stopped before the row cost anything.

        `failed_before` is how it failed in an earlier session, where it did.

        A failure that all rows would share halts this arm. A row that has cost something by then ends as a
        failed one, so that its cost is kept; so does one that may have been refused for its own sake.
        """
        state = RowState(row, key, failed_before=failed_before)
        if self._candidates is not None:
            self._list(state, await asyncio.to_thread(self._candidates.shortlist, row.text))
        if self._similar is not None:
            state.before = await asyncio.to_thread(self._similar.before, row.text)
        self._failure_policy.row_began(state)
        try:
            try:
                answer = await self._until_answered(state)
            except RequestFailedError as error:
                state.end()
                self._failure_policy.row_failed(error.failure)
                return self._reader.failed(state, error.failure)
        except RunCancelledError:
            return self._given_up(state)
        except LLMBatchError as reason:
            self._halt(reason)
            return self._given_up(state)
        except asyncio.CancelledError:
            if not self._cancellation.is_set:
                raise
            return self._given_up(state)  # its grace is over
        state.end()
        self._failure_policy.row_labelled(state)
        return self._reader.labelled(state, answer)

    async def _until_answered(self, state: RowState) -> Answer:
        try:
            return await self._attempt(state.attempts, state)
        except RequestFailedError as failed:
            return await self._again(state, failed)

    async def _again(self, state: RowState, failed: RequestFailedError) -> Answer:
        """Goes on after a first failure: most rows have none, and do without the retry loop's cost."""
        met_already = [failed]

        async def attempt(attempts: Attempts, state: RowState) -> Answer:
            if met_already:
                raise met_already.pop()
            return await self._attempt(attempts, state)

        def note(failure: Failure, wait_s: float) -> None:
            self._failure_policy.will_be_repeated(failure, wait_s, state)
            self.retries[failure.kind] += 1
            self.latest_kind = failure.kind
            after_s = time.perf_counter() - state.started
            state.retries.append(Retry(failure.kind, failure.status, failure.code, round(wait_s, 3), round(after_s, 3)))

        loop = retrying(self._policy, sleep=self._sleep, before_sleep=note, random=self._random)
        answer: Answer = await loop(attempt, state.attempts, state)
        return answer

    async def _attempt(self, attempts: Attempts, state: RowState) -> Answer:
        try:
            paid = await self._pay_for_retry(attempts)
            completion = await self._sender.send(state, paid=paid)
            self._failure_policy.answered(state)
            answer = self._reader.answer(completion, state.shortlist)
            if self._candidates is None or state.shortlist.is_wider:
                return answer
            none_of = self._candidates.none_of(answer.category)
            return await self._from_next_labels(self._candidates, state, none_of) if none_of else answer
        except RequestFailedError as error:
            self._sender.write_down_end(state)
            raise RequestFailedError(self._failure_policy.attempt_failed(error.failure, state)) from error
        except (RunCancelledError, LLMBatchError):
            raise
        except Exception as error:  # a bug of ours costs its row, is reported, and five alike end the run
            raise RequestFailedError(self._failure_policy.attempt_failed(judge_exception(error), state)) from error

    async def _from_next_labels(self, candidates: Candidates, state: RowState, none_of: Collection[str]) -> Answer:
        """Asks once more, with the next best labels of some fields, after none was chosen of the best."""
        self._sender.write_down_end(state)
        self._list(state, await asyncio.to_thread(candidates.shortlist, state.row.text, none_of))
        completion = await self._sender.send(state, paid=0.0)
        self._failure_policy.answered(state)
        return self._reader.answer(completion, state.shortlist)

    @staticmethod
    def _list(state: RowState, shortlist: Shortlist) -> None:
        state.shortlist, state.before = shortlist, shortlist.text

    async def _pay_for_retry(self, attempts: Attempts) -> float:
        """Only what the endpoint would see as load multiplied is paid for: not a re-ask after an answer."""
        last = attempts.failures[-1].action if attempts.failures else None
        if last not in (Action.RETRY, Action.THROTTLE):
            return 0.0
        self.waiting += 1
        try:
            return await self._retry_budget.spend(last)
        finally:
            self.waiting -= 1

    async def _sleep(self, seconds: float) -> None:
        wait_s = self._failure_policy.wait_s(seconds)
        due = time.monotonic() + wait_s
        self.waiting += 1
        self._due.append(due)
        try:
            await self._cancellation.sleep(wait_s)
        finally:
            self.waiting -= 1
            self._due.remove(due)

    def _given_up(self, state: RowState) -> LedgerLine | None:
        state.end()
        if state.refusal is not None:
            return self._reader.failed(state, state.refusal)
        if not state.may_have_cost:
            return None
        stopped = Failure(INTERRUPTED, Action.FAIL, "the run stopped before the row was done")
        return self._reader.failed(state, stopped)
