"""Processes one row, from request to ledger line: send, judge, retry if that can help."""

import asyncio
from collections.abc import Callable

from llmbatch.core.errors import LLMBatchError
from llmbatch.core.ledger_line import INTERRUPTED, LedgerLine
from llmbatch.core.rows import Row
from llmbatch.engine.attempt import AttemptSender
from llmbatch.engine.cancellation import Cancellation, RunCancelledError
from llmbatch.engine.embedding import Embedder
from llmbatch.engine.failure_policy import FailurePolicy
from llmbatch.engine.outcome import OutcomeReader
from llmbatch.engine.request_loop import RequestLoop
from llmbatch.engine.row_state import RowState
from llmbatch.provider.failures import Action, Failure, RequestFailedError
from llmbatch.task.answer import Answer
from llmbatch.task.candidates import NO_SHORTLIST, Candidates, Shortlist
from llmbatch.task.similar_examples import SimilarExamples


class RowWorker:
    """Sends rows to the model, one per request, under one plan."""

    def __init__(
        self,
        *,
        reader: OutcomeReader,
        candidates: Candidates | None,
        embedder: Embedder | None,
        similar: SimilarExamples | None,
        sender: AttemptSender,
        loop: RequestLoop,
        failure_policy: FailurePolicy,
        cancellation: Cancellation,
        halt: Callable[[LLMBatchError], None],
    ) -> None:
        """Set the parts.

        `candidates` and `similar` choose the labels and the examples before each document; None if the plan has none.
        With an `embedder`, labels are chosen by embeddings. `halt` receives a failure that would affect all rows of
        this plan.
        """
        self._reader = reader
        self._candidates = candidates
        self._embedder = embedder
        self._similar = similar
        self._sender = sender
        self._loop = loop
        self._loops = (loop,) if embedder is None else (loop, embedder.loop)
        self._failure_policy = failure_policy
        self._cancellation = cancellation
        self._halt = halt

    @property
    def retries(self) -> int:
        """Attempts that were repeated."""
        return sum(loop.retries for loop in self._loops)

    @property
    def waiting(self) -> int:
        """Rows that wait for their next attempt."""
        return sum(loop.waiting for loop in self._loops)

    @property
    def latest_kind(self) -> str:
        """The kind of the latest retried failure; empty if there was none."""
        return next((loop.latest_kind for loop in self._loops if loop.latest_kind), "")

    @property
    def next_try_s(self) -> float:
        """Seconds until the first waiting row is sent again; 0 if none waits."""
        return min((loop.next_try_s for loop in self._loops if loop.next_try_s), default=0.0)

    @property
    def labelled(self) -> int:
        """Rows that got a label in this session."""
        return self._failure_policy.labelled

    @property
    def window(self) -> int | None:
        """The model's window in tokens, if an error has stated it."""
        return self._failure_policy.window

    @property
    def token_ratio(self) -> float:
        """Highest ratio of the endpoint's token count to ours."""
        return self._sender.token_ratio

    async def ask(self, row: Row, key: str, *, failed_before: str | None = None) -> LedgerLine | None:
        """Process the row and return its outcome, or None if the run stopped before the row cost anything.

        `failed_before` is how it failed in an earlier session, if it did.

        A failure that all rows would share halts this arm. A row that has cost something by then ends as failed, so
        that its cost is recorded; so does a row that may itself be the reason for the refusal.
        """
        state = RowState(row, key, failed_before=failed_before)
        self._failure_policy.row_began(state)
        return await self.ask_begun(state)

    async def ask_begun(self, state: RowState) -> LedgerLine | None:
        """Like `ask`, for a row already started, possibly as part of a pack."""
        try:
            try:
                await self._prepare(state)
                answer = await self._loop.until_answered(state, self._answer)
            except RequestFailedError as error:
                state.end()
                return self._reader.failed(state, error.failure)
        except RunCancelledError:
            return self.given_up(state)
        except LLMBatchError as reason:
            self._halt(reason)
            return self.given_up(state)
        except asyncio.CancelledError:
            if not self._cancellation.is_set:
                raise
            return self.given_up(state)  # its grace period is over
        return self.labelled_as(state, answer)

    def labelled_as(self, state: RowState, answer: Answer) -> LedgerLine:
        """The line of a row that has its label."""
        state.end()
        self._failure_policy.row_labelled(state)
        return self._reader.labelled(state, answer)

    def given_up(self, state: RowState) -> LedgerLine | None:
        """The line of a row abandoned when the run stopped; None if it has cost nothing."""
        state.end()
        if state.refusal is not None:
            return self._reader.failed(state, state.refusal)
        if not state.may_have_cost:
            return None
        stopped = Failure(INTERRUPTED, Action.FAIL, "the run stopped before the row was finished")
        return self._reader.failed(state, stopped)

    async def _prepare(self, state: RowState) -> None:
        """Put the first list of labels, and examples, before the document, if the plan has them."""
        if self._embedder is not None:
            await self._list(state, await self._embedder.shortlist(state))
        elif self._candidates is not None:
            await self._list(state, await asyncio.to_thread(self._candidates.shortlist, state.row.text))
        elif self._similar is not None:
            await self._list(state, NO_SHORTLIST)

    async def _answer(self, state: RowState, paid: float) -> Answer:
        completion = await self._sender.send(state, paid=paid)
        self._failure_policy.answered(state)
        answer = self._reader.answer(completion, state.shortlist)
        following = None if self._candidates is None else await self._following(self._candidates, state, answer)
        if following is None:
            return answer
        self._loop.write_down_end(state)
        await self._list(state, following)
        return await self._answer(state, 0.0)

    @staticmethod
    async def _following(candidates: Candidates, state: RowState, answer: Answer) -> Shortlist | None:
        """The next list: the next best labels if none was chosen, or the labels under a chosen group."""
        category, confidence = answer.category, answer.confidence
        return await asyncio.to_thread(candidates.following, state.row.text, category, confidence, state.shortlist)

    async def _list(self, state: RowState, shortlist: Shortlist) -> None:
        """Put a list of labels before the document, followed by examples, if the plan has them."""
        state.shortlist, state.before = shortlist, shortlist.text
        if self._similar is not None:
            state.before += await asyncio.to_thread(self._similar.before, state.row.text, shortlist)
